"""Gold cases: a case whose annotation in force is the truth, and how near to it people come.

What somebody gives on a gold case is an annotation of origin "gold": it counts nowhere but in their effort and their score.
A truth that was replaced or taken back takes its case out of use, and scores against it no longer count, until the case is made
gold again; readings of it are then held against the new truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import ConflictError, StateError
from medloop.core.image import Mask
from medloop.core.labels import region_values
from medloop.core.records import Annotation, Annotator, Assignment, Case, GoldCase, GoldReading, Label, new_id, now
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_known
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.gold import tutorial_of
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.nested import region_dice
from medloop.loop.foundation.partial_annotations import Part, annotated_voxels
from medloop.loop.foundation.readings import gold_in_force
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.writer import Writer

SCORED = ("mask", "partial", "tag")
"""Kinds of annotations that are held against a truth; marks and rejected proposals are kept, and score nothing."""


@dataclass(frozen=True)
class Held:
    """An annotation held against a truth: 0..1, and label value → Dice, {} for classes."""

    score: float
    by_label: dict[str, float]


def add_gold(workspace: Workspace, case_id: str, *, annotator_id: str) -> GoldCase:
    """Make the annotation in force of a case the truth that people are held against; one that is so already stays as it is.

    Readings of the case as a gold case, against an earlier truth, are held against this one.

    Raises:
        NotFoundError: No such case.
        StateError: It has no whole annotation in force.
    """
    with workspace.store.read() as tx:
        case, truth = tx.get(Case, case_id), standing_annotation(tx, case_id)
        if truth is None:
            raise StateError(f"{case.name} has no annotation in force to be the truth", remedy="annotate it whole, or review it first")
        if (known := gold_in_force(tx, [case_id]).get(case_id)) is not None:
            return known
        before = tx.find(Annotation, where={"case_id": case_id, "origin": "gold", "kind": SCORED})
        tutorials = {r.annotation_id for r in tx.find(GoldReading, where={"case_id": case_id}) if r.tutorial}
    held = {a.id: hold(workspace, case, a, truth) for a in before}
    gold = GoldCase(id=new_id("gold"), case_id=case_id, annotation_id=truth.id, annotator_id=annotator_id, created_at=now())
    with workspace.store.write(annotator_id) as tx:
        standing = standing_annotation(tx, case_id)
        if standing is None or standing.id != truth.id:
            raise ConflictError(f"The annotation of {case.name} has changed in this moment", remedy="look at it and repeat")
        _end(tx, case_id)
        tx.add(gold, verb="mark")
        for annotation in before:
            tx.add(_reading(gold, annotation, held[annotation.id], tutorial=annotation.id in tutorials), verb="hold")
    after_annotation(workspace)
    return gold


def withdraw_gold(workspace: Workspace, case_id: str, *, annotator_id: str) -> None:
    """Take a gold case out of use: it is a case like others again, and scores on it no longer count.

    Raises:
        StateError: It is none.
    """
    with workspace.store.write(annotator_id) as tx:
        case = tx.get(Case, case_id)
        if not _end(tx, case_id):
            raise StateError(f"{case.name} is no gold case", remedy="medloop gold list DIR")
    after_annotation(workspace)


def admit(workspace: Workspace, name: str, *, actor: str) -> Annotator:
    """Let somebody begin real work without the tutorial, or after one that they did not pass.

    Raises:
        NotFoundError: Nobody of that name has opened a case.
    """
    with workspace.store.write(actor) as tx:
        return tx.change(Annotator, annotator_known(tx, name).id, verb="admit", fields={"admitted": True})


def require_admitted(tx: Reader, annotator_id: str) -> None:
    """Refuse real work to somebody whose tutorial is not over.

    Raises:
        StateError: Then.
    """
    annotator = tx.get(Annotator, annotator_id)
    tutorial = tutorial_of(tx, annotator)
    if tutorial is not None and not tutorial.passed:
        remedy = "annotate the next case (its tutorial), or let a lead admit them (medloop gold admit DIR NAME)"
        raise StateError(f"{annotator.name} has not passed the tutorial yet ({tutorial.words})", remedy=remedy)


def require_no_tutorial(tx: Reader, assignment: Assignment) -> None:
    """Refuse less than a whole annotation of a gold case in a tutorial, whose reader knows what it is.

    In work nothing that other cases allow is refused of a gold case: a refusal would tell it from them.

    Raises:
        StateError: Then.
    """
    tutorial = tutorial_of(tx, tx.get(Annotator, assignment.annotator_id)) if assignment.gold_id is not None else None
    if tutorial is not None and not tutorial.passed:
        raise StateError("A case of the tutorial counts whole", remedy="annotate all of it")


def gold_of(tx: Reader, assignment: Assignment) -> GoldCase | None:
    """The gold case that an assignment is a check by, while it is in use; None otherwise."""
    found = gold_in_force(tx, [assignment.case_id]).get(assignment.case_id) if assignment.gold_id else None
    return found if found is not None and found.id == assignment.gold_id else None


def hold(
    workspace: Workspace, case: Case, given: Annotation | MaskArray | int, truth: Annotation, *, within: Sequence[Part] | None = None
) -> Held:
    """How near an annotation is to the truth; one of parts of the case is held against what the truth says there.

    Args:
        workspace: The project.
        case: The case of both.
        given: The annotation, its mask, shape (I, J, K), or its class.
        truth: The truth; labels that it says nothing of are left out.
        within: The only parts that a mask says something of; of an annotation they are known.

    Returns:
        For masks the mean Dice over the labels that one of both has; 1 where neither has any.
    """
    blobs = workspace.store.blobs
    right = load_annotation(blobs, truth, case)
    own = load_annotation(blobs, given, case) if isinstance(given, Annotation) else given
    if not isinstance(right, Mask) or isinstance(own, int):
        return Held(float(own == right), {})
    mask = own.array if isinstance(own, Mask) else own
    known = mask != UNKNOWN if within is None else annotated_voxels(within, case.grid.shape)
    with workspace.store.read() as tx:
        values = [label.value for label in annotated_labels(tx, workspace.task).of(truth)]
    return hold_masks(np.where(known, mask, np.uint8(0)), np.where(known, right.array, np.uint8(0)), values, workspace.task.labels)


def hold_masks(mask: MaskArray, truth: MaskArray, values: Sequence[int], labels: Sequence[Label]) -> Held:
    """How near a mask is to the truth, both shape (I, J, K): the mean Dice over the labels that one of both has; 1 without any.

    `values` are of the labels that count, `labels` all of the task, some of which may lie inside others.
    """
    regions = region_values(labels)
    scores = region_dice(mask, truth, labels, [v for v in values if np.isin(mask, regions[v]).any() or np.isin(truth, regions[v]).any()])
    return Held(sum(scores.values()) / len(scores) if scores else 1.0, {str(label): score for label, score in scores.items()})


def keep_reading(tx: Writer, assignment: Assignment, annotation: Annotation, held: Held) -> None:
    """Keep what a gold reading scored; nothing where its case went out of use while it was read."""
    gold = gold_of(tx, assignment)
    if gold is not None:
        tutorial = tutorial_of(tx, tx.get(Annotator, assignment.annotator_id))
        tx.add(_reading(gold, annotation, held, tutorial=tutorial is not None and not tutorial.passed), verb="hold")


def _reading(gold: GoldCase, annotation: Annotation, held: Held, *, tutorial: bool) -> GoldReading:
    return GoldReading(
        id=new_id("check"),
        gold_id=gold.id,
        case_id=gold.case_id,
        annotation_id=annotation.id,
        annotator_id=annotation.annotator_id,
        tutorial=tutorial,
        score=round(held.score, 6),
        by_label={label: round(value, 6) for label, value in held.by_label.items()},
        created_at=now(),
    )


def _end(tx: Writer, case_id: str) -> int:
    """Take what was gold of a case out of use; how many marks that were."""
    marked = tx.find(GoldCase, where={"case_id": case_id, "withdrawn_at": None})
    for one in marked:
        tx.change(GoldCase, one.id, verb="withdraw", fields={"withdrawn_at": now()})
    return len(marked)
