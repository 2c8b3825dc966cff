"""Gold cases: make them, take them out of use, feedback on them, and how people do."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from medloop.loop.annotating.gold import add_gold, admit, withdraw_gold
from medloop.loop.annotating.gold_feedback import feedback_picture, gold_feedback
from medloop.loop.overview.gold_standing import gold_standing
from medloop.server.web.site import PersonHere, ReviewedAssignment, WorkspaceHere
from medloop.server.wire.gold_views import AdmitBody, FeedbackView, GoldStandingView
from medloop.server.wire.schemas import Id, Nothing

router = APIRouter(prefix="/projects/{project}", tags=["gold"])
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/svg+xml": {}}, "description": "The slice of the largest difference; the truth, and dashed what was given."}
}


@router.get("/gold")
def get_gold(workspace: WorkspaceHere) -> GoldStandingView:
    """The gold cases, and what each person makes of them."""
    return GoldStandingView.model_validate(gold_standing(workspace))


@router.post("/gold/admit")
def post_admit(workspace: WorkspaceHere, person: PersonHere, body: AdmitBody) -> GoldStandingView:
    """Let somebody begin real work without the tutorial, or after one that they did not pass."""
    admit(workspace, body.annotator, actor=person.id)
    return get_gold(workspace)


@router.post("/cases/{case}/gold")
def post_gold(workspace: WorkspaceHere, case: Id, person: PersonHere, _body: Nothing) -> GoldStandingView:
    """Make the annotation in force of a case the truth that people are held against."""
    add_gold(workspace, case, annotator_id=person.id)
    return get_gold(workspace)


@router.post("/cases/{case}/gold/withdraw")
def post_withdraw_gold(workspace: WorkspaceHere, case: Id, person: PersonHere, _body: Nothing) -> GoldStandingView:
    """Take a gold case out of use; scores on it no longer count."""
    withdraw_gold(workspace, case, annotator_id=person.id)
    return get_gold(workspace)


@router.get("/assignments/{assignment}/feedback")
def get_feedback(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> FeedbackView:
    """What came of a gold case, once it is submitted; 404 for real work."""
    return FeedbackView.model_validate(gold_feedback(workspace, assignment))


@router.get("/assignments/{assignment}/feedback/picture", response_class=Response, responses=_PICTURE)
def get_feedback_picture(workspace: WorkspaceHere, assignment: ReviewedAssignment) -> Response:
    """The slice on which a gold reading and the truth differ most, as SVG: the truth, and dashed what was given."""
    return Response(str(feedback_picture(workspace, assignment)), media_type="image/svg+xml")
