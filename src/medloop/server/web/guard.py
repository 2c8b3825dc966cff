"""The guard before every route of the interface: who calls, and whether they may.

It stands between the gate (hosts, origins, sizes) and the routes, so that nothing of a request is read before it is known
who sent it. Who has no role in a project gets what an unknown project gets.
"""

import hmac
import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from medloop.core.errors import ForbiddenError, MedloopError, SignInError
from medloop.core.roles import VERBS
from medloop.loop.people.secret_values import TOKEN_PREFIX
from medloop.loop.people.signing_in import Person
from medloop.server.web.callers import SCOPE_KEY, Caller, require_role
from medloop.server.web.failures import deliberate, failure
from medloop.server.web.people import People
from medloop.server.web.permissions import Guarded, Need
from medloop.server.web.security import SAFE_METHODS

LISTENING = "/stream"
IDLE_HEADER = "X-Idle"
"""Sent with what a page reads while nobody sits before it; that and listening keep no session alive."""

CSRF_HEADER = "X-CSRF-Token"
_SECRET_NAMES = re.compile(r"(access_?)?token|secret|password|session|authorization", re.IGNORECASE)


class Guard:
    """ASGI middleware: leaves a `Caller` in the scope of a request that may pass.

    Args:
        app: What it guards.
        people: The server's accounts.
        routes: What each route needs.
    """

    def __init__(self, app: ASGIApp, people: People, routes: Sequence[Guarded]) -> None:
        self._app = app
        self._people = people
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        if _has_secret(scope["query_string"]):
            refusal = failure(
                400,
                "secret_in_url",
                "Addresses are kept in logs: a secret has no place in one",
                remedy="send the header Authorization: Bearer …, and revoke what was sent",
            )
            await refusal(scope, receive, send)
            return
        found = self._find(scope["method"], scope["path"])
        if found is not None:
            try:
                scope[SCOPE_KEY] = await self._admitted(*found, scope)
            except MedloopError as error:
                await deliberate(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _find(self, method: str, path: str) -> tuple[Need, str | None] | None:
        """What the route of an address needs, and the project that it names."""
        for route in self._routes:
            if route.method == method and (match := route.address.match(path)):
                return route.need, match.groupdict().get("project")
        return None

    async def _admitted(self, need: Need, project: str | None, scope: Scope) -> Caller | None:
        method, headers = scope["method"], Headers(scope=scope)
        used = not scope["path"].endswith(LISTENING) and IDLE_HEADER not in headers
        caller = await anyio.to_thread.run_sync(partial(self._people.caller, headers, used=used))
        if need == "open":
            return caller
        if caller is None:
            raise SignInError("Nobody is signed in", remedy="sign in, or send a token that is in use")
        if caller.person is not None:
            _require_csrf(caller.person, method, headers)
            _require_right(caller, caller.person, need, project, method)
        return caller


def _require_csrf(person: Person, method: str, headers: Headers) -> None:
    if method in SAFE_METHODS or person.sign_in_id is None:
        return
    if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), person.csrf.encode()):
        raise ForbiddenError(f"A change by a browser carries the header {CSRF_HEADER}", remedy="send the csrf of GET /me; reload the page")


def _require_right(caller: Caller, person: Person, need: Need, project: str | None, method: str) -> None:
    if need == "self":
        if person.sign_in_id is None and method not in SAFE_METHODS:
            raise ForbiddenError("A token changes nothing about its own account", remedy="sign in with the password")
        return
    if need == "open":
        return
    if project is not None:
        require_role(caller, project)
    held = [caller.rights_in(one) for one in ([project] if project is not None else person.roles)]
    if not any(need in rights for rights in held):
        raise ForbiddenError(f"Your role does not allow to {VERBS[need]}", remedy="somebody who manages people here can give another role")


def _has_secret(query: bytes) -> bool:
    text = query.decode("latin-1")
    return TOKEN_PREFIX in text or any(_SECRET_NAMES.fullmatch(name) for name, _ in parse_qsl(text, keep_blank_values=True))
