"""What later models forgot, group by group, and images that are not to be kept any longer."""

from typing import Annotated

from fastapi import APIRouter, Query

from medloop.loop.data.retention import remove_due, retention
from medloop.loop.overview.model_matrix import model_matrix, request_rejudging
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.continual_views import MatrixView, RetentionReportView, RetentionView
from medloop.server.wire.project_views import JobRef
from medloop.server.wire.schemas import Nothing

router = APIRouter(prefix="/projects/{project}", tags=["work"])

By = Annotated[
    str, Query(max_length=80, description="Attribute of the cases, such as site; label, or date. Left out: one that tells them apart.")
]


@router.get("/matrix")
def get_matrix(workspace: WorkspaceHere, by: By = "") -> MatrixView:
    """What each model scores on each group of evaluation patients, and what was forgotten."""
    return MatrixView.model_validate(model_matrix(workspace, by=by))


@router.post("/matrix/fill")
def post_fill(workspace: WorkspaceHere, person: PersonHere, _body: Nothing) -> JobRef:
    """Have the worker hold every model against the annotations of today."""
    return JobRef(job_id=request_rejudging(workspace, actor=person.id).id)


@router.get("/retention")
def get_retention(workspace: WorkspaceHere) -> RetentionView:
    """Which images are due by the setting `retention_days`, and which were removed."""
    return RetentionView.model_validate(retention(workspace))


@router.post("/retention/remove")
def post_remove(workspace: WorkspaceHere, person: PersonHere, _body: Nothing) -> RetentionReportView:
    """Delete the images that are due now; it cannot be undone. Annotations, effort, audit and history of their cases stay."""
    return RetentionReportView.model_validate(remove_due(workspace, actor=person.id))
