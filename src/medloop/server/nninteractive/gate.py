"""What a request to the nnInteractive server must pass before a route sees it.

Front ends are programs, never web pages: a request that a browser sends for a page (it carries `Origin` or says so in
`Sec-Fetch-Site`) is refused, and so is a foreign `Host` (DNS rebinding). Then the key, then how much is sent.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from medloop.core.errors import InputError, MedloopError
from medloop.server.web.security import host_name

MB = 1_000_000


class ForeignError(MedloopError, code="foreign"):
    """A request from a web page, or for another host."""


class KeyRefusedError(MedloopError, code="unauthorized"):
    """No key, or not the right one."""


class TooLargeError(InputError, code="too_large"):
    """More than the server takes."""


@dataclass(frozen=True)
class Limits:
    """How much the server takes: bytes of one unpacked array or target buffer, bytes of a body, and how long a body may take."""

    array_bytes: int
    sent_bytes: int
    body_seconds: float = 300.0


def require_local_program(headers: Mapping[str, str], hosts: frozenset[str] | None) -> None:
    """Refuse web pages and foreign host names; None lets every name in.

    Raises:
        ForeignError: Then.
    """
    if hosts is not None and host_name(headers.get("host", "")) not in hosts:
        raise ForeignError("The Host header must name this machine's loopback address", remedy="connect to 127.0.0.1")
    if headers.get("origin") is not None or headers.get("sec-fetch-site", "none") != "none":
        raise ForeignError("This server serves programs, not web pages")


def require_key(header: str | None, key: str | None) -> None:
    """Check the bearer key, in time that tells nothing about it.

    Raises:
        KeyRefusedError: Missing or wrong.
    """
    if key is None:
        return
    given = (header or "").removeprefix("Bearer ") if (header or "").startswith("Bearer ") else ""
    if not secrets.compare_digest(given.encode("utf-8", "surrogatepass"), key.encode("utf-8", "surrogatepass")):
        raise KeyRefusedError("The bearer key is missing or wrong", remedy="give the key the server was started with")


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: More than the server takes.
        InputError: It did not arrive in time.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit():
        _require_size(int(declared[:20]), limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for piece in request.stream():
                body += piece
                _require_size(len(body), limits)
    except TimeoutError as error:
        raise InputError(f"A request's body must arrive within {limits.body_seconds:g} s") from error
    return bytes(body)


def _require_size(size: int, limits: Limits) -> None:
    if size > limits.sent_bytes:
        raise TooLargeError(f"A request's body may have {limits.sent_bytes / MB:.0f} MB, got {size / MB:.0f} MB or more")
