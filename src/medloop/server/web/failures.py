"""Every error as one JSON shape: `{"error": {"code", "message", "remedy"}}`.

The tree of `core.errors` maps to status codes here and nowhere else. What nobody foresaw becomes a
plain 500 without a stack trace; the trace goes to the server's log (see `security.Gate`).
"""

import errno
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from medloop.core import errors
from medloop.core.errors import ConflictError, MedloopError, SignInError, StorageError, ThrottledError

_STATUS: tuple[tuple[type[MedloopError], int], ...] = (
    (errors.NotFoundError, 404),
    (ConflictError, 409),
    (errors.CancelledError, 409),
    (errors.InputError, 422),
    (SignInError, 401),
    (errors.ForbiddenError, 403),
    (ThrottledError, 429),
    (errors.UnavailableError, 503),
    (errors.IntegrityError, 500),
)
_HTTP_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
}


_BY_CODE: Mapping[str, type[MedloopError]] = {
    kind.code: kind
    for kind in reversed(vars(errors).values())  # a kind that shares its code with a wider one gives way to it
    if isinstance(kind, type) and issubclass(kind, MedloopError)
}


class StaleRevisionError(ConflictError, code="stale_revision"):
    """A patch against a revision that is no longer the newest."""

    def __init__(self, message: str, *, remedy: str, revision: int) -> None:
        super().__init__(message, remedy=remedy)
        self.revision = revision


def status_of(error: MedloopError) -> int:
    """The HTTP status of a deliberate error; 507 when the disk is full, 503 when it is locked or gone."""
    if isinstance(error, StorageError):
        return 507 if _is_full(error) else 503
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _is_full(error: StorageError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__
    return "full" in error.message or "No space" in error.message


def failure(status: int, code: str, message: str, *, remedy: str = "", extra: Mapping[str, Any] | None = None) -> JSONResponse:
    """One error as a response."""
    return JSONResponse({"error": {"code": code, "message": message, "remedy": remedy, **(extra or {})}}, status_code=status)


def foreseen(answer: Mapping[str, Any]) -> MedloopError:
    """The deliberate error that another process of medloop answered with, from its JSON."""
    told = answer.get("error")
    told = told if isinstance(told, Mapping) else {}
    kind = _BY_CODE.get(str(told.get("code", "")))
    if kind is None:
        return errors.UnavailableError(f"The assistant failed: {told.get('message', 'no reason given')}", remedy="try again")
    return kind(str(told.get("message", "")), remedy=str(told.get("remedy", "")))


def install_failures(app: FastAPI) -> None:
    """Make every error of the application answer in the one shape."""
    app.add_exception_handler(MedloopError, _deliberate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _deliberate(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, MedloopError):
        raise error
    return deliberate(error)


def deliberate(error: MedloopError) -> JSONResponse:
    """A deliberate error as a response."""
    extra = {"revision": error.revision} if isinstance(error, StaleRevisionError) else None
    answer = failure(status_of(error), error.code, error.message, remedy=error.remedy, extra=extra)
    if isinstance(error, ThrottledError):
        answer.headers["Retry-After"] = str(math.ceil(error.seconds))
    if isinstance(error, SignInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    where, fault = _first_fault(error.errors())
    return failure(422, "invalid_request", f"{where}: {fault}", remedy="see /api/v1/openapi.json for what this route takes")


def _first_fault(faults: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Where the first fault lies, and what must hold there, whichever of several kinds the value may be."""
    first = faults[0]
    alike = [one for one in faults if one["loc"][:-1] == first["loc"][:-1] and one.get("input") is first.get("input")]
    several = len(alike) > 1 and first["type"] != "missing"
    place = first["loc"][:-1] if several else first["loc"]
    message = " or ".join(dict.fromkeys(one["msg"] for one in alike)) if several else first["msg"]
    if _is_endless(first.get("input")):
        message = "A number must be finite and below 1.8e308"
    return ".".join(str(part) for part in place[:6]), message


def _is_endless(value: object) -> bool:
    """Whether a value is infinity (also 1e400, which no float holds) or not a number, in JSON or in an address."""
    try:
        return isinstance(value, str | float) and not math.isfinite(float(value))
    except ValueError:
        return False


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    answer = failure(error.status_code, _HTTP_CODES.get(error.status_code, "http_error"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def unforeseen(error: Exception) -> JSONResponse:
    """The answer to a request that failed in a way nobody foresaw: its kind, never its trace."""
    message = f"The server failed at this request ({type(error).__name__})"
    return failure(500, "internal", message, remedy="try again; the server's log holds the details")
