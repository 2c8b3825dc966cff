"""Whether the cases that come in are still like those that the model in use was judged on."""

from typing import Annotated

from fastapi import APIRouter, Query

from medloop.core.errors import InputError, SettingError
from medloop.core.names import MAX_NAME
from medloop.loop.data.model_statistics import imported_drift
from medloop.loop.judging.adaptations import request_adaptation
from medloop.loop.judging.drift import drift_report
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.drift_views import AdaptBody, DriftReportView, DriftResult
from medloop.server.wire.project_views import JobRef

AT_A_LOOK = 40
"""Images that are read for one request, on each side: about the time that somebody waits."""

router = APIRouter(prefix="/projects/{project}", tags=["projects"])


@router.get("/drift")
def get_drift(
    workspace: WorkspaceHere,
    by: Annotated[str, Query(max_length=MAX_NAME, description="Column that makes groups, such as scanner; all for one group.")] = "",
    since: Annotated[str, Query(max_length=10, description="Only cases added on this day (2026-11-30) or later.")] = "",
) -> DriftResult:
    """The unlabelled cases against those that the model in use was judged on, group by group, with the verdicts; or why not yet."""
    imported = imported_drift(workspace, since=since, most=AT_A_LOOK)
    try:
        found = drift_report(workspace, by=by, since=since, most=AT_A_LOOK)
        return DriftResult(found=DriftReportView.model_validate(found), reason="", remedy="", imported=imported)
    except SettingError:
        raise
    except InputError as error:  # no model, or nothing to compare: a state of the project, not a mistake of the caller
        return DriftResult(found=None, reason=error.message, remedy=error.remedy, imported=imported)


@router.post("/adapt")
def post_adapt(workspace: WorkspaceHere, person: PersonHere, body: AdaptBody) -> JobRef:
    """Have the worker adapt the model in use to the unlabelled cases of one group; what comes of it is a candidate, never in use."""
    return JobRef(job_id=request_adaptation(workspace, by=body.by, value=body.value, way=body.way, actor=person.id).id)
