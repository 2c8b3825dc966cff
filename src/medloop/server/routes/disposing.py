"""A stream in production: what was decided about the cases that arrived, and what a lead does about it."""

from fastapi import APIRouter

from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying.recalling import recall_accepted, renew_rule
from medloop.server.web.site import PersonHere, WorkspaceHere
from medloop.server.wire.stream_views import RecallBody, RecalledView, StreamStandingView, WhyBody, stream_view

router = APIRouter(prefix="/projects/{project}/dispositions", tags=["work"])


@router.get("")
def get_dispositions(workspace: WorkspaceHere) -> StreamStandingView:
    """What the stream decided, by which rule with which coverage-risk curve, what its audit found, and the cases decided last."""
    return stream_view(stream_standing(workspace))


@router.post("/renew")
def post_renew(workspace: WorkspaceHere, person: PersonHere, body: WhyBody) -> StreamStandingView:
    """Have the rule made anew when the next case arrives, on all patients evaluated by then; lifts an alarm."""
    renew_rule(workspace, why=body.why, actor=person.id)
    return stream_view(stream_standing(workspace))


@router.post("/recall")
def post_recall(workspace: WorkspaceHere, person: PersonHere, body: RecallBody) -> RecalledView:
    """Have people read the accepted cases that nobody has read so far."""
    return RecalledView(cases=len(recall_accepted(workspace, why=body.why, actor=person.id, model_index=body.model)))
