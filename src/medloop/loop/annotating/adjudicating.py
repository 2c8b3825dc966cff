"""A reviewer decides between readings: a new annotation, put together label by label or box by box, that supersedes knowingly.

The readings stay as they are, each its reader's; the new annotation stands before them and before their consensus.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError, NotFoundError
from medloop.core.records import Annotation, Assignment, Case, Review, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.annotating.annotations import UNKNOWN_EFFORT, checked_mask
from medloop.loop.annotating.review_verdicts import make_review, require_standing
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.effort_log import Reported, checked_report, record_effort, record_outside
from medloop.loop.foundation.label_versions import shared_version
from medloop.loop.foundation.partial_annotations import BoxPart, annotated_voxels
from medloop.loop.foundation.readings import DERIVED, case_readings, most_leaning
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.store.reader import Reader


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
    annotation_id: str | None = None,
    comment: str = "",
    assignment_id: str | None = None,
    effort: Reported = UNKNOWN_EFFORT,
) -> Annotation:
    """Decide a case as its reviewer: from what stands, the rulings are applied in order, or a mask is given.

    Args:
        workspace: The project.
        case_id: The case.
        reviewer_id: Who decides.
        decision: What counts where (for a classification one ruling, which names the reading whose class counts), or the mask
            itself, shape (I, J, K).
        annotation_id: What the reviewer has looked at; None for what stands now.
        comment: Why.
        assignment_id: The assignment in whose draft the mask was drawn.
        effort: What is known of the work.

    Raises:
        InputError: No ruling, or one that does not fit the case; an effort out of range.
        LabelError: A label that the task does not know.
        ShapeError: The mask is not the case's shape.
        ConflictError: Something else stands by now.
        StateError: The case has no annotation, and the first ruling does not take one whole; a mask in a classification.
    """
    mask = decision if isinstance(decision, np.ndarray) else None
    choices = () if isinstance(decision, np.ndarray) else tuple(decision)
    if mask is None and not choices:
        raise InputError("An adjudication needs rulings or a mask, got none", remedy="say which reading counts where")
    checked_report(effort)
    _require_kind(workspace, mask, choices)
    whole = bool(choices) and choices[0].label is None and choices[0].box is None
    with workspace.store.read() as tx:
        case = tx.get(Case, case_id)
        sources = {c.annotation_id: _of_case(tx, case, c.annotation_id) for c in choices}
        bare = whole and annotation_id is None and case_readings(tx, [case_id])[case_id].annotation_id is None
        standing = None if bare else require_standing(tx, case_id, annotation_id)
    made_of = [*sources.values(), *([standing] if standing and not whole else [])]
    made = tag = None
    if workspace.task.kind == "classification":
        tag = sources[choices[0].annotation_id].tag
    else:
        made = checked_mask(workspace, case, mask) if mask is not None else _composed(workspace, case, standing, choices, sources)
    decided = _Decided(made, tag, comment, assignment_id, effort, drawn=mask is not None)
    return _stored(workspace, case, reviewer_id, standing, made_of, decided)


def restore(workspace: Workspace, annotation_id: str, person_id: str, *, comment: str = "") -> Annotation:
    """Bring an earlier annotation of a case back as a new one of who restores it.

    Raises:
        NotFoundError: No such annotation.
        InputError: It covers parts of the case only.
    """
    found = workspace.store.get(Annotation, annotation_id)
    return adjudicate(workspace, found.case_id, person_id, [Ruling(annotation_id)], comment=comment or "an earlier annotation restored")


def _of_case(tx: Reader, case: Case, annotation_id: str) -> Annotation:
    found = tx.get(Annotation, annotation_id)
    if found.case_id != case.id:
        raise NotFoundError(f"{case.name} has no annotation {annotation_id!r}", remedy="name one of its readings")
    if found.kind == "partial":
        raise InputError("An annotation of parts of a case cannot be taken whole", remedy="name one that covers the case")
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
) -> MaskArray:
    blobs = workspace.store.blobs
    whole = choices[0].label is None and choices[0].box is None
    begin = sources[choices[0].annotation_id] if whole or standing is None else standing
    mask = load_mask(blobs, begin, case).array.copy()
    for choice in choices[whole:]:
        reading = load_mask(blobs, sources[choice.annotation_id], case).array
        inside = np.ones(mask.shape, dtype=np.bool_) if choice.box is None else annotated_voxels([choice.box], case.grid.shape)
        if choice.label is None:
            mask[inside] = reading[inside]
            continue
        if choice.label not in workspace.task.label_values:
            raise LabelError(f"Unknown label {choice.label}", remedy=f"use one of {list(workspace.task.label_values)}")
        mask[inside & (mask == choice.label)] = 0
        mask[inside & (reading == choice.label)] = choice.label
    return mask


@dataclass(frozen=True, eq=False)
class _Decided:
    mask: MaskArray | None
    tag: int | None
    comment: str
    assignment_id: str | None
    effort: Reported
    drawn: bool


def _stored(
    workspace: Workspace, case: Case, reviewer_id: str, standing: Annotation | None, made_of: Sequence[Annotation], decided: _Decided
) -> Annotation:
    """Keep the decision and the review that it is; what stands must still be what was looked at."""
    blob = workspace.store.blobs.put(encode_mask(decided.mask)) if decided.mask is not None else None
    values = frozenset(np.unique(decided.mask).tolist()) - {0} if decided.mask is not None else frozenset({decided.tag or 0})
    leaning = most_leaning(made_of)
    with workspace.store.read() as tx:
        task = workspace.task if decided.drawn else shared_version(tx, made_of, values)
    annotation = Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=task.id,
        annotator_id=reviewer_id,
        kind="tag" if blob is None else "mask",
        blob=blob,
        tag=decided.tag,
        origin="adjudicated",
        proposal_id=leaning.proposal_id,
        supersedes=standing.id if standing is not None and standing.origin in DERIVED else None,
        assignment_id=decided.assignment_id,
        effort_seconds=decided.effort.active_seconds or 0.0,
        created_at=now(),
        began_with="annotation",
        untouched=leaning.untouched,
    )
    review: Review = make_review(case.id, annotation.id, reviewer_id, "approve", decided.comment)
    with workspace.store.write(reviewer_id) as tx:
        if case_readings(tx, [case.id])[case.id].annotation_id != (standing.id if standing else None):
            raise ConflictError(f"Another annotation of {case.name} stands by now", remedy="look at it first")
        if decided.assignment_id is None:
            tx.add(annotation, verb="adjudicate")
            record_outside(tx, annotation, decided.effort)
        else:
            took = record_effort(tx, tx.get(Assignment, decided.assignment_id), decided.effort)
            tx.add(replace(annotation, effort_seconds=took), verb="adjudicate")
        tx.add(review, verb="approve")
    after_annotation(workspace)
    return annotation
