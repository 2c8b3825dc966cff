"""The accounts of a running server: where they are held, who sends a request, and how passwords are tried.

Accounts may be turned on while the server runs. Once there are some, or where the server is reached from elsewhere, a
request without an account is refused, whatever becomes of their store.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import Response

from medloop.core.errors import SettingError, SignInError, StorageError, ThrottledError, UnavailableError
from medloop.loop.people.accounts import account_key, accounts_are_on
from medloop.loop.people.places import holder_of, opened_accounts
from medloop.loop.people.signing_in import Limits, Person, person_now, session_of, token_of
from medloop.loop.people.throttle import MOST_KEPT, Throttle
from medloop.server.web.callers import Caller
from medloop.server.web.folders import MARKER, Projects
from medloop.server.web.provider import Provider
from medloop.server.web.settings import ServerSettings
from medloop.store.store import Store

HASHES_AT_ONCE = 2
"""Each takes 64 MiB and a core."""

VISITS_AT_ONCE = 4
"""Requests to a provider of OpenID Connect, each of them some seconds at most."""

MOST_WAITING = 16
FREE_BY_NAME, FREE_BY_ADDRESS = 5, 20
"""Failures that cost no waiting; many people share an address."""

T = TypeVar("T")


class Line:
    """Work of which only so much is done at once, and for which only so many wait."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting = 0
        self._limiter: anyio.CapacityLimiter | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """Do it in a thread, once there is room.

        Raises:
            ThrottledError: Too many wait.
        """
        self.require_room()
        self._limiter = self._limiter or anyio.CapacityLimiter(self._at_once)
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._waiting -= 1

    def require_room(self) -> None:
        """Refuse one more.

        Raises:
            ThrottledError: Too many wait.
        """
        if self._waiting >= MOST_WAITING:
            raise ThrottledError("Too many sign in at this moment", remedy="try again in a moment", seconds=2.0)


class People:
    """Accounts of what is served.

    Attributes:
        provider: Where people may sign in elsewhere; None without OpenID Connect.
        visits: The line of requests to it.

    Args:
        folder: What is served.
        projects: Its open projects.
        settings: How the server runs.
        clock: Seconds that never go back.

    Raises:
        SettingError: The server is reached from elsewhere, and there are no accounts; or what OpenID Connect needs is missing.
    """

    def __init__(self, folder: Path, projects: Projects, settings: ServerSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._settings = settings
        self._throttle = Throttle(clock)
        self._limits = Limits(settings.idle_minutes, settings.session_hours)
        self._guard = Lock()
        self._of_project = projects.all()[0].store if (folder / MARKER).is_file() else None
        self._own: Store | None = None
        self._seen_on = False
        self._known: OrderedDict[str, None] = OrderedDict()
        self._hashes = Line(HASHES_AT_ONCE)
        self.visits = Line(VISITS_AT_ONCE)
        self.provider = Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_secret) if settings.oidc_issuer else None
        if settings.needs_accounts and not self.are_on():
            raise SettingError(
                f"There are no accounts in {folder}, and others than this machine's users could reach it",
                remedy="make one with: medloop users add DIR NAME --role administrator",
            )

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; browsers take the one with a prefix by https only, and from no subdomain."""
        return "__Host-medloop" if self._settings.is_encrypted else "medloop"

    def are_on(self) -> bool:
        """Whether there are accounts."""
        if not self._seen_on:
            store = self._find()
            if store is not None:
                with store.read() as tx:
                    self._seen_on = accounts_are_on(tx)
        return self._seen_on

    def store(self) -> Store:
        """The store that holds the accounts.

        Raises:
            StorageError: It is gone.
        """
        found = self._find()
        if found is None:
            raise StorageError("The accounts of this server cannot be read", remedy="restore the folder people")
        return found

    def caller(self, headers: Headers, *, used: bool = True) -> Caller | None:
        """Who sends a request: by its token, else by its cookie; None for nobody who is known. `used` as `session_of` has it."""
        if not self.are_on():
            return Caller(self._settings.annotator)
        person = self._person(headers, used)
        return None if person is None else Caller(person.account.name, person)

    def caller_of_session(self, secret: str) -> Caller:
        """Who a session that has just begun belongs to.

        Raises:
            SignInError: It has ended already.
        """
        person = session_of(self.store(), secret, self._limits)
        if person is None:
            raise SignInError("The session has ended", remedy="sign in again")
        return Caller(person.account.name, person)

    def caller_now(self, caller: Caller) -> Caller | None:
        """Who was let in before, with what they may do in this moment; None when their account is disabled."""
        person = None if caller.person is None else person_now(self.store(), caller.person)
        return None if person is None else Caller(person.account.name, person)

    def remember(self, answer: Response, secret: str) -> None:
        """Give a browser its session."""
        answer.set_cookie(self.cookie, secret, path="/", secure=self._settings.is_encrypted, httponly=True, samesite="lax")

    def forget(self, answer: Response) -> None:
        """Take a browser's session away."""
        answer.delete_cookie(self.cookie, path="/", secure=self._settings.is_encrypted, httponly=True, samesite="lax")

    async def tried(self, name: str, address: str, work: Callable[[], T]) -> T:
        """Do what hashes a password, at most two at once; failures make the name and the address wait longer and longer.

        Where somebody has signed in from before, failures from elsewhere do not lock them out: such an address has a count of its own.

        Args:
            name: Under which it is tried; need not exist.
            address: Whence.
            work: Hashes; raises when it does not fit.

        Raises:
            ThrottledError: Too many failures, or too many wait.
        """
        by_name = f"name {account_key(name)[:80]}"
        known = f"{by_name} at {address}"
        done = await self._counted(self._hashes, known if known in self._known else by_name, address, work)
        self._known[known] = None
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return done

    async def visited(self, address: str, work: Callable[[], T]) -> T:
        """Do what needs the provider; failures make the address wait longer and longer.

        Raises:
            ThrottledError: Too many failures, or too many wait.
        """
        return await self._counted(self.visits, "", address, work)

    async def _counted(self, line: Line, by_name: str, address: str, work: Callable[[], T]) -> T:
        by_address = f"address {address}"
        line.require_room()
        self._throttle.begin({by_address: FREE_BY_ADDRESS} | ({by_name: FREE_BY_NAME} if by_name else {}))
        try:
            done = await line.do(work)
        except (SettingError, UnavailableError):  # what was tried did fit, only the new password is none; or it is nobody's fault here
            self._throttle.succeed(by_name, by_address)
            raise
        self._throttle.succeed(by_name, by_address)
        return done

    def page_of(self, connection: HTTPConnection) -> str:
        """The origin under which a browser has this server; its name has passed the gate."""
        scheme = "https" if self._settings.is_encrypted else "http"
        return f"{scheme}://{connection.headers.get('host', '')}"

    def address_of(self, connection: HTTPConnection) -> str:
        """Whence a request comes: what the proxy says of it, else the connection's end; of IPv6 the first 64 bits."""
        said = connection.headers.get("x-forwarded-for", "") if self._settings.behind_proxy else ""
        near = connection.client.host if connection.client else ""
        return network_of(said.rpartition(",")[2].strip() or near)

    def close(self) -> None:
        """Release the store, unless it is a project's."""
        if self._own is not None:
            self._own.close()

    def _person(self, headers: Headers, used: bool) -> Person | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            return token_of(self.store(), token.strip()) if scheme.lower() == "bearer" else None
        secret = cookie_parser(headers.get("cookie", "")).get(self.cookie)
        return session_of(self.store(), secret, self._limits, used=used) if secret else None

    def _find(self) -> Store | None:
        if self._of_project is not None:
            return self._of_project
        with self._guard:
            if self._own is None and (holder_of(self._folder) / MARKER).is_file():
                self._own = opened_accounts(self._folder)
            return self._own


def network_of(address: str) -> str:
    """What the addresses of one client have in common, however they are written: of IPv6 the first 64 bits."""
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address[:45]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False).network_address)
