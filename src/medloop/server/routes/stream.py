"""Live news of one project as server-sent events."""

from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers
from starlette.requests import Request

from medloop.server.web.site import Site, SiteHere, WorkspaceHere

router = APIRouter(prefix="/projects/{project}", tags=["work"])
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events `change` and `proposal`, comments as signs of life."}
}


@router.get("/stream", response_class=StreamingResponse, responses=_EVENTS)
async def get_stream(site: SiteHere, workspace: WorkspaceHere, request: Request) -> StreamingResponse:
    """The project's state now and at every change; `proposal` when a requested one is ready. It ends with the session."""
    project = workspace.project.id
    events = _while_allowed(await site.feed.listen(project), site, project, request.headers)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _while_allowed(events: AsyncIterator[str], site: Site, project: str, headers: Headers) -> AsyncIterator[str]:
    """The events up to the first one that the listener may not see any more; signs of life are looked at, too."""
    async for event in events:
        caller = await anyio.to_thread.run_sync(site.people.caller, headers)
        if caller is None or not caller.may(project, "look"):
            return
        yield event
