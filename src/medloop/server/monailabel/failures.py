"""Errors as clients of MONAI Label read them: `{"detail": "…"}`, and 500 in plain text for what nobody foresaw."""

import logging
import math

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from medloop.core.errors import MedloopError, SignInError, ThrottledError
from medloop.server.web.failures import status_of

_LOG = logging.getLogger(__name__)


def refused(error: MedloopError) -> JSONResponse:
    """A deliberate error as a response."""
    answer = JSONResponse({"detail": str(error)}, status_code=status_of(error))
    if isinstance(error, SignInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ThrottledError):
        answer.headers["Retry-After"] = str(math.ceil(error.seconds))
    return answer


def install(app: FastAPI) -> None:
    """Make every error of the surface answer so."""
    app.add_exception_handler(MedloopError, _deliberate)
    app.add_exception_handler(Exception, _unforeseen)


async def _deliberate(_request: Request, error: Exception) -> Response:
    if not isinstance(error, MedloopError):
        raise error
    return refused(error)


async def _unforeseen(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return PlainTextResponse("Internal Server Error", status_code=500)
