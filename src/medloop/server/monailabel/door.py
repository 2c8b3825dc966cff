"""Before every route of the MONAI Label surface: which pages may call it, who calls, and whether they may.

Nobody is known here by a cookie: a page of another origin can make a browser send one. So where there are accounts, pages of every
origin may call (their programs hold a token), and without accounts only this server's own page and those of the setting `origins`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medloop.core.errors import ForbiddenError, MedloopError, SignInError
from medloop.core.roles import VERBS, Verb
from medloop.server.monailabel.basic import Basic
from medloop.server.monailabel.failures import refused
from medloop.server.monailabel.links import ImageLinks
from medloop.server.web.callers import SCOPE_KEY, Caller, require_role
from medloop.server.web.security import is_begun_here
from medloop.server.web.site import Site

_LOOK = (
    "GET /info/",
    "POST /infer/{model}",
    "POST /infer/wsi/{model}",
    "POST /infer/wsi_v2/{model}",
    "GET /batch/infer",
    "GET /train/",
    "GET /scoring/",
    "GET /datastore/",
    "HEAD /datastore/image",
    "GET /datastore/image",
    "GET /datastore/image/info",
    "HEAD /datastore/label",
    "GET /datastore/label",
    "GET /datastore/label/info",
    "PUT /session/",
    "GET /session/{session}",
    "DELETE /session/{session}",
    "GET /model/info/{model}",
)
_ANNOTATE = (
    "POST /activelearning/{strategy}",
    "PUT /datastore/image/info",
    "PUT /datastore/label",
    "DELETE /datastore/label",
    "PUT /datastore/label/info",
    "PUT /datastore/updatelabelinfo",
)
_TRAIN = (
    "POST /train/",
    "POST /train/{model}",
    "DELETE /train/",
    "POST /batch/infer/{model}",
    "DELETE /batch/infer",
    "POST /scoring/",
    "POST /scoring/{method}",
    "DELETE /scoring/",
    "PUT /model/{model}",
    "DELETE /model/{model}",
    "GET /logs/",
    "GET /logs/gpu",
)
NEEDS: Mapping[str, Verb | Literal["open"]] = {
    "GET /": "open",
    "GET /openapi.json": "open",
    "GET /auth/": "open",
    "POST /auth/token": "open",
    "GET /auth/token/valid": "look",
    **dict.fromkeys(_LOOK, "look"),
    **dict.fromkeys(_ANNOTATE, "annotate"),
    **dict.fromkeys(_TRAIN, "train"),
    "PUT /datastore/image": "add",
    "PUT /datastore/": "add",
    "DELETE /datastore/image": "review",
    "DELETE /datastore/": "review",
    "GET /datastore/dataset": "export",
    "GET /model/{model}": "export",
    "GET /ohif/{path:path}": "open",
    "GET /proxy/dicom/{path:path}": "look",
    "POST /proxy/dicom/{path:path}": "annotate",
}
"""What each route needs; addresses are those below the project's."""

_ROUTES = tuple((route.partition(" ")[0], compile_path(route.partition(" ")[2])[0], need) for route, need in NEEDS.items())
IMAGE = "/datastore/image"
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_VARY = "Origin"


class Door:
    """ASGI middleware of the surface: answers preflights, refuses, or leaves a `Caller` in the scope.

    Args:
        app: What it stands before; mounted at an address with a `project`.
        site: The running server.
        basic: Who names and passwords of the Basic scheme belong to.
        links: Ids that open their image without a sign-in.
    """

    def __init__(self, app: ASGIApp, site: Site, basic: Basic, links: ImageLinks) -> None:
        self._app = app
        self._site = site
        self._basic = basic
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; what is answered says which origin may read it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        own = origin == self._site.people.page_of(HTTPConnection(scope)) if origin else is_begun_here(headers)
        try:
            found = await self._found(HTTPConnection(scope), foreign=not own)
        except MedloopError as error:
            await refused(error)(scope, receive, _Readable(send, "").send)
            return
        if not (own or origin in self._site.settings.extra_origins or found.accounts):
            rule = f"Without accounts only this server's own page may call, got the origin {origin[:100] or 'of another site'}"
            await refused(ForbiddenError(rule, remedy="set MEDLOOP_ORIGINS, or make accounts"))(scope, receive, send)
            return
        readable = _Readable(send, origin)
        if scope["method"] == "OPTIONS":
            await _preflight(headers)(scope, receive, readable.send)
            return
        try:
            _admit(scope, found.caller or await self._by_link(scope))
        except MedloopError as error:
            await refused(error)(scope, receive, readable.send)
            return
        await self._app(scope, receive, readable.send)

    async def _found(self, connection: HTTPConnection, *, foreign: bool) -> "_Found":
        """Who calls, and whether there are accounts."""
        scheme = connection.headers.get("authorization", "").partition(" ")[0].lower()
        if scheme == "basic":
            accounts = await anyio.to_thread.run_sync(self._site.people.are_on)
            # browsers send what they were given to every page's requests
            return _Found(accounts, None if foreign and accounts else await self._basic.caller(connection))
        sent = Headers(raw=[(name, value) for name, value in connection.headers.raw if name != b"cookie"])
        return await anyio.to_thread.run_sync(self._look, sent)

    async def _by_link(self, scope: Scope) -> Caller | None:
        """In whose name a link opens the image that is fetched, if they may still do so; nothing else is opened by one."""
        if scope["method"] != "GET" or _path(scope) != IMAGE:
            return None
        given = self._links.caller(scope["path_params"]["project"], HTTPConnection(scope).query_params.get("image", ""))
        return None if given is None else await anyio.to_thread.run_sync(self._site.people.caller_now, given)

    def _look(self, sent: Headers) -> "_Found":
        caller = self._site.people.caller(sent)
        return _Found(caller is None or caller.person is not None, caller)


@dataclass(frozen=True)
class _Found:
    """Whether there are accounts, and who calls; None for nobody who is known."""

    accounts: bool
    caller: Caller | None


def _admit(scope: Scope, caller: Caller | None) -> None:
    need = _need(scope)
    if need is None:
        return
    if caller is not None:
        scope[SCOPE_KEY] = caller
    if need == "open":
        return
    if caller is None:
        raise SignInError("Nobody is signed in", remedy="POST /auth/token, or send a token that is in use")
    project = scope["path_params"]["project"]
    require_role(caller, project)
    if need not in caller.rights_in(project):
        raise ForbiddenError(f"Your role does not allow to {VERBS[need]}")


def _need(scope: Scope) -> Verb | Literal["open"] | None:
    """What a route needs; None for an address that is none."""
    path = _path(scope)
    return next((need for method, address, need in _ROUTES if method == scope["method"] and address.match(path)), None)


def _path(scope: Scope) -> str:
    """The address below the project's."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _preflight(headers: Headers) -> Response:
    wanted = headers.get("access-control-request-headers", "")
    asked = wanted if re.fullmatch(r"[A-Za-z0-9, _-]{0,500}", wanted) else ""
    return Response(
        "OK", headers={"Access-Control-Allow-Methods": _METHODS, "Access-Control-Allow-Headers": asked, "Access-Control-Max-Age": "600"}
    )


class _Readable:
    """Says with an answer which origin's pages may read it."""

    def __init__(self, send: Send, origin: str) -> None:
        self._send = send
        self._origin = origin

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Vary"] = _VARY
            if self._origin:
                headers["Access-Control-Allow-Origin"] = self._origin
                headers["Access-Control-Allow-Credentials"] = "true"
                headers["Access-Control-Expose-Headers"] = "Content-Disposition"
        await self._send(message)
