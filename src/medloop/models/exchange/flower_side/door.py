"""What a coordinator's one port lets in: sites to their own routes, and Flower's commands from the process that serves alone.

Flower's SuperLink takes its commands (start a run, register a key) at the port that sites reach, and has no password for them without an
account service: whoever reached the port could have a program run there. Here every such route needs a secret that only the process which
serves and what it starts know; what Flower's own processes use, only this machine reaches.
"""

import hmac
import json
import os
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

PROOF = "MEDLOOP_FEDERATION_SECRET"
FEDERATION, HOLDER = "MEDLOOP_FEDERATION_ID", "MEDLOOP_FEDERATION_HOLDER"
HEADER = "x-medloop-secret"
WHO = "/medloop-federation"
"""Who serves here: the federation and its process; with the secret, whether it is one's own."""

OPEN = ("/v1/fleet/", "/health")
LOCAL = "/v1/runtime/"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """ASGI middleware that refuses what does not belong here.

    Args:
        app: What it stands before.
    """

    def __init__(self, app: App) -> None:
        self.app, self.secret = app, os.environ[PROOF].encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse with 403."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == WHO:
            told = {"federation": os.environ[FEDERATION], "process": int(os.environ[HOLDER]), "own": self._knows(scope)}
            await _respond(send, 200, told if _is_local(scope) or told["own"] else {})
        elif scope["type"] == "http" and self._may(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _respond(send, 403, {"detail": "only the process that serves this federation gives commands"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _may(self, scope: Scope) -> bool:
        path = str(scope["path"])
        return path.startswith(OPEN) or self._knows(scope) or (path.startswith(LOCAL) and _is_local(scope))

    def _knows(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(HEADER.encode(), b"")
        return bool(self.secret) and hmac.compare_digest(given, self.secret)


def _is_local(scope: Scope) -> bool:
    """Whether who is there is this machine: a loopback address, or the address that it was reached at."""
    peer, own = (str((scope.get(end) or ("",))[0]) for end in ("client", "server"))
    try:
        return ip_address(peer).is_loopback or ip_address(peer) == ip_address(own)
    except ValueError:
        return False


async def _respond(send: Send, status: int, told: Scope) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def guard() -> None:
    """Put the door before Flower's SuperLink of this process.

    Raises:
        ImportError: This Flower has no such place; then nothing is served.
    """
    import flwr.superlink.main as serving
    from flwr.superlink import extensions
    from starlette.middleware import Middleware

    before = extensions.get_middleware
    if serving.extensions is not extensions:
        raise ImportError("flwr.superlink.main takes its middleware from elsewhere")
    extensions.get_middleware = lambda: (Middleware(Door), *before())


def show() -> None:
    """Let the commands of this process carry the secret."""
    import httpx

    client: Any = httpx.Client
    send = client.send

    def shown(own: Any, request: Any, **more: Any) -> Any:
        if str(request.url.path).startswith("/v1/control/"):
            request.headers[HEADER] = os.environ[PROOF]
        return send(own, request, **more)

    client.send = shown
