"""Live news of one project as server-sent events."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from medloop.server.web.site import SiteHere, WorkspaceHere

router = APIRouter(prefix="/projects/{project}", tags=["work"])
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events `change` and `proposal`, comments as signs of life."}
}


@router.get("/stream", response_class=StreamingResponse, responses=_EVENTS)
async def get_stream(site: SiteHere, workspace: WorkspaceHere) -> StreamingResponse:
    """The project's state now and at every change; `proposal` when a requested one is ready."""
    events = await site.feed.listen(workspace.project.id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
