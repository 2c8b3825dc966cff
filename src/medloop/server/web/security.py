"""What every request must pass before a route sees it, and what every answer carries.

Threats: a foreign web page that talks to the loopback address (DNS rebinding, cross-site requests) and
a client that sends without end. Against them: known host names only, same-origin changes only, content
types a form cannot send, bounded bodies, and headers that let the page run nothing from elsewhere.
"""

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medloop.server.web.failures import failure, unforeseen
from medloop.server.web.settings import ServerSettings

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Every other one (TRACE, TRACK, CONNECT, …) is refused before anything looks at the request."""

CONTENT_TYPES = frozenset({"application/json", "application/octet-stream"})
"""What a change may be sent as: none of them can come from an HTML form."""

_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")

SURFACE = "/monai/"
"""Below it programs of others call, also from pages of other origins: `medloop.server.monailabel.door` says which, and knows no cookie."""

FORMS = frozenset({"multipart/form-data", "application/octet-stream"})
"""What files are sent as; below `SURFACE` also in forms."""

MB = 1_000_000
SLOWEST = 100_000
"""Bytes a second, below which a body counts as dripping."""

_LOG = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
REPORT_POLICY = "; ".join(
    ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
)
"""A report brings its own style and pictures; nothing else is loaded, and no script runs in it."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Gate:
    """ASGI middleware around the whole application; see the module's text for its rules."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._settings = settings
        self._hosts = LOOPBACK_NAMES | {settings.host.lower(), *settings.host_names} | set(hosts)
        self._own = next(iter(settings.host_names), "127.0.0.1")
        self._scheme = "https" if settings.is_encrypted else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a bounded body and the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = _Answer(send)
        refusal = self._refusal(scope["method"], scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, answer.send)
            return
        bounded = _bounded(receive, int(self._limit_mb(headers) * MB), self._settings.body_seconds)
        try:
            await self._app(scope, bounded, answer.send)
        except Exception as error:
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            if answer.started:
                raise
            await unforeseen(error)(scope, receive, answer.send)

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        if host_name(headers.get("host", "")) not in self._hosts:
            return failure(400, "unknown_host", "The Host header must name this server", remedy=f"open {self._own}")
        if method not in METHODS:
            refusal = failure(405, "method_not_allowed", "This method is not allowed here", remedy=f"use one of {', '.join(METHODS)}")
            refusal.headers["Allow"] = ", ".join(METHODS)
            return refusal
        if method in SAFE_METHODS:
            return None
        if path.startswith(SURFACE):
            return self._too_large(headers)
        if not self._same_origin(headers):
            return failure(403, "foreign_origin", "A change must come from this server's own page", remedy="open the page here")
        if _content_type(headers) not in CONTENT_TYPES:
            remedy = f"send Content-Type: {' or '.join(sorted(CONTENT_TYPES))}"
            return failure(415, "unsupported_media_type", "A change must be sent as JSON or raw bytes", remedy=remedy)
        return self._too_large(headers)

    def _same_origin(self, headers: Headers) -> bool:
        """Programs send neither header; browsers send at least one with every change."""
        origin = headers.get("origin")
        if origin is None:
            return is_begun_here(headers)
        return origin == f"{self._scheme}://{headers.get('host', '')}" or origin in self._settings.extra_origins

    def _too_large(self, headers: Headers) -> Response | None:
        limit = self._limit_mb(headers)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return failure(400, "bad_request", "Content-Length must be a whole number")
        if int(length[:20]) > limit * MB:
            return failure(413, "too_large", f"A body may have {limit:g} MB, got {int(length[:20]) / MB:.1f} MB", remedy="send less")
        return None

    def _limit_mb(self, headers: Headers) -> float:
        return self._settings.max_mask_mb if _content_type(headers) in FORMS else self._settings.max_json_mb


def is_begun_here(headers: Headers) -> bool:
    """Whether no foreign page made a browser send this request."""
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def host_name(header: str) -> str:
    """The name in a Host header without its port, lower case; "" when it is anything but a name or address and a port."""
    found = _HOST.fullmatch(header)
    return (found["name"] or found["address"]).lower() if found else ""


def _content_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _bounded(receive: Receive, limit: int, seconds: float) -> Receive:
    """A `receive` that raises once a body, chunked or not, is larger or slower than allowed.

    A body has `seconds`, and one more for each `SLOWEST` bytes that came: one that drips ends, a large one on a slow line not.
    """
    seen = 0
    complete = False
    begun = time.monotonic()

    async def bounded() -> Message:
        nonlocal seen, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout(begun + seconds + seen / SLOWEST - time.monotonic()):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"The request body did not arrive within {seconds:g} s", {"Connection": "close"}) from error
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"A body of this kind may have {limit / MB:g} MB")
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return bounded


class _Answer:
    """Adds the headers to an answer, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
