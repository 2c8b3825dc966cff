"""Other series of a case's patient, to look at beside the case."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response
from starlette.requests import Request

from medloop.core.names import MAX_NAME
from medloop.loop.data.removing_references import remove_reference
from medloop.loop.foundation.references import HowToAdd, reference_standing, references_of
from medloop.server.web.sending import VOXELS, send_blob
from medloop.server.web.site import CaseHere, PersonHere, ViewerHere, WorkspaceHere
from medloop.server.web.uploads import RAW_BODY, raw_body
from medloop.server.wire.reference_views import ReferenceView, RemovedReferenceView
from medloop.server.wire.schemas import Id

router = APIRouter(prefix="/projects/{project}/cases/{case}/references", tags=["references"])


def _how(
    name: Annotated[
        str, Query(max_length=MAX_NAME, pattern=r"^[^\x00]*$", description="What it is called; by default words of its series or file.")
    ] = "",
    registered: Annotated[bool, Query(description="Its positions are those of the case, whatever its header says.")] = False,
    same_patient: Annotated[bool, Query(description="It is of the case's patient, whatever its header says.")] = False,
) -> HowToAdd:
    return HowToAdd(name, registered, same_patient)


@router.get("")
def get_references(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere) -> list[ReferenceView]:
    """The references beside a case, each with everything needed to draw it and to find a place of the patient in it."""
    with workspace.store.read() as tx:
        unread = case.id in viewer.unread(tx)
        return [ReferenceView.of(one, case, unread=unread) for one in references_of(tx, case.id)]


@router.post("", openapi_extra=RAW_BODY)
def post_reference(
    workspace: WorkspaceHere,
    case: CaseHere,
    person: PersonHere,
    how: Annotated[HowToAdd, Depends(_how)],
    body: Annotated[bytes, Depends(raw_body)],
    x_filename: Annotated[str, Header(max_length=1000, description="The file's name, percent-encoded.")],
) -> ReferenceView:
    """Keep an image beside a case: the bytes of one file, or of a zip archive of one DICOM series. Nobody annotates it."""
    from medloop.loop.data.adding_references import add_sent_reference  # readers of files, which a server without them need not load

    made = add_sent_reference(workspace, case, unquote(x_filename), body, how, actor=person.id)
    return ReferenceView.of(made, case, unread=False)


@router.delete("/{reference}")
def delete_reference(workspace: WorkspaceHere, case: CaseHere, reference: Id, person: PersonHere) -> RemovedReferenceView:
    """Take a reference away; its record stays for the audit, its voxels go with `medloop doctor --sweep`."""
    return RemovedReferenceView(name=remove_reference(workspace, case, only=reference, actor=person.id).name)


@router.get("/{reference}/voxels", response_class=Response, responses=VOXELS)
def get_reference_voxels(workspace: WorkspaceHere, case: CaseHere, reference: Id, request: Request) -> Response:
    """The raw voxels of a reference, as those of a case."""
    with workspace.store.read() as tx:
        found = reference_standing(tx, case.id, reference)
    return send_blob(workspace.store.blobs, found.voxels, request)
