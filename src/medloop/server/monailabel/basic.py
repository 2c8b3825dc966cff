"""Names and passwords as programs send them: to be exchanged for a token, or with every request (HTTP Basic).

A password costs a core some tenths of a second, so that one that fitted is remembered for a while, as a keyed digest and only while the
account's password stays the same. In place of the password a token may be sent, which costs nothing.

Source: RFC 7617; OAuth 2.0's password grant (RFC 6749, section 4.3) for the exchange.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from functools import partial

import anyio.to_thread
from starlette.requests import HTTPConnection

from medloop.core.accounts import Account
from medloop.core.errors import ForbiddenError, SignInError
from medloop.core.names import folded
from medloop.core.roles import SCOPED
from medloop.loop.people.accounts import roles_of
from medloop.loop.people.handing_out import HandedOut, make_token, revoke_token, tokens_of
from medloop.loop.people.secret_values import TOKEN_PREFIX
from medloop.loop.people.signing_in import Person, fitting_account, token_of
from medloop.server.web.callers import Caller
from medloop.server.web.people import People
from medloop.store.store import Store

REMEMBERED_SECONDS = 600.0
MOST_REMEMBERED = 256
CALLED = "MONAI Label client"
"""Name of such a token."""

MOST_TOKENS = 8
"""Tokens of one account that signing in here makes; one more ends the oldest."""


class Basic:
    """Whom names and passwords belong to.

    Args:
        people: The server's accounts.
        passwords: Whether people may sign in with passwords at all.
    """

    def __init__(self, people: People, *, passwords: bool) -> None:
        self._people = people
        self._passwords = passwords
        self._key = secrets.token_bytes(32)
        self._fitted: OrderedDict[bytes, tuple[str, str, float]] = OrderedDict()

    async def caller(self, connection: HTTPConnection) -> Caller | None:
        """Who sends a request with the Basic scheme; None where it does not fit.

        Raises:
            ThrottledError: Too many failures of the name or the address.
        """
        if not await anyio.to_thread.run_sync(self._people.are_on):
            return await anyio.to_thread.run_sync(self._people.caller, connection.headers)
        name, password = _credentials(connection.headers.get("authorization", ""))
        if password.startswith(TOKEN_PREFIX):
            person = await anyio.to_thread.run_sync(token_of, self._people.store(), password)
            return None if person is None or folded(name) != person.account.key else Caller(person.account.name, person)
        try:
            account = await self.account(name, password, self._people.address_of(connection))
        except SignInError:
            return None
        return await anyio.to_thread.run_sync(self._as_caller, account.id)

    async def account(self, name: str, password: str, address: str) -> Account:
        """Whose name and password these are.

        Raises:
            SignInError: Nobody's.
            ForbiddenError: Nobody signs in with passwords here.
            ThrottledError: Too many failures of the name or the address.
        """
        if not self._passwords:
            raise ForbiddenError("Nobody signs in with a password here", remedy="make a token on the page, and send it as the password")
        digest = hmac.digest(self._key, f"{name}\0{password}".encode(), hashlib.sha256)
        known = await anyio.to_thread.run_sync(self._remembered, digest)
        if known is not None:
            return known
        account = await self._people.tried(name, address, partial(fitting_account, self._people.store(), name, password))
        self._fitted[digest] = (account.id, account.password, time.monotonic() + REMEMBERED_SECONDS)
        while len(self._fitted) > MOST_REMEMBERED:
            self._fitted.popitem(last=False)
        return account

    def _remembered(self, digest: bytes) -> Account | None:
        account_id, hashed, until = self._fitted.get(digest, ("", "", 0.0))
        if until < time.monotonic():
            return None
        account = self._people.store().get(Account, account_id)
        return account if account.password == hashed and not account.disabled else None

    def _as_caller(self, account_id: str) -> Caller:
        with self._people.store().read() as tx:
            account = tx.get(Account, account_id)
            return Caller(account.name, Person(account, roles_of(tx, account_id), rights=SCOPED["all"]))


def new_token(store: Store, account: Account) -> HandedOut:
    """A token for a day, in place of the oldest of `MOST_TOKENS` that were made so."""
    with store.read() as tx:
        made = [one for one in tokens_of(tx, account.id) if one.name == CALLED]
    for old in made[: max(0, len(made) - MOST_TOKENS + 1)]:
        revoke_token(store, account.id, old.id)
    return make_token(store, account.id, CALLED, scope="all", days=1)


def _credentials(header: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(header.partition(" ")[2].strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password
