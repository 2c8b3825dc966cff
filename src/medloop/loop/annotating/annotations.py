"""Ask and be answered: hand out the next case, take masks and tags, skip and flag.

A case is open for one annotator at a time within a round. An answer never changes: a second one by the
same person supersedes the first. Answers and their events commit together; only then is training woken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError, ShapeError, StateError
from medloop.core.image import Mask
from medloop.core.names import one_line
from medloop.core.records import Annotation, Assignment, Case, Prediction, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.drafts import own_answer, read_draft, require_open
from medloop.loop.annotating.opening import go_on, open_assignment
from medloop.loop.annotating.provenance import provenance_of
from medloop.loop.annotating.replacing import Submitted, origin_of, replaced_by
from medloop.loop.annotating.withdrawing import withdraw_case
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.label_versions import version_seen
from medloop.loop.foundation.partial_annotations import Part, answered_voxels, encode_partial
from medloop.loop.foundation.round_moves import after_answer
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.parts import queried_parts
from medloop.loop.querying.rounds import Asked, next_choice
from medloop.store.reader import Reader

MAX_EFFORT_SECONDS = 24 * 3600.0
MAX_REASON = 500


@dataclass(frozen=True)
class Opened:
    """A case in front of an annotator.

    Attributes:
        prediction: The proposal drawn on it; None when no model has seen it yet.
        annotation: The annotation of the case in force, whoever gave it; the draft of a case opened now begins with it.
    """

    assignment: Assignment
    case: Case
    prediction: Prediction | None
    annotation: Annotation | None


def next_assignment(workspace: Workspace, annotator_id: str) -> Opened | None:
    """The case worth most of this annotator's time now; None when everything is answered or skipped.

    An assignment left open (closed page, crash) comes back first, with its draft.
    """
    while (asked := next_choice(workspace, annotator_id)) is not None:
        opened = _take(workspace, asked, annotator_id)
        if opened is not None:
            return opened
    return None


def open_case(workspace: Workspace, case_id: str, annotator_id: str) -> Opened:
    """Open one chosen case, for a first answer or to correct an earlier one; a draft of one's own comes back.

    Raises:
        NotFoundError: No such case.
    """
    with workspace.store.write(annotator_id) as tx:
        case = tx.get(Case, case_id)
        mine = tx.find(Assignment, where={"case_id": case_id, "annotator_id": annotator_id, "state": "open"}, limit=1)
        assignment = (
            go_on(workspace, tx, mine[0], case)
            if mine
            else open_assignment(workspace, tx, case, annotator_id, None, "chosen from the worklist")
        )
        return _opened(tx, assignment, case)


def submit_mask(
    workspace: Workspace,
    assignment_id: str,
    *,
    revision: int | None = None,
    mask: MaskArray | None = None,
    effort_seconds: float = 0.0,
    replace: bool = False,
    independent: bool = False,
    task_version: int | None = None,
    whole: bool = False,
) -> Annotation:
    """Finish an assignment with its draft, or with a whole mask made elsewhere; of one that was queried in parts, these count.

    Args:
        workspace: The project.
        assignment_id: An open assignment.
        revision: The draft's revision as the page knows it; None skips the check.
        mask: Shape (I, J, K) of the case, uint8; None submits the draft.
        effort_seconds: Active time spent, without pauses.
        replace: Replace an annotation that somebody else gave, knowingly; see `medloop.loop.annotating.replacing`.
        independent: A mask made elsewhere owes nothing to the proposal that was shown; see `medloop.loop.annotating.independence`.
        task_version: The version of the task that the annotator saw; see `medloop.loop.foundation.label_versions`.
        whole: All of the mask counts, though only parts of the case were queried.

    Raises:
        ConflictError: The draft has another revision.
        StateError: The assignment is closed.
        ReplacesError: Another annotation stands, and `replace` is off.
        ShapeError: The mask is not the case's shape.
        LabelError: Values that the task does not know.
    """
    _require_kind(workspace, "segmentation")
    elsewhere = mask is not None
    with workspace.store.read() as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        case, parts = tx.get(Case, assignment.case_id), () if whole else queried_parts(tx, assignment)
    if parts:
        return submit_partial(
            workspace, assignment_id, parts=parts, revision=revision, mask=mask, effort_seconds=effort_seconds, task_version=task_version
        )
    revision, mask = _mask_or_draft(workspace, assignment, revision, mask)
    blob = workspace.store.blobs.put(encode_mask(checked_mask(workspace, case, mask)))
    how = Submitted("mask", blob, mask=mask, elsewhere=elsewhere, independent=independent, replace=replace, task_version=task_version)
    return _submit(workspace, assignment_id, revision, how, effort_seconds)


def submit_partial(
    workspace: Workspace,
    assignment_id: str,
    *,
    parts: Sequence[Part],
    revision: int | None = None,
    mask: MaskArray | None = None,
    effort_seconds: float = 0.0,
    task_version: int | None = None,
) -> Annotation:
    """Finish an assignment with an answer to some slices or boxes only; the case may be asked again.

    Args:
        workspace: The project.
        assignment_id: An open assignment.
        parts: What is answered; background inside them is an answer, everything outside stays unknown.
        revision: As in `submit_mask`.
        mask: As in `submit_mask`; only what lies inside the parts is kept.
        effort_seconds: As in `submit_mask`.
        task_version: As in `submit_mask`.

    Raises:
        ConflictError: The draft has another revision.
        StateError: The assignment is closed, or this annotator has answered the whole case.
        InputError: No parts, or parts outside the image.
        ShapeError: The mask is not the case's shape.
        LabelError: Values that the task does not know.
    """
    _require_kind(workspace, "segmentation")
    elsewhere = mask is not None
    with workspace.store.read() as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        case = tx.get(Case, assignment.case_id)
        if own_answer(tx, case.id, assignment.annotator_id) is not None:
            raise StateError("You have answered this whole case already", remedy="correct the whole mask instead")
    revision, mask = _mask_or_draft(workspace, assignment, revision, mask)
    whole = mask
    if mask.shape == case.grid.shape:
        mask = np.where(answered_voxels(parts, case.grid.shape), mask, np.uint8(0))
    blob = workspace.store.blobs.put(encode_partial(checked_mask(workspace, case, mask), parts))
    how = Submitted("partial", blob, mask=whole, elsewhere=elsewhere, task_version=task_version)
    return _submit(workspace, assignment_id, revision, how, effort_seconds)


def submit_tag(
    workspace: Workspace,
    assignment_id: str,
    *,
    tag: int,
    effort_seconds: float = 0.0,
    replace: bool = False,
    independent: bool = False,
    task_version: int | None = None,
) -> Annotation:
    """Finish an assignment of a classification.

    Args:
        workspace: The project.
        assignment_id: An open assignment.
        tag: The label's value.
        effort_seconds: As in `submit_mask`.
        replace: As in `submit_mask`.
        independent: The tag was given without sight of the proposed class.
        task_version: As in `submit_mask`.

    Raises:
        StateError: The assignment is closed, or the task is a segmentation.
        ReplacesError: As in `submit_mask`.
        LabelError: A tag that the task does not know.
    """
    _require_kind(workspace, "classification")
    if tag not in workspace.task.label_values:
        raise LabelError(f"Unknown tag {tag}", remedy=f"use one of {list(workspace.task.label_values)}")
    how = Submitted("tag", tag=tag, independent=independent, replace=replace, task_version=task_version)
    return _submit(workspace, assignment_id, None, how, effort_seconds)


def _mask_or_draft(
    workspace: Workspace, assignment: Assignment, revision: int | None, mask: MaskArray | None
) -> tuple[int | None, MaskArray]:
    """The given mask, or the draft and its revision."""
    _require_revision(assignment, revision)
    if mask is not None:
        return revision, mask
    draft = read_draft(workspace, assignment.id)
    return draft.revision if revision is None else revision, draft.mask


def skip_case(workspace: Workspace, assignment_id: str, *, reason: str) -> Assignment:
    """Close an assignment without an answer; the case is not asked again in this project.

    Annotations that the case has are withdrawn: they stay in the history, and a new one brings the case back.
    """
    return _close(workspace, assignment_id, "skipped", "skip", reason)


def flag_case(workspace: Workspace, assignment_id: str, *, reason: str) -> Assignment:
    """Close an assignment and mark its case for someone to look at (bad image, wrong patient); withdraws as `skip_case`."""
    return _close(workspace, assignment_id, "flagged", "flag", reason)


def checked_reason(reason: str) -> str:
    """A reason as one line that prints.

    Raises:
        InputError: Empty or over-long.
    """
    cleaned = one_line(reason)
    if not cleaned or len(cleaned) > MAX_REASON:
        raise InputError(f"Give a reason of 1 to {MAX_REASON} characters, got {len(cleaned)}")
    return cleaned


def checked_mask(workspace: Workspace, case: Case, mask: MaskArray) -> MaskArray:
    """The mask, if it fits the case and the task.

    Raises:
        ShapeError: Another shape or dtype.
        LabelError: Unknown values.
    """
    if mask.shape != case.grid.shape:
        raise ShapeError(f"The mask of {case.name} must have shape {case.grid.shape}, got {mask.shape}")
    Mask(mask, case.grid).require_labels(workspace.task.label_values, f"The mask of {case.name}")
    return mask


def _take(workspace: Workspace, asked: Asked, annotator_id: str) -> Opened | None:
    """Open what was asked, unless somebody was faster."""
    with workspace.store.write(annotator_id) as tx:
        case = tx.get(Case, asked.case_id)
        if asked.assignment_id is not None:
            return _opened(tx, go_on(workspace, tx, tx.get(Assignment, asked.assignment_id), case), case)
        taken = tx.count(Assignment, where={"case_id": case.id, "state": "open"})
        if taken or tx.current_annotations(case_ids=[case.id]):
            return None
        return _opened(tx, open_assignment(workspace, tx, case, annotator_id, asked.round_id, asked.reason), case)


def _opened(tx: Reader, assignment: Assignment, case: Case) -> Opened:
    prediction = tx.get(Prediction, assignment.proposal_id) if assignment.proposal_id else None
    return Opened(assignment, case, prediction, standing_annotation(tx, case.id))


def _submit(workspace: Workspace, assignment_id: str, revision: int | None, how: Submitted, effort_seconds: float) -> Annotation:
    if not 0.0 <= effort_seconds <= MAX_EFFORT_SECONDS:
        raise InputError(f"Effort lies between 0 and {MAX_EFFORT_SECONDS:.0f} seconds, got {effort_seconds:g}")
    with workspace.store.read() as tx:
        annotator_id = tx.get(Assignment, assignment_id).annotator_id
    annotation_id = new_id("annotation")
    origin = origin_of(workspace, assignment_id, how)
    made = provenance_of(workspace, assignment_id, how.mask, annotation_id) if how.mask is not None else None
    with workspace.store.write(annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        _require_revision(assignment, revision)
        annotation = Annotation(
            id=annotation_id,
            case_id=assignment.case_id,
            task_id=version_seen(tx, workspace.task, assignment.opened_at, how.task_version, how.values).id,
            annotator_id=annotator_id,
            kind=how.kind,
            blob=how.blob,
            tag=how.tag,
            origin=origin.origin,
            assignment_id=assignment.id,
            proposal_id=origin.proposal_id,
            supersedes=replaced_by(tx, assignment, how),
            effort_seconds=float(effort_seconds),
            created_at=now(),
            began_with=origin.began_with,
            untouched=origin.untouched,
        )
        tx.add(annotation, verb="submit")
        if made is not None:
            tx.add(made, verb="trace")
        tx.change(Assignment, assignment_id, verb="submit", fields={"state": "submitted", "closed_at": now()})
    after_answer(workspace)
    return annotation


def _close(workspace: Workspace, assignment_id: str, state: str, verb: str, reason: str) -> Assignment:
    cleaned = checked_reason(reason)
    with workspace.store.read() as tx:
        annotator_id = tx.get(Assignment, assignment_id).annotator_id
    with workspace.store.write(annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        withdraw_case(tx, assignment, "skipped" if verb == "skip" else "flagged", cleaned)
        closed = tx.change(Assignment, assignment_id, verb=verb, fields={"state": state, "reason": cleaned, "closed_at": now()})
    after_answer(workspace)
    return closed


def _require_kind(workspace: Workspace, kind: str) -> None:
    if workspace.task.kind != kind:
        raise StateError(f"This project asks for a {workspace.task.kind}, the answer is one of a {kind}")


def _require_revision(assignment: Assignment, revision: int | None) -> None:
    if revision is not None and revision != assignment.revision:
        raise ConflictError(
            f"The draft is at revision {assignment.revision}, the page knows {revision}",
            remedy="read the draft again before submitting",
        )
