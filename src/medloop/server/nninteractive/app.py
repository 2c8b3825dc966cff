"""The nnInteractive server: napari and Slicer plugins prompt a medloop engine through it.

An ASGI application around `Service` and `Leases`. Requests of one session wait for each other, predictions of all
sessions take turns, and heartbeats are answered on the event loop whatever is being computed. Errors are the
protocol's: `{"detail": …}` with 400 bad input, 401 key, 410 lease gone, 413 too large, 503 full.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from medloop.core.errors import CancelledError, ConflictError, InputError, MedloopError, StateError, UnavailableError
from medloop.interaction.nninteractive.leases import FullError, LeaseGoneError, Leases, Terms
from medloop.interaction.nninteractive.protocol import LEASE_HEADER, META_HEADER, RAW, Capabilities, Difference, pack_difference
from medloop.interaction.nninteractive.session import Service, Session
from medloop.server.nninteractive import gate
from medloop.server.nninteractive.calls import ACTIONS, Sent
from medloop.server.nninteractive.gate import Limits
from medloop.server.web.security import LOOPBACK_NAMES
from medloop.server.web.settings import is_loopback

_LOG = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[MedloopError], int], ...] = (
    (gate.KeyRefusedError, 401),
    (gate.ForeignError, 403),
    (LeaseGoneError, 410),
    (CancelledError, 410),
    (gate.TooLargeError, 413),
    (FullError, 503),
    (InputError, 400),
    (StateError, 400),
    (ConflictError, 409),
    (UnavailableError, 502),
)
USUAL_TERMS = Terms()
RETRY_SECONDS = 10
SWEEP_SECONDS = 15.0
"""Memory of dead sessions is given back at least this often; their leases end on time in any case."""

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Seat:
    """What a lease holds: a session, and the order of its requests."""

    session: Session
    order: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Office:
    """Everything the routes need."""

    service: Service
    leases: Leases[Seat]
    capabilities: Capabilities
    limits: Limits
    key: str | None
    hosts: frozenset[str] | None


def create_app(
    service: Service, *, limits: Limits, key: str | None = None, host: str = "127.0.0.1", license_text: str = "", terms: Terms = USUAL_TERMS
) -> Starlette:
    """The application."""
    leases = Leases(lambda: Seat(Session(service)), terms)
    hosts = LOOPBACK_NAMES | {host.lower()} if is_loopback(host) else None
    office = Office(service, leases, Capabilities(license=license_text), limits, key, hosts)
    routes = [Route(path, _read_only(office, call), methods=["GET"]) for path, call in LOOKS.items()]
    routes += [Route(path, _read_only(office, call), methods=["POST"]) for path, call in COUNTER.items()]
    routes += [Route(path, _acting(office, path), methods=["POST"]) for path in ACTIONS]
    handlers = {MedloopError: _deliberate, ClientDisconnect: _hung_up, Exception: _unforeseen}
    app = Starlette(routes=routes, lifespan=_sweeping(leases), exception_handlers=handlers)
    app.state.office = office
    return app


def _healthz(_office: Office, _token: str | None) -> dict[str, Any]:
    return {"ok": True}


def _claim(office: Office, _token: str | None) -> dict[str, Any]:
    terms = office.leases.terms
    timers = {"idle_timeout_seconds": terms.idle_seconds, "liveness_timeout_seconds": terms.liveness_seconds}
    return {"lease_token": office.leases.claim(), **timers, "max_sessions": terms.most}


def _release(office: Office, token: str | None) -> dict[str, Any]:
    office.leases.release(token)
    return {"released": True}


def _lease_status(office: Office, token: str | None) -> dict[str, Any]:
    return {"remaining_seconds": office.leases.remaining(token, seen=False), "idle_timeout_seconds": office.leases.terms.idle_seconds}


Look: TypeAlias = Callable[[Office, str | None], dict[str, Any]]
LOOKS: Mapping[str, Look] = {
    "/healthz": _healthz,
    "/capabilities": lambda office, _token: office.capabilities.to_json(),
    "/lease_status": _lease_status,
}
COUNTER: Mapping[str, Look] = {
    "/claim": _claim,
    "/release": _release,
    "/heartbeat": lambda office, token: {"remaining_seconds": office.leases.remaining(token, seen=True)},
}


def _read_only(office: Office, call: Look) -> Endpoint:
    """A call that touches no image: answered at once, on the event loop."""

    async def endpoint(request: Request) -> Response:
        gate.require_local_program(request.headers, office.hosts)
        if call is not _healthz:
            gate.require_key(request.headers.get("authorization"), office.key)
        return JSONResponse(call(office, request.headers.get(LEASE_HEADER)))

    return endpoint


def _acting(office: Office, path: str) -> Endpoint:
    """A person's action on a session: after the earlier ones of the session, in a thread."""
    action = ACTIONS[path]

    async def endpoint(request: Request) -> Response:
        gate.require_local_program(request.headers, office.hosts)
        gate.require_key(request.headers.get("authorization"), office.key)
        token = request.headers.get(LEASE_HEADER)
        with office.leases.use(token) as seat:
            body = await gate.read_body(request, office.limits)
            sent = Sent(request.headers.get(META_HEADER), body, office.service, office.limits, lambda: office.leases.holds(token or ""))
            async with seat.order:
                answer = await run_in_threadpool(action, seat.session, sent)
        return await run_in_threadpool(_packed, answer) if isinstance(answer, Difference) else JSONResponse(answer)

    return endpoint


def _packed(difference: Difference) -> Response:
    meta, body = pack_difference(difference)
    return Response(body, media_type=RAW, headers={META_HEADER: meta})


def _sweeping(leases: Leases[Seat]) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async def sweep() -> None:
            while True:
                await asyncio.sleep(SWEEP_SECONDS)
                leases.sweep()

        task = asyncio.create_task(sweep())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan


async def _deliberate(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, MedloopError):
        raise error
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status_code=status, headers=headers)


async def _hung_up(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("%s failed", request.url.path, exc_info=error)
    detail = f"The server failed at this request ({type(error).__name__}); its log holds the details"
    return JSONResponse({"detail": detail}, status_code=500)
