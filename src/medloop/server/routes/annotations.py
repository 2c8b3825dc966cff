"""What models predicted and people annotated: masks and uncertainty."""

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from medloop.core.errors import ForbiddenError, NotFoundError
from medloop.core.records import Annotation, Case, Prediction
from medloop.images.encode import encode_mask
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.steps import annotation_steps
from medloop.loop.foundation.partial_annotations import load_partial
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.sending import VOXELS, send_blob, send_packed
from medloop.server.web.site import Viewer, ViewerHere, WorkspaceHere
from medloop.server.wire.project_views import DraftStepsView
from medloop.server.wire.prompt_views import ProvenanceView
from medloop.server.wire.schemas import Id
from medloop.server.wire.views import PredictionView, prediction_view
from medloop.store.reader import Reader

router = APIRouter(prefix="/projects/{project}", tags=["annotations"])


@router.get("/predictions/{prediction}")
def get_prediction(workspace: WorkspaceHere, prediction: Id) -> PredictionView:
    """A model's prediction of a case: probabilities, expected quality, scores."""
    with workspace.store.read() as tx:
        return prediction_view(tx, tx.get(Prediction, prediction))


@router.get("/predictions/{prediction}/mask", response_class=Response, responses=VOXELS)
def get_prediction_mask(workspace: WorkspaceHere, prediction: Id, request: Request) -> Response:
    """The proposed label of every voxel: uint8, file order, gzip."""
    return _send(workspace, workspace.store.get(Prediction, prediction).mask, "mask", request)


@router.get("/predictions/{prediction}/uncertainty", response_class=Response, responses=VOXELS)
def get_prediction_uncertainty(workspace: WorkspaceHere, prediction: Id, request: Request) -> Response:
    """The uncertainty at every voxel: uint8, 0 sure to 255 = ln(classes) nats of entropy, file order, gzip."""
    return _send(workspace, workspace.store.get(Prediction, prediction).uncertainty, "uncertainty map", request)


@router.get("/annotations/{annotation}/mask", response_class=Response, responses=VOXELS)
def get_annotation_mask(workspace: WorkspaceHere, annotation: Id, viewer: ViewerHere, request: Request) -> Response:
    """A submitted mask: uint8 label values, 255 outside a partial annotation, file order, gzip; 403 while the case is to be read blind."""
    with workspace.store.read() as tx:
        found = _seen(tx, annotation, viewer)
        case = tx.get(Case, found.case_id)
    if found.kind == "partial":
        return send_packed(encode_mask(load_partial(workspace.store.blobs, found, case)[1]))
    return _send(workspace, found.blob, "mask", request)


@router.get("/annotations/{annotation}/provenance")
def get_annotation_provenance(workspace: WorkspaceHere, annotation: Id, viewer: ViewerHere) -> ProvenanceView:
    """How a submitted mask came about: its prompts, and what prompts and brush changed."""
    with workspace.store.read() as tx:
        made = provenance(tx, _seen(tx, annotation, viewer))
    if made is None:
        raise NotFoundError("This annotation has no provenance", remedy="tags, imported and old annotations have none")
    return ProvenanceView.model_validate(made)


@router.get("/annotations/{annotation}/steps")
def get_annotation_steps(workspace: WorkspaceHere, annotation: Id, viewer: ViewerHere) -> DraftStepsView:
    """The steps that led to a submitted mask: applied in order they give the mask; 403 while the case is to be read blind."""
    with workspace.store.read() as tx:
        found = _seen(tx, annotation, viewer)
    return DraftStepsView.model_validate(annotation_steps(workspace, found.id))


def _seen(tx: Reader, annotation_id: str, viewer: Viewer) -> Annotation:
    found = tx.get(Annotation, annotation_id)
    if found.annotator_id != viewer.annotator_id and not viewer.sees(tx, found.case_id):
        raise ForbiddenError("This case is read blind: others' annotations show once you have read it", remedy="submit yours first")
    return found


def _send(workspace: Workspace, blob: str | None, what: str, request: Request) -> Response:
    if blob is None:
        raise NotFoundError(f"This annotation has no {what}", remedy="a classification is annotated with a tag")
    return send_blob(workspace.store.blobs, blob, request)
