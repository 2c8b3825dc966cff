"""The map of the pool, and queries of what a person chose on it."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from medloop.core.errors import ConflictError
from medloop.core.names import MAX_NAME
from medloop.loop.foundation.job_kinds import MapPool, request_job
from medloop.loop.overview.map_points import Sight, shown_map
from medloop.loop.querying.by_hand import query_by_hand
from medloop.server.web.site import PersonHere, ViewerHere, WorkspaceHere
from medloop.server.wire.map_views import ChosenView, MapBody, PoolMapView, QueryBody
from medloop.server.wire.project_views import JobRef

router = APIRouter(prefix="/projects/{project}", tags=["map"])


@router.get("/map")
def get_map(
    workspace: WorkspaceHere,
    viewer: ViewerHere,
    by: Annotated[
        str, Query(max_length=MAX_NAME, pattern=r"^[^\x00]*$", description="Column of the source's table that makes groups.")
    ] = "",
) -> PoolMapView | None:
    """The points of the map that was made last, at most 20,000 of them; null before there is one."""
    with workspace.store.read() as tx:
        sight = Sight(viewer.hidden(tx), viewer.unread(tx))
    shown = shown_map(workspace, by=by, sight=sight)
    return PoolMapView.of(shown) if shown else None


@router.post("/map")
def post_map(workspace: WorkspaceHere, person: PersonHere, body: MapBody) -> JobRef:
    """Have the worker make the map anew, describing the images first where needed; 409 while one laid out otherwise is being made."""
    wanted = MapPool(body.described, body.layout)
    job = request_job(workspace, wanted, "map", actor=person.id)
    if job.payload != asdict(wanted):
        other = " ".join(str(job.payload.get(name)) for name in ("described", "layout"))
        raise ConflictError(f"Another map is being made ({other}), so this one was not begun", remedy="wait for it, or cancel its job")
    return JobRef(job_id=job.id)


@router.post("/query")
def post_query(workspace: WorkspaceHere, person: PersonHere, body: QueryBody) -> ChosenView:
    """Begin a round of cases that a person chose; it counts as their choice, not as a draw from the pool."""
    return ChosenView.of(query_by_hand(workspace, body.case_ids, by=person.name, count=body.count, actor=person.id))
