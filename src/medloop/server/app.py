"""The web application: routes under `/api/v1`, the MONAI Label surface under `/monai`, the built page at every other address.

Routes are plain functions: FastAPI runs them in a pool of at most `settings.threads` threads, so the
event loop never waits for the database. Nothing here imports torch.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from medloop import __version__
from medloop.server.monailabel.app import PREFIX as SURFACE
from medloop.server.monailabel.app import close_surface, create_surface
from medloop.server.routes import (
    acquiring,
    annotations,
    archives,
    assigning,
    assignments,
    cases,
    configuring,
    continual,
    disposing,
    drift,
    explaining,
    exporting,
    federations,
    gold,
    health,
    mapping,
    marks,
    me,
    measurements,
    measuring,
    opening,
    people,
    pretraining,
    projects,
    prompts,
    referring,
    reviewing,
    work,
)
from medloop.server.web.assistant import AssistantLink
from medloop.server.web.failures import install_failures
from medloop.server.web.feed import Feed
from medloop.server.web.folders import Projects
from medloop.server.web.guard import Guard
from medloop.server.web.pages import install_pages
from medloop.server.web.people import People
from medloop.server.web.permissions import guarded_routes
from medloop.server.web.proposals import Proposer
from medloop.server.web.provider_sign_in import ProviderSignIn
from medloop.server.web.security import Gate
from medloop.server.web.settings import ServerSettings
from medloop.server.web.site import Site
from medloop.server.wire.views import Failure

PREFIX = "/api/v1"
_PARTS = (
    health,
    me,
    people,
    projects,
    configuring,
    cases,
    assigning,
    measuring,
    acquiring,
    marks,
    measurements,
    referring,
    explaining,
    gold,
    opening,
    assignments,
    prompts,
    annotations,
    reviewing,
    work,
    drift,
    federations,
    disposing,
    mapping,
    pretraining,
    continual,
    exporting,
    archives,
)
ROUTERS: tuple[APIRouter, ...] = tuple(part.router for part in _PARTS)

_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "The request was wrong, or came too late (409)."},
    "5XX": {"model": Failure, "description": "The server could not do it: 503 busy or missing a part, 507 disk full."},
}


def create_app(folder: Path, settings: ServerSettings | None = None, *, assistant: Path | None = None) -> FastAPI:
    """The application serving one project folder, or a folder of them; `assistant` is the assistant's socket, None without one.

    Raises:
        NotFoundError: No project in the folder.
        ConflictError: Another server has it.
        SettingError: Others could reach it, and there are no accounts.
        LookupError: A route of which nobody has said who may use it.
    """
    settings = settings or ServerSettings()
    routes = guarded_routes(ROUTERS, PREFIX)
    site = _site(folder, settings, assistant)
    surface = create_surface(site)
    for workspace in site.projects.all():
        exporting.clear_left_over(workspace.folder)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        site.proposer.bind()
        yield
        close_surface(surface)
        site.feed.close()
        site.proposer.close()
        site.people.close()
        site.projects.close()

    app = FastAPI(
        title="medloop",
        version=__version__,
        summary="Human-in-the-loop deep learning for medical images",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.site = site
    install_failures(app)
    app.add_middleware(Guard, people=site.people, routes=routes)
    app.add_middleware(Gate, settings=settings)  # the outermost one
    app.router.routes.extend(_interface())
    app.mount(SURFACE, surface)
    install_pages(app)
    return app


@cache
def _interface() -> tuple[BaseRoute, ...]:
    """The routes under `/api/v1`, which all applications of a process share: FastAPI works out what each takes at the first request."""
    interface = APIRouter()
    for router in ROUTERS:
        interface.include_router(router, prefix=PREFIX, responses=_FAILURES)
    return tuple(interface.routes)


def _site(folder: Path, settings: ServerSettings, assistant: Path | None) -> Site:
    projects = Projects(folder)
    try:
        people = People(folder, projects, settings)
    except BaseException:
        projects.close()
        raise
    feed = Feed(projects.get, poll_seconds=settings.poll_seconds, heartbeat_seconds=settings.heartbeat_seconds)
    link = AssistantLink(assistant)
    return Site(settings, projects, feed, Proposer(link, feed.publish), link, people, ProviderSignIn(people, projects, settings))
