"""The MONAI Label surface of a server: 3D Slicer's module, OHIF, QuPath and the Python client annotate in a project through it.

One application below `/monai/{project}`, with its own door (`medloop.server.monailabel.door`) and its own shape of errors. What it does
goes through the same verbs as the page: handing out, submission, review and audit are the project's.
"""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from starlette.routing import BaseRoute

from medloop import __version__
from medloop.server.monailabel import (
    failures,
    images,
    inference,
    info,
    keeping,
    labels,
    samples,
    session_routes,
    signing_in,
    training,
    whole_slides,
)
from medloop.server.monailabel.basic import Basic
from medloop.server.monailabel.door import Door
from medloop.server.monailabel.files import ImageFiles
from medloop.server.monailabel.scene import Surface
from medloop.server.monailabel.sessions import Sessions
from medloop.server.web.site import Site

PREFIX = "/monai/{project}"
_PARTS = (signing_in, info, samples, whole_slides, inference, training, images, labels, keeping, session_routes)


def create_surface(site: Site) -> FastAPI:
    """The surface of a server."""
    app = FastAPI(title="medloop for clients of MONAI Label", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    basic = Basic(site.people, passwords=site.settings.password_sign_in)
    surface = Surface(site, basic, ImageFiles(), Sessions())
    app.state.surface = surface
    failures.install(app)
    app.router.routes.extend(_routes())
    app.add_middleware(Door, site=site, basic=basic, links=surface.links)
    return app


def close_surface(app: FastAPI) -> None:
    """Remove what it kept in temporary folders."""
    surface: Surface = app.state.surface
    surface.files.close()
    surface.sessions.close()


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """The routes, which all surfaces of a process share: FastAPI works out what each takes at the first request."""
    together = APIRouter()
    for router in (*(part.router for part in _PARTS), _own()):
        together.include_router(router)
    return tuple(together.routes)


def _own() -> APIRouter:
    """What clients look at to see whether there is a server, and what medloop does not serve."""
    own = APIRouter()

    @own.get("/")
    def get_root() -> HTMLResponse:
        """That there is a server."""
        return HTMLResponse("<!doctype html><title>medloop</title><h1>medloop speaks MONAI Label here</h1>")

    @own.get("/openapi.json")
    def get_openapi() -> dict[str, Any]:
        """Every route with what it does."""
        return _description()

    @own.get("/ohif/{path:path}")
    def get_ohif() -> None:
        """Refused: OHIF's own files come from its own server."""
        raise HTTPException(404, "OHIF is served by its own web server; see docs/ohif.md")

    @own.api_route("/proxy/dicom/{path:path}", methods=["GET", "POST"])
    def proxy() -> None:
        """Refused: OHIF reads DICOMweb from the archive itself."""
        raise HTTPException(404, "No DICOMweb source is configured here; see docs/ohif.md")

    return own


def described() -> dict[str, str]:
    """METHOD and path → what it does, of every route."""
    found: dict[str, str] = {}
    for part in (*[one.router for one in _PARTS], _own()):
        for route in part.routes:
            for method in sorted(getattr(route, "methods", ())):
                words = " ".join((getattr(route, "description", "") or "").split())
                found[f"{method} {getattr(route, 'path', '')}"] = words
    return found


def _description() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for line, words in described().items():
        method, _, path = line.partition(" ")
        paths.setdefault(path, {})[method.lower()] = {"summary": words, "responses": {"200": {"description": "OK"}}}
    return {"openapi": "3.1.0", "info": {"title": "medloop for clients of MONAI Label", "version": __version__}, "paths": paths}
