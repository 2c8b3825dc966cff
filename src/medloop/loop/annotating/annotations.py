"""Ask and be answered: hand out the next case, take masks and tags, skip and flag.

A case is open for one annotator at a time within a round. An answer never changes: a second one by the
same person supersedes the first. Answers and their events commit together; only then is training woken.
"""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import BlobError, ConflictError, InputError, LabelError, ShapeError, StateError
from medloop.core.image import Mask, label_values
from medloop.core.names import one_line
from medloop.core.records import Annotation, Assignment, Case, Prediction, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.gold import Held, gold_of, hold, keep_reading, require_admitted, require_no_tutorial
from medloop.loop.annotating.open_edit import OpenEdit, load_edit, require_open
from medloop.loop.annotating.opening import go_on, open_assignment, open_gold, require_same_purpose
from medloop.loop.annotating.provenance import provenance_of
from medloop.loop.annotating.replacing import origin_of, replaced_by, require_return_seen, source_of
from medloop.loop.annotating.submission import Submitted, annotated_in, annotated_mask
from medloop.loop.annotating.withdrawing import withdraw_case
from medloop.loop.foundation.anchoring import hidden_proposal
from medloop.loop.foundation.annotated_labels import require_only
from medloop.loop.foundation.blinding import own_annotation, seen_annotation
from medloop.loop.foundation.effort_log import UNKNOWN_EFFORT, Reported, checked_report, record_effort
from medloop.loop.foundation.gold import open_checks, unread_gold
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.label_versions import version_seen
from medloop.loop.foundation.named_frames import keep_names
from medloop.loop.foundation.partial_annotations import annotated_voxels, encode_partial
from medloop.loop.foundation.readings import REVIEWING, gold_in_force, is_reviewing
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.lacking import queried_label
from medloop.loop.querying.parts import queried_parts
from medloop.loop.querying.rounds import is_wanted, next_choice
from medloop.loop.querying.routing import NextChoice, note_routing
from medloop.store.reader import Reader

MAX_REASON = 500
CHOSEN = "chosen from the worklist"


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


def open_case(workspace: Workspace, case_id: str, annotator_id: str, *, reason: str = CHOSEN) -> Opened:
    """Open one chosen case, for a first answer or to correct an earlier one; a draft of one's own comes back.

    Args:
        workspace: The project.
        case_id: The case.
        annotator_id: Who opens it.
        reason: Why; with `REVIEWING` the draft begins with what stands, and is a reviewer's decision.

    Raises:
        NotFoundError: No such case.
        StateError: They have it open for the other purpose, with edits.
    """
    with workspace.store.write(annotator_id) as tx:
        case = tx.get(Case, case_id)
        mine = tx.find(Assignment, where={"case_id": case_id, "annotator_id": annotator_id, "state": "open"}, limit=1)
        if mine and require_same_purpose(tx, mine[0], reviewing=reason == REVIEWING):
            return _opened(tx, go_on(workspace, tx, mine[0], case), case)
        return _opened(tx, open_assignment(workspace, tx, case, annotator_id, None, reason), case)


def choose_case(workspace: Workspace, case_id: str, annotator_id: str, *, reviews: bool = False) -> Opened:
    """Open one chosen case to annotate it, as `open_case` does, once one's tutorial is over.

    A gold case that may still come to them opens as one: to them it looks like a case that nobody has annotated.

    Args:
        workspace: The project.
        case_id: The case.
        annotator_id: Who opens it.
        reviews: They may review: no tutorial holds them up, and gold cases open as what they are.

    Raises:
        NotFoundError: No such case.
        StateError: The tutorial is not over.
    """
    check = None if reviews else _check_of(workspace, case_id, annotator_id)
    taken = _take(workspace, check, annotator_id) if check else None
    return taken or open_case(workspace, case_id, annotator_id)


def _check_of(workspace: Workspace, case_id: str, annotator_id: str) -> NextChoice | None:
    """The check that a case is to somebody who has not got it open as one; a page that is loaded again in the tutorial goes on."""
    with workspace.store.read() as tx:
        if case_id in open_checks(tx, annotator_id):
            return None
        require_admitted(tx, annotator_id)
        gold = gold_in_force(tx, [case_id])[case_id] if case_id in unread_gold(tx, annotator_id) else None
    return NextChoice(case_id, None, CHOSEN, gold_id=gold.id) if gold else None


def submit(workspace: Workspace, assignment_id: str, submitted: Submitted) -> Annotation:
    """Finish an open assignment; of a case that was queried in parts, these count unless the submission is said to be whole.

    Raises:
        ConflictError: The draft has another revision.
        StateError: The assignment is closed, the task is of another kind, or for parts this annotator has answered the whole case.
        ReplacesError: Another annotation stands, and `replace` is off.
        ReturnedError: A reviewer returned the case to this annotator since they opened it.
        InputError: An effort out of range, no parts, or parts outside the image.
        ShapeError: The mask is not the case's shape.
        LabelError: Values that the task does not know, or a mask with a label that is called not annotated.
    """
    check_submitted(workspace, submitted)
    with workspace.store.read() as tx:
        edit = load_edit(tx, require_open(tx.get(Assignment, assignment_id)), workspace.store.blobs)
        if is_reviewing(edit.assignment):
            raise StateError("This case is open as its reviewer: its draft is a decision and no reading", remedy="adjudicate with it")
        gold = edit.assignment.gold_id is not None
        if submitted.parts is not None:
            require_no_tutorial(tx, edit.assignment)
        if submitted.parts is None and not submitted.whole and not gold:
            submitted = replace(submitted, parts=queried_parts(tx, edit.assignment) or None)
        if submitted.parts is not None and own_annotation(tx, edit.case.id, edit.assignment.annotator_id) is not None:
            raise StateError("You have annotated this whole case already", remedy="correct the whole mask instead")
        source = source_of(tx, edit)
    require_known_revision(edit.assignment, submitted.revision)
    annotated = annotated_in(workspace.task, edit, submitted)
    submitted = replace(submitted, annotated=annotated)
    draft = edit.draft() if submitted.kind != "tag" and submitted.mask is None else None
    mask, revision = (
        (annotated_mask(workspace.task, edit, draft.mask, annotated), draft.revision) if draft else (submitted.mask, submitted.revision)
    )
    blob = workspace.store.blobs.put(_encoded(workspace, edit.case, mask, submitted)) if mask is not None else None
    values = frozenset(label_values(mask)) - {0} | {*annotated} if mask is not None else frozenset({submitted.tag or 0})
    annotation_id, origin = new_id("annotation"), origin_of(source, submitted, mask)
    made = provenance_of(edit, mask, annotation_id) if mask is not None else None
    held = _held(workspace, edit, submitted, mask) if gold else None
    with workspace.store.write(edit.assignment.annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        require_known_revision(assignment, revision)
        require_return_seen(tx, assignment, submitted)
        annotation = Annotation(
            id=annotation_id,
            case_id=assignment.case_id,
            task_id=version_seen(tx, workspace.task, assignment.opened_at, submitted.task_version, values).id,
            annotator_id=assignment.annotator_id,
            kind=submitted.kind,
            blob=blob,
            tag=submitted.tag,
            origin="gold" if gold else origin.origin,
            assignment_id=assignment.id,
            proposal_id=origin.proposal_id,
            supersedes=None if gold else replaced_by(tx, assignment, submitted),
            effort_seconds=record_effort(tx, assignment, submitted.reported),
            created_at=now(),
            began_with=origin.began_with,
            untouched=origin.untouched,
            annotated=annotated,
        )
        tx.add(annotation, verb="submit")
        if made is not None:
            tx.add(made, verb="trace")
            keep_names(tx, assignment)
        if held is not None:
            keep_reading(tx, assignment, annotation, held)
        tx.change(Assignment, assignment_id, verb="submit", fields={"state": "submitted", "closed_at": now()})
    after_annotation(workspace, annotation.case_id)
    return annotation


def skip_case(workspace: Workspace, assignment_id: str, *, reason: str, effort: Reported = UNKNOWN_EFFORT) -> Assignment:
    """Close an assignment without an answer; the case is not asked again in this project.

    Annotations that the case has are withdrawn: they stay in the history, and a new one brings the case back. Of a case that was queried
    for a label that it lacks they stay in force: only that label is not queried of it again.
    """
    return _close(workspace, assignment_id, "skipped", "skip", reason, effort)


def flag_case(workspace: Workspace, assignment_id: str, *, reason: str, effort: Reported = UNKNOWN_EFFORT) -> Assignment:
    """Close an assignment and mark its case for someone to look at (bad image, wrong patient); withdraws as `skip_case`."""
    return _close(workspace, assignment_id, "flagged", "flag", reason, effort)


def report_effort(workspace: Workspace, assignment_id: str, reported: Reported) -> float:
    """Keep what a client knows of the work on an assignment, open or closed; the active seconds of all its sessions.

    Raises:
        InputError: A time or a count out of range.
    """
    with workspace.store.write(workspace.store.get(Assignment, assignment_id).annotator_id) as tx:
        return record_effort(tx, tx.get(Assignment, assignment_id), reported)


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
    Mask(mask, case.grid).require_labels(workspace.task.mask_values, f"The mask of {case.name}")
    return mask


def _held(workspace: Workspace, edit: OpenEdit, submitted: Submitted, mask: MaskArray | None) -> Held | None:
    """What a gold reading scores; None where its case went out of use meanwhile, or its truth cannot be read."""
    with workspace.store.read() as tx:
        gold = gold_of(tx, edit.assignment)
        truth = tx.get(Annotation, gold.annotation_id) if gold else None
    if truth is None:
        return None
    given = mask if mask is not None else submitted.tag or 0
    try:
        return hold(workspace, edit.case, given, truth, within=submitted.parts)
    except BlobError:
        return None


def _take(workspace: Workspace, asked: NextChoice, annotator_id: str) -> Opened | None:
    """Open what was asked, unless somebody was faster."""
    with workspace.store.write(annotator_id) as tx:
        case = tx.get(Case, asked.case_id)
        if asked.assignment_id is not None:
            return _opened(tx, go_on(workspace, tx, tx.get(Assignment, asked.assignment_id), case), case)
        if not is_wanted(tx, asked, annotator_id):
            return None
        if asked.gold_id is not None:
            return _opened(tx, open_gold(workspace, tx, case, annotator_id, asked.gold_id, asked.reason), case)
        assignment = open_assignment(workspace, tx, case, annotator_id, asked.round_id, asked.reason)
        note_routing(tx, assignment, asked)
        return _opened(tx, assignment, case)


def _opened(tx: Reader, assignment: Assignment, case: Case) -> Opened:
    prediction = tx.get(Prediction, assignment.proposal_id) if assignment.proposal_id else None
    if prediction is None and assignment.revision > 0:
        prediction = hidden_proposal(tx, assignment)
    if is_reviewing(assignment):
        return Opened(assignment, case, prediction, standing_annotation(tx, case.id))
    return Opened(assignment, case, prediction, seen_annotation(tx, case.id, assignment.annotator_id))


def check_submitted(workspace: Workspace, submitted: Submitted) -> None:
    """Refuse what no assignment of the project could be closed with.

    Raises:
        InputError: An effort out of range.
        StateError: The task is of another kind.
        LabelError: A class that the task does not know.
    """
    checked_report(submitted.reported)
    kind = "classification" if submitted.kind == "tag" else "segmentation"
    if workspace.task.kind != kind:
        raise StateError(f"This project is a {workspace.task.kind}, the annotation is one of a {kind}")
    if submitted.tag is not None and submitted.tag not in workspace.task.label_values:
        raise LabelError(f"Unknown tag {submitted.tag}", remedy=f"use one of {list(workspace.task.label_values)}")


def _encoded(workspace: Workspace, case: Case, mask: MaskArray, submitted: Submitted) -> bytes:
    """The bytes to keep of a mask; of parts of it, what lies within them."""
    require_only(mask, tuple(submitted.annotated or ()), workspace.task, f"The mask of {case.name}")
    if submitted.parts is None:
        return encode_mask(checked_mask(workspace, case, mask))
    if mask.shape == case.grid.shape:
        mask = np.where(annotated_voxels(submitted.parts, case.grid.shape), mask, np.uint8(0))
    return encode_partial(checked_mask(workspace, case, mask), submitted.parts)


def _close(workspace: Workspace, assignment_id: str, state: str, verb: str, reason: str, effort: Reported) -> Assignment:
    cleaned = checked_reason(reason)
    annotator_id = workspace.store.get(Assignment, assignment_id).annotator_id
    with workspace.store.write(annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        record_effort(tx, assignment, effort)
        kept = verb == "skip" and queried_label(tx, assignment.round_id, assignment.case_id) is not None
        if (
            assignment.gold_id is None and not kept
        ):  # the truth of a gold case stays, whatever those who are held against it think of the case
            withdraw_case(tx, assignment, "skipped" if verb == "skip" else "flagged", cleaned)
        closed = tx.change(Assignment, assignment_id, verb=verb, fields={"state": state, "reason": cleaned, "closed_at": now()})
    after_annotation(workspace, closed.case_id)
    return closed


def require_known_revision(assignment: Assignment, revision: int | None) -> None:
    """Refuse a draft that is not at the revision that its maker knows; None knows any.

    Raises:
        ConflictError: It is at another one.
    """
    if revision is not None and revision != assignment.revision:
        rule = f"The draft is at revision {assignment.revision}, the page knows {revision}"
        raise ConflictError(rule, remedy="read the draft again before submitting")
