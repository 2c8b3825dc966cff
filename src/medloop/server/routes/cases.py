"""Cases: the worklist, one case's header, its voxels."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.requests import Request

from medloop.core.records import Case
from medloop.loop.foundation.refusals import refusals
from medloop.loop.querying.streaming import verdicts
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import WorkspaceHere
from medloop.server.wire.project_views import CaseLine, CasePage
from medloop.server.wire.schemas import Id, Limit, Offset, Search
from medloop.server.wire.views import CaseView, case_view

router = APIRouter(prefix="/projects/{project}/cases", tags=["cases"])
State = Literal["all", "unanswered", "answered", "skipped", "flagged"]


@router.get("")
def list_cases(
    workspace: WorkspaceHere,
    state: Annotated[State, Query(description="Which cases.")] = "all",
    search: Search = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> CasePage:
    """The worklist: cases by name in natural order, searched in any script and letter case, how far each is, and why it was left out."""
    with workspace.store.read() as tx:
        total = tx.worklist_total(state=state, search=search)
        rows = tx.worklist(state=state, search=search, limit=limit, offset=offset)
        refused = refusals(tx, [row.case_id for row in rows if row.state in ("skipped", "flagged")])
        judged = verdicts(tx, [row.case_id for row in rows if row.state not in ("answered", "skipped", "flagged")])
    return CasePage(total=total, rows=[CaseLine.of(row, refused.get(row.case_id), judged.get(row.case_id)) for row in rows])


@router.get("/{case}")
def get_case(workspace: WorkspaceHere, case: Id) -> CaseView:
    """Everything needed to draw a case: shape, affine, planes, windows."""
    with workspace.store.read() as tx:
        return case_view(tx.get(Case, case))


@router.get("/{case}/voxels", response_class=Response, responses=VOXELS)
def get_voxels(workspace: WorkspaceHere, case: Id, request: Request) -> Response:
    """The raw voxels: file order (I fastest, then J, K, channel), little endian, gzip."""
    with workspace.store.read() as tx:
        blob = tx.get(Case, case).voxels
    return send_blob(workspace.store.blobs, blob, request)
