"""Take annotations out of use: with their case, by flagging or skipping it, or one of them by undoing its submission.

A withdrawn annotation stays in the history; training, evaluation, export and every count leave it out. A new annotation brings
the case back.
"""

import numpy as np

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import ConflictError, StateError
from medloop.core.records import Annotation, Assignment, TakenBack, Withdrawal, new_id, now
from medloop.images.encode import decode_mask
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.drafts import append_patch
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.partial_annotations import load_partial
from medloop.loop.foundation.readings import DERIVED, readings_due
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.writer import Writer


def withdraw_case(tx: Writer, assignment: Assignment, verb: TakenBack, reason: str) -> int:
    """Withdraw every annotation of an assignment's case, whoever gave it; returns how many.

    Where several people read the case and others have, skipping it is declining one's own reading: theirs stay.
    """
    taken = {w.annotation_id for w in tx.find(Withdrawal, where={"case_id": assignment.case_id})}
    left = [a for a in tx.find(Annotation, where={"case_id": assignment.case_id}) if a.id not in taken]
    if verb == "skipped" and readings_due(tx, assignment.case_id) > 1 and _others_read(tx, assignment):
        left = [a for a in left if a.annotator_id == assignment.annotator_id and a.origin not in DERIVED]
    for annotation in left:
        _withdraw(tx, annotation, assignment, verb, reason)
    return len(left)


def _others_read(tx: Reader, assignment: Assignment) -> bool:
    given = tx.current_annotations(case_ids=[assignment.case_id])
    return any(a.annotator_id != assignment.annotator_id for a in given if a.origin not in DERIVED)


def undo_submit(workspace: Workspace, assignment_id: str) -> Assignment:
    """Take a submission back: its annotation is withdrawn, what stood before stands again, and its draft is open again.

    Raises:
        StateError: It was not submitted, or its annotation was withdrawn already.
        ConflictError: The same person has annotated or edited the case since.
    """
    runs = _runs_to_submitted(workspace, assignment_id)
    annotator_id = workspace.store.get(Assignment, assignment_id).annotator_id
    with workspace.store.write(annotator_id) as tx:
        assignment = tx.get(Assignment, assignment_id)
        annotation = _undoable(tx, assignment)
        _release_reopened(tx, assignment)
        _withdraw(tx, annotation, assignment, "undone", "submission undone")
        opened = tx.change(Assignment, assignment_id, verb="undo", fields={"state": "open", "closed_at": None})
        if runs:
            append_patch(tx, opened, runs, verb="undo")
            opened = tx.get(Assignment, assignment_id)
    after_annotation(workspace)
    follow_up(workspace)  # a case that comes back to the pool may lack the prediction of the model in use
    return opened


def _withdraw(tx: Writer, annotation: Annotation, assignment: Assignment, verb: TakenBack, reason: str) -> None:
    withdrawal = Withdrawal(
        id=new_id("withdrawal"),
        annotation_id=annotation.id,
        case_id=annotation.case_id,
        annotator_id=assignment.annotator_id,
        verb=verb,
        reason=reason,
        assignment_id=assignment.id,
        created_at=now(),
    )
    tx.add(withdrawal, verb="withdraw")


def _undoable(tx: Reader, assignment: Assignment) -> Annotation:
    """The annotation that an assignment made, if it may be taken back."""
    if assignment.gold_id is not None:
        raise StateError("This was a gold case, and its truth has been shown", remedy="go on with the next case")
    annotation = _made(tx, assignment) if assignment.state == "submitted" else None
    if annotation is None:
        raise StateError(f"This assignment is {assignment.state}: there is no submission to undo", remedy="open the case to correct it")
    mine = tx.find(Annotation, where={"case_id": assignment.case_id, "annotator_id": assignment.annotator_id})
    if mine[-1].id != annotation.id:
        raise ConflictError("You have annotated this case again since", remedy="undo the later submission, or open the case")
    return annotation


def _made(tx: Reader, assignment: Assignment) -> Annotation | None:
    """The newest annotation of an assignment, unless it was withdrawn."""
    made = tx.find(Annotation, where={"assignment_id": assignment.id})
    gone = tx.count(Withdrawal, where={"annotation_id": made[-1].id}) if made else 0
    return made[-1] if made and not gone else None


def _release_reopened(tx: Writer, assignment: Assignment) -> None:
    """Give back what the same person opened of the case since; an edit there comes first."""
    where = {"case_id": assignment.case_id, "annotator_id": assignment.annotator_id, "state": "open"}
    for again in tx.find(Assignment, where=where):
        if again.revision:
            raise ConflictError("You have opened this case again and changed it", remedy="submit or discard that draft first")
        tx.change(Assignment, again.id, verb="release", fields={"state": "released", "closed_at": now()})


def _runs_to_submitted(workspace: Workspace, assignment_id: str) -> tuple[tuple[int, int, int], ...]:
    """What leads from the draft to the mask that was submitted in its stead; nothing for a draft or a tag."""
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
        made = _made(tx, edit.assignment)
    if made is None or made.kind == "tag" or made.blob is None or made.began_with != "elsewhere":
        return ()
    draft = edit.draft().mask
    if made.kind == "partial":
        _, mask = load_partial(workspace.store.blobs, made, edit.case)
        return runs_between(draft, np.where(mask == UNKNOWN, draft, mask))
    return runs_between(draft, decode_mask(workspace.store.blobs.get(made.blob), edit.case.grid.shape))
