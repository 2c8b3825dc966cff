"""Signing in through a provider of OpenID Connect: a browser leaves with a flow in its cookie and comes back with a code."""

import hmac
from collections import OrderedDict
from threading import Lock
from typing import get_args

from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import Response

from medloop.core.accounts import Account, Identity, LinkUse
from medloop.core.errors import ForbiddenError, SignInError, ThrottledError
from medloop.core.names import appearance
from medloop.core.records import Annotator
from medloop.core.roles import ROLES
from medloop.loop.people.accounts import account_of
from medloop.loop.people.handing_out import link_of, use_link_as
from medloop.loop.people.newcomers import account_for, let_in
from medloop.loop.people.secret_values import new_secret
from medloop.loop.people.signing_in import begin_session
from medloop.server.web.folders import Projects
from medloop.server.web.people import People
from medloop.server.web.provider import Flow, Provider
from medloop.server.web.settings import ServerSettings
from medloop.store.reader import Reader

FLOW_SECONDS = 600
"""How long a browser keeps a flow: somebody may have to look for a second factor."""

MOST_USED = 10_000
"""States that are known to be used; the provider does not take a code twice either."""

BACK = "/oidc"
"""The page's address to which the provider sends browsers back."""


class ProviderSignIn:
    """What the server does with its provider.

    Args:
        people: The server's accounts.
        projects: Whose annotators' names newcomers must not take.
        settings: How the server runs.
    """

    def __init__(self, people: People, projects: Projects, settings: ServerSettings) -> None:
        self._people = people
        self._projects = projects
        self._settings = settings
        self._used: OrderedDict[str, None] = OrderedDict()
        self._guard = Lock()

    @property
    def name(self) -> str | None:
        """What people call the provider; None without one."""
        return (self._settings.oidc_name or self._people.provider.host) if self._people.provider else None

    async def begin(self, connection: HTTPConnection, answer: Response, link: tuple[LinkUse, str] | None) -> str:
        """Give a browser a flow, and the address at the provider to which it goes.

        Raises:
            ForbiddenError: There is no provider.
            SignInError: The link does not work.
            UnavailableError: The provider cannot be reached.
        """
        provider, flow = self._provider(), Flow(new_secret(), link)

        def work() -> str:
            if link is not None:
                with self._people.store().read() as tx:
                    link_of(tx, link[1], link[0])
            return provider.sign_in_address(flow, self.back(connection))

        address = await self._people.visited(self._people.address_of(connection), work)
        value = ".".join((flow.secret, *(link or ())))
        secure = self._settings.is_encrypted
        answer.set_cookie(self._cookie, value, max_age=FLOW_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")
        return address

    async def finish(self, connection: HTTPConnection, answer: Response, *, code: str, state: str, issuer: str | None) -> str:
        """Begin a session of whom the provider sent back; the secret for its cookie.

        Raises:
            ForbiddenError: There is no provider.
            SignInError: Another browser's flow, one that is over, or nobody whom this server lets in.
            UnavailableError: The provider cannot be reached.
        """
        provider = self._provider()

        def work() -> str:
            flow = self._flow(connection, state)
            if not code:
                raise SignInError("The provider did not sign you in", remedy="sign in again")
            account = self._account(provider.identity(flow, self.back(connection), code, issuer), flow)
            return begin_session(self._people.store(), account)

        secret = await self._people.visited(self._people.address_of(connection), work)
        answer.delete_cookie(self._cookie, path="/", secure=self._settings.is_encrypted, httponly=True, samesite="lax")
        return secret

    async def sign_out_address(self, connection: HTTPConnection, account: Account) -> str | None:
        """Where whoever came through the provider ends their session there, too; None for others."""
        provider = self._people.provider
        if provider is None or account.issuer != provider.issuer:
            return None
        try:
            return await self._people.visits.do(lambda: provider.sign_out_address(self.back(connection)))
        except ThrottledError:  # whoever leaves must not wait
            return None

    def back(self, connection: HTTPConnection) -> str:
        """Where the provider sends browsers back to; it must know this address."""
        return self._people.page_of(connection) + BACK

    @property
    def _cookie(self) -> str:
        return f"{self._people.cookie}-sign-in"

    def _provider(self) -> Provider:
        if self._people.provider is None:
            raise ForbiddenError("This server has no provider to sign in with", remedy="sign in with a name and a password")
        return self._people.provider

    def _flow(self, connection: HTTPConnection, state: str) -> Flow:
        """The flow of this browser, which a state ends once."""
        secret, _, rest = cookie_parser(connection.headers.get("cookie", "")).get(self._cookie, "").partition(".")
        flow = Flow(secret, _link(rest))
        mine = bool(secret) and hmac.compare_digest(flow.derive("state"), state)
        with self._guard:
            if not mine or state in self._used:
                raise SignInError("This sign-in was begun in another browser, took too long or is over already", remedy="sign in again")
            self._used[state] = None
            if len(self._used) > MOST_USED:
                self._used.popitem(last=False)
        return flow

    def _account(self, identity: Identity, flow: Flow) -> Account:
        store, newcomers = self._people.store(), self._settings.oidc_new_people
        if flow.link is not None:
            use, secret = flow.link
            return let_in(use_link_as(store, secret, use, identity))
        with store.read() as tx:
            self._require_welcome(tx, identity)
        role = next((role for role in ROLES if role == newcomers), None)
        return account_for(store, identity, role=role, annotators=self._annotators)

    def _require_welcome(self, tx: Reader, identity: Identity) -> None:
        if self._settings.oidc_new_people == "refuse" and account_of(tx, identity) is None:
            raise SignInError(
                f"Nobody is known here whom the provider calls {identity.subject}",
                remedy="open your invitation and sign in from there; or let an administrator add an account for that subject",
            )

    def _annotators(self) -> set[str]:
        found: set[str] = set()
        for workspace in self._projects.all():
            with workspace.store.read() as tx:
                found |= {appearance(one.name) for one in tx.find(Annotator)}
        return found


def _link(text: str) -> tuple[LinkUse, str] | None:
    use, _, secret = text.partition(".")
    return next(((known, secret) for known in get_args(LinkUse) if known == use and secret), None)
