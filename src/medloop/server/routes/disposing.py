"""A stream in production: what was decided about the cases that arrived, and what a lead does about it."""

from dataclasses import replace

from fastapi import APIRouter

from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.stream_standing import stream_standing
from medloop.loop.querying.recalling import recall_accepted, renew_rule
from medloop.server.web.site import PersonHere, Viewer, ViewerHere, WorkspaceHere
from medloop.server.wire.stream_views import RecallBody, RecalledView, StreamStandingView, WhyBody, stream_view

router = APIRouter(prefix="/projects/{project}/dispositions", tags=["work"])


@router.get("")
def get_dispositions(workspace: WorkspaceHere, viewer: ViewerHere) -> StreamStandingView:
    """What the stream decided, by which rule with which coverage-risk curve, what its audit found, and the cases decided last."""
    return _seen(workspace, viewer)


@router.post("/renew")
def post_renew(workspace: WorkspaceHere, viewer: ViewerHere, person: PersonHere, body: WhyBody) -> StreamStandingView:
    """Have the rule made anew when the next case arrives, on all patients evaluated by then; lifts an alarm."""
    renew_rule(workspace, why=body.why, actor=person.id)
    return _seen(workspace, viewer)


@router.post("/recall")
def post_recall(workspace: WorkspaceHere, person: PersonHere, body: RecallBody) -> RecalledView:
    """Have people read the accepted cases that nobody has read so far."""
    return RecalledView(cases=len(recall_accepted(workspace, why=body.why, actor=person.id, model_index=body.model)))


def _seen(workspace: Workspace, viewer: Viewer) -> StreamStandingView:
    """The stream as somebody may see it: a gold case that may still come to them is like one that nobody has annotated."""
    with workspace.store.read() as tx:
        unread = viewer.unread(tx)
    found = stream_standing(workspace)
    return stream_view(
        replace(found, cases=tuple(replace(one, annotated=one.annotated and one.case_id not in unread) for one in found.cases))
    )
