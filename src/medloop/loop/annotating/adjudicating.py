"""A reviewer decides between readings: a new annotation, put together label by label or box by box, that supersedes knowingly.

The readings stay as they are, each its reader's; the new annotation stands before them and before their consensus. A reviewer
may also draw, in a case opened with what stands (`medloop.loop.foundation.readings.REVIEWING`): the draft is the decision.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.drawing import with_label
from medloop.core.errors import ConflictError, InputError, LabelError, NotFoundError, StateError
from medloop.core.image import label_values
from medloop.core.labels import mask_of
from medloop.core.records import Annotation, Assignment, BeganWith, Case, Label, Provenance, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.annotations import check_submitted, checked_mask, require_known_revision
from medloop.loop.annotating.open_edit import OpenEdit, load_edit, require_open
from medloop.loop.annotating.provenance import provenance_of
from medloop.loop.annotating.replacing import origin_of, source_of
from medloop.loop.annotating.review_verdicts import NOW, Looked, make_review, require_looked, require_standing
from medloop.loop.annotating.submission import Submitted, annotated_in, annotated_mask
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels, every_as_none, without_others
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.effort_log import UNKNOWN_EFFORT, Reported, checked_report, record_effort, record_outside
from medloop.loop.foundation.label_versions import version_seen
from medloop.loop.foundation.partial_annotations import BoxPart, annotated_voxels
from medloop.loop.foundation.readings import DERIVED, RESTORE, case_readings, is_reviewing, most_leaning
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.store.reader import Reader
from medloop.store.states import GOLD


@dataclass(frozen=True)
class Ruling:
    """Which annotation counts.

    Attributes:
        annotation_id: Of the same case.
        label: For this label only; None for all labels.
        box: Within this box only; None for the whole image.
    """

    annotation_id: str
    label: int | None = None
    box: BoxPart | None = None


def adjudicate(
    workspace: Workspace,
    case_id: str,
    reviewer_id: str,
    decision: Sequence[Ruling] | MaskArray,
    *,
    looked: Looked = NOW,
    comment: str = "",
    effort: Reported = UNKNOWN_EFFORT,
) -> Annotation:
    """Decide a case as its reviewer: from what stands, the rulings are applied in order, or a mask is given.

    Args:
        workspace: The project.
        case_id: The case.
        reviewer_id: Who decides.
        decision: What counts where (for a classification one ruling, which names the reading whose class counts), or the mask
            itself, shape (I, J, K).
        looked: What the reviewer has looked at.
        comment: Why.
        effort: What is known of the work.

    Raises:
        InputError: No ruling, or one that does not fit the case; an effort out of range.
        LabelError: A label that the task does not know.
        ShapeError: The mask is not the case's shape.
        ConflictError: Something else stands by now, or the case was read since.
        StateError: The case has no annotation, and the first ruling does not take one whole; a mask in a classification.
    """
    return _adjudicated(workspace, case_id, reviewer_id, decision, _Verdict(looked, comment), effort)


def _adjudicated(
    workspace: Workspace, case_id: str, reviewer_id: str, decision: Sequence[Ruling] | MaskArray, verdict: "_Verdict", effort: Reported
) -> Annotation:
    mask = decision if isinstance(decision, np.ndarray) else None
    choices = () if isinstance(decision, np.ndarray) else tuple(decision)
    if mask is None and not choices:
        raise InputError("An adjudication needs rulings or a mask, got none", remedy="say which reading counts where")
    checked_report(effort)
    _require_kind(workspace, mask, choices)
    whole = bool(choices) and choices[0].label is None and choices[0].box is None
    with workspace.store.read() as tx:
        case = tx.get(Case, case_id)
        sources = {c.annotation_id: annotation_of(tx, case, c.annotation_id) for c in choices}
        bare = whole and verdict.looked.annotation_id is None and case_readings(tx, [case_id])[case_id].annotation_id is None
        standing = None if bare else require_standing(tx, case_id, verdict.looked)
    made_of = [*sources.values(), *([standing] if standing and not whole else [])]
    made = tag = None
    annotated: tuple[int, ...] = ()
    if workspace.task.kind == "classification":
        tag, annotated = sources[choices[0].annotation_id].tag, _annotated_by(workspace, [sources[choices[0].annotation_id]])
    elif mask is not None:
        made = checked_mask(workspace, case, mask)
    else:
        made, annotated = _composed(workspace, case, standing, choices, sources)
    leaning = most_leaning(made_of)
    decided = _Decided(
        mask=made,
        tag=tag,
        task_id=workspace.task.id,
        annotated=annotated,
        effort=effort,
        proposal_id=leaning.proposal_id,
        untouched=leaning.untouched,
    )
    return _stored(workspace, case, reviewer_id, standing, decided, verdict)


def adjudicate_draft(
    workspace: Workspace,
    assignment_id: str,
    submitted: Submitted,
    *,
    looked: Looked = NOW,
    comment: str = "",
) -> Annotation:
    """Decide a case by the draft, or a class, of an assignment that was opened as its reviewer; the assignment is closed by it.

    Args:
        workspace: The project.
        assignment_id: Opened with the reason `REVIEWING`.
        submitted: A class, or the draft's revision; effort and version of the task as in a submission.
        looked: What the reviewer has looked at.
        comment: Why.

    Raises:
        ConflictError: The draft has another revision, something else stands by now, or the case was read since.
        StateError: The assignment is closed or was opened to read the case, the task is of another kind, or nothing stands.
        InputError: An effort out of range.
        LabelError: A value that the task does not know.
    """
    check_submitted(workspace, submitted)
    with workspace.store.read() as tx:
        edit = load_edit(tx, require_open(tx.get(Assignment, assignment_id)), workspace.store.blobs)
        if not is_reviewing(edit.assignment):
            raise StateError("This case is open to read it: its draft is a reading and no decision", remedy="open it as its reviewer")
        standing, source = require_standing(tx, edit.case.id, looked), source_of(tx, edit)
    require_known_revision(edit.assignment, submitted.revision)
    annotated = annotated_in(workspace.task, edit, submitted)
    submitted = replace(submitted, annotated=annotated)
    mask = checked_mask(workspace, edit.case, _drawn(workspace, edit, annotated)) if submitted.tag is None else None
    origin, values = origin_of(source, submitted, mask), _values(mask, submitted.tag) | {*annotated}
    with workspace.store.read() as tx:
        task = version_seen(tx, workspace.task, edit.assignment.opened_at, submitted.task_version, values)
    decided = _Decided(
        mask=mask,
        tag=submitted.tag,
        task_id=task.id,
        annotated=annotated,
        effort=submitted.reported,
        proposal_id=origin.proposal_id,
        untouched=origin.untouched,
        began_with=origin.began_with,
        drawn=edit.assignment,
        made=provenance_of(edit, mask, new_id("annotation")) if mask is not None else None,
    )
    return _stored(workspace, edit.case, edit.assignment.annotator_id, standing, decided, _Verdict(looked, comment))


def restore(workspace: Workspace, annotation_id: str, person_id: str, *, looked: Looked = NOW, comment: str = "") -> Annotation:
    """Bring an earlier annotation of a case back as a new one of who restores it.

    Args:
        workspace: The project.
        annotation_id: The earlier one.
        person_id: Who restores it.
        looked: What they looked at.
        comment: Why.

    Raises:
        NotFoundError: No such annotation.
        InputError: It covers parts of the case only.
        ConflictError: Something else stands by now, or the case was read since.
    """
    found = workspace.store.get(Annotation, annotation_id)
    verdict = _Verdict(looked, comment or "an earlier annotation restored", verb=RESTORE)
    return _adjudicated(workspace, found.case_id, person_id, [Ruling(annotation_id)], verdict, UNKNOWN_EFFORT)


def annotation_of(tx: Reader, case: Case, annotation_id: str) -> Annotation:
    """An annotation of the whole of this case.

    Raises:
        NotFoundError: The case has no such annotation.
        InputError: It covers parts of the case only, or was given on a gold case.
    """
    found = tx.get(Annotation, annotation_id)
    if found.origin == GOLD:
        raise InputError("What was given on a gold case is held against its truth and counts as no annotation", remedy="annotate the case")
    if found.case_id != case.id:
        raise NotFoundError(f"{case.name} has no annotation {annotation_id!r}", remedy="name one of its readings")
    if not found.is_whole:
        raise InputError("An annotation of parts of a case, or by marks, cannot be taken whole", remedy="name one that covers the case")
    return found


def _require_kind(workspace: Workspace, mask: MaskArray | None, choices: Sequence[Ruling]) -> None:
    """Refuse what a class cannot be made of."""
    if mask is not None:
        require_masks(workspace, "A drawn adjudication")
    parts = [c for c in choices if c.label is not None or c.box is not None]
    if workspace.task.kind == "classification" and (len(choices) > 1 or parts):
        got = f"{len(choices)} rulings" if len(choices) > 1 else "a label or a box"
        raise InputError(
            f"A class is adjudicated by one ruling for the whole case, got {got}", remedy="name the reading whose class counts"
        )


def _composed(
    workspace: Workspace, case: Case, standing: Annotation | None, choices: Sequence[Ruling], sources: dict[str, Annotation]
) -> tuple[MaskArray, tuple[int, ...]]:
    """What the rulings make, and the labels that it annotates."""
    blobs = workspace.store.blobs
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    whole = choices[0].label is None and choices[0].box is None
    begin = sources[choices[0].annotation_id] if whole or standing is None else standing
    mask, annotated = load_mask(blobs, begin, case).array.copy(), set(scope.of(begin))
    for choice in choices[whole:]:
        reading = load_mask(blobs, sources[choice.annotation_id], case).array
        inside = np.ones(mask.shape, dtype=np.bool_) if choice.box is None else annotated_voxels([choice.box], case.grid.shape)
        if choice.label is None:
            _require_annotated(scope, sources[choice.annotation_id], annotated)
            mask[inside] = reading[inside]
            continue
        if choice.label not in workspace.task.label_values:
            raise LabelError(f"Unknown label {choice.label}", remedy=f"use one of {list(workspace.task.label_values)}")
        ruled = next(label for label in workspace.task.labels if label.value == choice.label)
        _require_annotated(scope, sources[choice.annotation_id], {ruled})
        if choice.box is not None and ruled not in annotated:
            rule = f"{ruled.name!r} is annotated nowhere else in what this ruling is laid over"
            raise InputError(rule, remedy="rule on the whole label, without a box")
        annotated.add(ruled)
        labels, own = workspace.task.labels, mask_of(workspace.task.labels, mask, choice.label)
        mask = with_label(labels, mask, np.where(inside, mask_of(labels, reading, choice.label), own), choice.label)
    values = {label.value for label in annotated}
    return without_others(mask, every_as_none(workspace.task, values), workspace.task.labels), every_as_none(workspace.task, values)


def _require_annotated(scope: AnnotatedLabels, reading: Annotation, labels: AbstractSet[Label]) -> None:
    missing = [label.name for label in scope.lacking(reading) if label in labels]
    if missing:
        rule = f"Reading {reading.id} does not annotate {', '.join(missing)}"
        raise InputError(rule, remedy="rule by a reading that does, or on the labels that it annotates")


def _annotated_by(workspace: Workspace, made_of: Sequence[Annotation]) -> tuple[int, ...]:
    with workspace.store.read() as tx:
        return annotated_labels(tx, workspace.task).union(made_of)


@dataclass(frozen=True)
class _Verdict:
    """What the reviewer has looked at and says, and what the audit calls the decision."""

    looked: Looked
    comment: str
    verb: str = "adjudicate"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Decided:
    """A decision: its mask or class, the labels it knows, what it owes to a proposal, and the draft it was drawn in, if any."""

    mask: MaskArray | None
    tag: int | None
    task_id: str
    annotated: tuple[int, ...]
    effort: Reported
    proposal_id: str | None
    untouched: float | None
    began_with: BeganWith = "annotation"
    drawn: Assignment | None = None
    made: Provenance | None = None


def _drawn(workspace: Workspace, edit: OpenEdit, annotated: tuple[int, ...]) -> MaskArray:
    """The draft of a decision, without what a model proposed of labels that it does not annotate."""
    return annotated_mask(workspace.task, edit, edit.draft().mask, annotated)


def _values(mask: MaskArray | None, tag: int | None) -> frozenset[int]:
    return frozenset({tag or 0}) if mask is None else frozenset(label_values(mask)) - {0}


def _stored(
    workspace: Workspace, case: Case, reviewer_id: str, standing: Annotation | None, decided: _Decided, verdict: _Verdict
) -> Annotation:
    """Keep the decision and the review that it is; what stands must still be what was looked at."""
    blob = workspace.store.blobs.put(encode_mask(decided.mask)) if decided.mask is not None else None
    annotation = Annotation(
        id=decided.made.annotation_id if decided.made else new_id("annotation"),
        case_id=case.id,
        task_id=decided.task_id,
        annotator_id=reviewer_id,
        kind="tag" if blob is None else "mask",
        blob=blob,
        tag=decided.tag,
        origin="adjudicated",
        assignment_id=decided.drawn.id if decided.drawn else None,
        proposal_id=decided.proposal_id,
        supersedes=standing.id if standing is not None and standing.origin in DERIVED else None,
        effort_seconds=decided.effort.active_seconds or 0.0,
        created_at=now(),
        began_with=decided.began_with,
        untouched=decided.untouched,
        annotated=decided.annotated,
    )
    review = make_review(case.id, annotation.id, reviewer_id, "approve", verdict.comment)
    with workspace.store.write(reviewer_id) as tx:
        require_looked(tx, case.id, verdict.looked)
        if case_readings(tx, [case.id])[case.id].annotation_id != (standing.id if standing else None):
            raise ConflictError(f"Another annotation of {case.name} stands by now", remedy="look at it first")
        if decided.drawn is None:
            tx.add(annotation, verb=verdict.verb)
            record_outside(tx, annotation, decided.effort)
        else:
            drawn = tx.get(Assignment, decided.drawn.id)
            require_known_revision(require_open(drawn), decided.drawn.revision)
            tx.add(replace(annotation, effort_seconds=record_effort(tx, drawn, decided.effort)), verb=verdict.verb)
            tx.change(Assignment, drawn.id, verb="submit", fields={"state": "submitted", "closed_at": now()})
        if decided.made is not None:
            tx.add(decided.made, verb="trace")
        tx.add(review, verb="approve")
    after_annotation(workspace, annotation.case_id)
    return annotation
