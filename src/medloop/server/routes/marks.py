"""Marks in place of a mask: what somebody gave of an open case before, and finishing the case with them."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from medloop.core.records import Annotation, Assignment
from medloop.interaction.weak.marks import mark_from_json, mark_to_json
from medloop.interaction.weak.superpixels import superpixels_of
from medloop.loop.annotating.marking import SubmittedMarks, earlier_marks, submit_marks
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.marked import load_marks
from medloop.server.web.site import CaseHere, OwnAssignment, WorkspaceHere
from medloop.server.wire.mark_views import MarksBody, MarksView, SuperpixelsView
from medloop.server.wire.project_views import SubmittedView
from medloop.server.wire.schemas import reported

router = APIRouter(prefix="/projects/{project}", tags=["marks"])
SliceNumber = Annotated[int, Query(ge=0, description="Of the slice along the axis, from 0.")]


@router.get("/assignments/{assignment}/marks")
def get_marks(workspace: WorkspaceHere, assignment: OwnAssignment) -> MarksView:
    """One's own marks of the case in force, to go on from; an empty list where there are none."""
    with workspace.store.read() as tx:
        opened = tx.get(Assignment, assignment)
        found = earlier_marks(tx, opened.case_id, opened.annotator_id)
        given = tx.get(Annotation, found) if found else None
    marks = load_marks(workspace.store.blobs, given) if given else ()
    return MarksView(annotation_id=given.id if given else None, marks=[mark_to_json(mark) for mark in marks])


@router.post("/assignments/{assignment}/marks")
def post_marks(workspace: WorkspaceHere, assignment: OwnAssignment, body: MarksBody) -> SubmittedView:
    """Finish with marks in place of a mask; they replace one's own earlier ones, and the case may be queried again."""
    given = SubmittedMarks(
        marks=[mark_from_json(mark) for mark in body.marks],
        reported=reported(body.effort, body.effort_seconds),
        annotated=body.annotated,
        task_version=body.task_version,
    )
    made = submit_marks(workspace, assignment, given)
    return SubmittedView(annotation_id=made.id, next=True, gold=made.origin == "gold")


@router.get("/cases/{case}/superpixels")
def get_superpixels(
    workspace: WorkspaceHere,
    case: CaseHere,
    axis: Annotated[int, Query(ge=0, le=2, description="Which axis of the file the slice is perpendicular to.")],
    index: SliceNumber,
) -> SuperpixelsView:
    """The superpixels of one slice: which one each voxel lies in, always the same for an image."""
    numbers = superpixels_of(load_image(workspace.store.blobs, case).array, case.grid, axis=axis, index=index)
    flat = numbers.ravel(order="F")
    begins = np.flatnonzero(np.diff(flat, prepend=0))
    runs = zip(flat[begins].tolist(), np.diff(begins, append=len(flat)).tolist(), strict=True)
    return SuperpixelsView(axis=axis, index=index, runs=list(runs))
