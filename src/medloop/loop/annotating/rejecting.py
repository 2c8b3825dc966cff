"""Reject the proposal of a case without correcting it: the other way in which a check of a proposal may end.

A proposal that is right is submitted as it is, and becomes an annotation. One that is not is rejected in one gesture: the rejection is a
record of its own kind, from which nothing is learned voxel by voxel. Until the case is annotated its predictions are no pseudo-labels,
and the next queries begin with it (`medloop.loop.querying.rejected`); the chance that further proposals are accepted falls
(`medloop.loop.querying.kind_costs`).
"""

import numpy as np

from medloop.core.errors import ConflictError, StateError
from medloop.core.records import EVALUATION_SPLITS, Annotation, AnnotationOrigin, Annotator, Assignment, new_id, now
from medloop.loop.annotating.annotations import require_known_revision
from medloop.loop.annotating.gold import require_no_tutorial
from medloop.loop.annotating.open_edit import OpenEdit, load_edit, require_open
from medloop.loop.foundation.blinding import is_hidden, own_annotation
from medloop.loop.foundation.effort_log import UNKNOWN_EFFORT, Reported, checked_report, record_effort
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import is_reviewing
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


def reject_proposal(workspace: Workspace, assignment_id: str, *, effort: Reported = UNKNOWN_EFFORT) -> Annotation:
    """Finish an open assignment by rejecting its proposal; the case is queried again, before others.

    Raises:
        StateError: A classification, no proposal, a case that evaluates, one of a tutorial, a review, a closed assignment, or a case that
            is annotated.
        ConflictError: The draft holds edits, which a rejection would leave behind.
        InputError: An effort out of range.
    """
    checked_report(effort)
    if workspace.task.kind != "segmentation":
        raise StateError("The proposal of a mask is rejected, this project is a classification", remedy="submit the right class")
    with workspace.store.read() as tx:
        edit = load_edit(tx, require_open(tx.get(Assignment, assignment_id)), workspace.store.blobs)
        _require_rejectable(tx, edit)
    if edit.patches and not np.array_equal(edit.draft().mask, edit.begun):
        raise ConflictError("The proposal was corrected, and a rejection would leave that behind", remedy="submit it, or undo its edits")
    annotator_id = edit.assignment.annotator_id
    with workspace.store.write(annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        require_known_revision(assignment, edit.assignment.revision)
        _require_rejectable(tx, edit)  # somebody may have annotated the case in between
        earlier = [a for a in tx.rejections() if a.case_id == assignment.case_id and a.annotator_id == annotator_id]
        made = Annotation(
            id=new_id("annotation"),
            case_id=assignment.case_id,
            task_id=workspace.task.id,
            annotator_id=annotator_id,
            kind="rejected",
            origin=_origin(tx, assignment),
            assignment_id=assignment.id,
            proposal_id=assignment.proposal_id,
            supersedes=earlier[-1].id if earlier else None,
            effort_seconds=record_effort(tx, assignment, effort),
            created_at=now(),
            began_with="prediction",
        )
        tx.add(made, verb="reject")
        tx.change(Assignment, assignment_id, verb="submit", fields={"state": "submitted", "closed_at": now()})
    after_annotation(workspace, made.case_id)
    return made


def _origin(tx: Reader, assignment: Assignment) -> AnnotationOrigin:
    if assignment.gold_id is not None:  # taken as of any other case, so that nobody knows a gold case by a refusal, and counts nowhere
        return "gold"
    return "simulated" if tx.get(Annotator, assignment.annotator_id).kind == "simulated" else "human"


def _require_rejectable(tx: Reader, edit: OpenEdit) -> None:
    assignment, case = edit.assignment, edit.case
    if is_reviewing(assignment):
        raise StateError("This case is open as its reviewer: its draft is a decision and no reading", remedy="adjudicate with it")
    require_no_tutorial(tx, assignment)
    if case.split in EVALUATION_SPLITS and assignment.gold_id is None:
        rule = f"A rejected proposal leaves a case to be queried again, and {case.name} is a {case.split} case"
        raise StateError(rule, remedy="annotate the whole mask")
    if assignment.proposal_id is None or assignment.began_with not in (None, "prediction"):
        raise StateError("There is no proposal to reject: this draft does not begin with one", remedy="annotate the case, or skip it")
    if assignment.gold_id is not None:
        return
    if own_annotation(tx, case.id, assignment.annotator_id) is None and is_hidden(tx, case.id, assignment.annotator_id):
        return  # that others have annotated it is nothing to tell who reads it blind; a rejection lifts no annotated case
    if own_annotation(tx, case.id, assignment.annotator_id) is not None or standing_annotation(tx, case.id) is not None:
        raise StateError("This case is annotated, and a rejection says less", remedy="correct the annotation instead")
