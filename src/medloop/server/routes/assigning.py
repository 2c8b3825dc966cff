"""Give cases to people, or take them back."""

from fastapi import APIRouter

from medloop.loop.querying.assigning import Assigned, assign_cases, unassign_cases
from medloop.server.routes.reviewing import annotator_here
from medloop.server.web.site import PersonHere, SiteHere, WorkspaceHere
from medloop.server.wire.case_views import AssignBody, AssignedView, UnassignedCaseView

router = APIRouter(prefix="/projects/{project}", tags=["assigning"])


@router.post("/assign")
def post_assign(site: SiteHere, workspace: WorkspaceHere, person: PersonHere, body: AssignBody) -> AssignedView:
    """Give cases to somebody, to whom they are handed out first; without a name, take them back from everybody."""
    if body.annotator is None:
        return _shown(unassign_cases(workspace, body.case_ids, actor=person.id))
    return _shown(assign_cases(workspace, body.case_ids, annotator_here(site, workspace, body.annotator), actor=person.id))


def _shown(found: Assigned) -> AssignedView:
    return AssignedView(cases=found.cases, left=[UnassignedCaseView(case=name, why=why) for name, why in found.left])
