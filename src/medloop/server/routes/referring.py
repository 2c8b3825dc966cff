"""Other series of a case's patient, to look at beside the case."""

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from medloop.loop.foundation.references import reference_standing, references_of
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import CaseHere, ViewerHere, WorkspaceHere
from medloop.server.wire.reference_views import ReferenceView
from medloop.server.wire.schemas import Id

router = APIRouter(prefix="/projects/{project}/cases/{case}/references", tags=["references"])


@router.get("")
def get_references(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere) -> list[ReferenceView]:
    """The references beside a case, each with everything needed to draw it and to find a place of the patient in it."""
    with workspace.store.read() as tx:
        unread = case.id in viewer.unread(tx)
        return [ReferenceView.of(one, case, unread=unread) for one in references_of(tx, case.id)]


@router.get("/{reference}/voxels", response_class=Response, responses=VOXELS)
def get_reference_voxels(workspace: WorkspaceHere, case: CaseHere, reference: Id, request: Request) -> Response:
    """The raw voxels of a reference, as those of a case."""
    with workspace.store.read() as tx:
        found = reference_standing(tx, case.id, reference)
    return send_blob(workspace.store.blobs, found.voxels, request)
