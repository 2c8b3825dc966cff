"""Why the model answers as it does, what else it might have meant, and objections to its reasons."""

from typing import Annotated, Literal

import anyio.to_thread
import numpy as np
from fastapi import APIRouter, Query

from medloop.core.errors import ForbiddenError, LabelError, StateError, UnavailableError
from medloop.core.records import Case
from medloop.explain.methods import require_captum
from medloop.loop.foundation.partial_annotations import annotated_voxels
from medloop.loop.foundation.trials import blind_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.objections import object_to_explanation, objections
from medloop.loop.overview.explanations import similar_cases
from medloop.server.web.assistant import ASSISTANT_SECONDS
from medloop.server.web.site import CaseHere, PersonHere, Site, SiteHere, ViewerHere, WorkspaceHere
from medloop.server.wire.explain_views import ExplanationView, HypothesesView, Method, ObjectionBody, ObjectionView, SimilarView
from medloop.server.wire.schemas import Id, part_of

router = APIRouter(prefix="/projects/{project}/cases/{case}", tags=["explanations"])
Distance = Literal["cosine", "euclidean"]


@router.get("/explanation")
async def get_explanation(
    site: SiteHere,
    workspace: WorkspaceHere,
    case: Id,
    label: Annotated[int, Query(ge=0, le=255, description="The class or label value to explain.")],
    method: Annotated[Method, Query(description="How.")] = "grad-cam",
) -> ExplanationView:
    """Where the newest model looks for a label, as a map on the case's own voxels."""
    if label not in workspace.task.label_values:
        raise LabelError(f"The task has the labels {list(workspace.task.label_values)}, got {label}")
    require_captum()
    asked = {"what": "saliency", "label": str(label), "method": method}
    return ExplanationView.model_validate(await _request(site, workspace, case, asked))


@router.get("/hypotheses")
async def get_hypotheses(
    site: SiteHere, workspace: WorkspaceHere, case: Id, most: Annotated[int, Query(ge=1, le=12, description="At most so many.")] = 4
) -> HypothesesView:
    """Distinct masks that the newest model might have meant, and the voxels where one prompt would change most."""
    return HypothesesView.model_validate(await _request(site, workspace, case, {"what": "hypotheses", "most": str(most)}))


@router.get("/similar")
def get_similar(
    workspace: WorkspaceHere,
    viewer: ViewerHere,
    case: Id,
    count: Annotated[int, Query(ge=1, le=50, description="At most so many.")] = 5,
    distance: Annotated[Distance, Query(description="How far apart embeddings are.")] = "cosine",
) -> SimilarView:
    """The annotated cases that the model sees as most alike, with their labels and its scores on them; none that one is to read blind."""
    with workspace.store.read() as tx:
        hidden = viewer.hidden(tx)
    return SimilarView.model_validate(similar_cases(workspace, case, count=count, distance=distance, hidden=hidden))


@router.get("/objections")
def list_objections(workspace: WorkspaceHere, viewer: ViewerHere, case: CaseHere) -> list[ObjectionView]:
    """Every objection to explanations of a case, in order; they are never changed. While one is to read it blind, one's own."""
    with workspace.store.read() as tx:
        seen = viewer.sees(tx, case.id)
        found = [one for one in objections(tx, [case.id]) if seen or one.annotator_id == viewer.annotator_id]
    return [ObjectionView.model_validate(one) for one in found]


@router.post("/objections")
def post_objection(workspace: WorkspaceHere, case: CaseHere, person: PersonHere, body: ObjectionBody) -> ObjectionView:
    """Record that an explanation is wrong, and which regions must not count as evidence."""
    shape, parts = case.grid.shape, [part_of(region) for region in body.regions]
    regions = annotated_voxels(parts, shape) if parts else np.zeros(shape, dtype=bool)
    made = object_to_explanation(workspace, case.id, person.id, label=body.label, method=body.method, regions=regions, reason=body.reason)
    return ObjectionView.model_validate(made)


async def _request(site: Site, workspace: Workspace, case_id: str, question: dict[str, str]) -> dict[str, object]:
    """Ask the assistant and wait."""
    if site.assistant.socket_path is None:
        raise UnavailableError("Explanations need the assistant, which was not started", remedy="serve without --no-assistant")
    await anyio.to_thread.run_sync(_require_model, workspace, case_id)
    asked = {"project_id": workspace.project.id, "case_id": case_id, **question}
    return await site.assistant.request("/explain", asked, seconds=ASSISTANT_SECONDS)


def _require_model(workspace: Workspace, case_id: str) -> None:
    with workspace.store.read() as tx:
        tx.get(Case, case_id)
        if blind_among(tx, [case_id]):
            raise ForbiddenError("This case of the audit sample is read blind: what a model makes of it shows then", remedy="read it first")
        if tx.live_model() is None:
            raise StateError("There is no model yet whose predictions could be explained", remedy="annotate some cases first")
