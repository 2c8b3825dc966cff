"""Marks in place of a mask: what somebody gave of an open case before, and finishing the case with them."""

from fastapi import APIRouter

from medloop.core.records import Annotation, Assignment
from medloop.interaction.weak.marks import mark_from_json, mark_to_json
from medloop.loop.annotating.marking import SubmittedMarks, earlier_marks, submit_marks
from medloop.loop.foundation.marked import load_marks
from medloop.server.web.site import OwnAssignment, WorkspaceHere
from medloop.server.wire.mark_views import MarksBody, MarksView
from medloop.server.wire.project_views import SubmittedView
from medloop.server.wire.schemas import reported

router = APIRouter(prefix="/projects/{project}/assignments/{assignment}/marks", tags=["marks"])


@router.get("")
def get_marks(workspace: WorkspaceHere, assignment: OwnAssignment) -> MarksView:
    """One's own marks of the case in force, to go on from; an empty list where there are none."""
    with workspace.store.read() as tx:
        opened = tx.get(Assignment, assignment)
        found = earlier_marks(tx, opened.case_id, opened.annotator_id)
        given = tx.get(Annotation, found) if found else None
    marks = load_marks(workspace.store.blobs, given) if given else ()
    return MarksView(annotation_id=given.id if given else None, marks=[mark_to_json(mark) for mark in marks])


@router.post("")
def post_marks(workspace: WorkspaceHere, assignment: OwnAssignment, body: MarksBody) -> SubmittedView:
    """Finish with marks in place of a mask; they replace one's own earlier ones, and the case may be queried again."""
    given = SubmittedMarks(
        marks=[mark_from_json(mark) for mark in body.marks],
        reported=reported(body.effort, body.effort_seconds),
        annotated=body.annotated,
        task_version=body.task_version,
    )
    made = submit_marks(workspace, assignment, given)
    return SubmittedView(annotation_id=made.id, next=True, gold=False)
