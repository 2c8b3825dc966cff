"""Marks in place of a mask: check them, keep them as an annotation of their own kind, close the assignment.

Marks given again by the same person replace their earlier ones of the case by name; other people's add up. They are refused where they
contradict each other or what stands for the case, on cases that evaluate, in a tutorial, and as a reading of a case that this person
has annotated whole: nothing learned there would be worth what was lost. Of a gold case they are taken as of any other, so that nobody
knows it by a refusal; they are kept, learned by nothing and not scored.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import ConflictError, StateError
from medloop.core.labels import nested_regions, shared_names
from medloop.core.records import EVALUATION_SPLITS, Annotation, AnnotationOrigin, Annotator, Assignment, Case, new_id, now
from medloop.interaction.weak.marks import Mark
from medloop.interaction.weak.supervision import require_agreement, supervise
from medloop.loop.annotating.gold import require_no_tutorial
from medloop.loop.annotating.open_edit import OpenEdit, load_edit, require_open
from medloop.loop.foundation.annotated_labels import checked_labels
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.blinding import own_annotation, seen_annotation
from medloop.loop.foundation.effort_log import UNKNOWN_EFFORT, Reported, checked_report, record_effort
from medloop.loop.foundation.label_versions import version_seen
from medloop.loop.foundation.marked import encode_marks, label_names
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.readings import is_reviewing
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True, kw_only=True)
class SubmittedMarks:
    """What somebody submits in place of a mask.

    Attributes:
        marks: At least one.
        reported: What is known of the work.
        annotated: Values of the labels that background marks are about; None is all of them.
        task_version: The version of the task that its maker saw; None is the one in force when the case was opened.
    """

    marks: Sequence[Mark]
    reported: Reported = UNKNOWN_EFFORT
    annotated: Collection[int] | None = None
    task_version: int | None = None


def submit_marks(workspace: Workspace, assignment_id: str, given: SubmittedMarks) -> Annotation:
    """Finish an open assignment with marks; the case may be queried again.

    Raises:
        StateError: A classification, a case that evaluates, one of a tutorial, a review, a closed assignment, or a case that this person
            has annotated whole.
        InputError: Marks that contradict each other or an annotation of the case, or lie outside the image; an effort out of range.
        LabelError: A label that the task does not have, or that is called not annotated.
        ConflictError: The draft holds edits, which marks would leave behind.
    """
    checked_report(given.reported)
    annotated = checked_marks_labels(workspace, given.annotated)
    with workspace.store.read() as tx:
        edit = load_edit(tx, require_open(tx.get(Assignment, assignment_id)), workspace.store.blobs)
        _require_markable(tx, edit)
        annotator = tx.get(Annotator, edit.assignment.annotator_id)
    _require_no_edits(edit)
    with workspace.store.read() as tx:
        standing = seen_annotation(tx, edit.case.id, annotator.id)
        require_sound(workspace, tx, edit.case, given.marks, annotated=annotated, annotator_id=annotator.id, standing=standing)
    blob = workspace.store.blobs.put(encode_marks(given.marks))
    origin: AnnotationOrigin = "simulated" if annotator.kind == "simulated" else "human"
    origin = "gold" if edit.assignment.gold_id is not None else origin
    with workspace.store.write(annotator.id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        values = frozenset(mark.label for mark in given.marks) - {0}
        made = Annotation(
            id=new_id("annotation"),
            case_id=assignment.case_id,
            task_id=version_seen(tx, workspace.task, assignment.opened_at, given.task_version, values).id,
            annotator_id=annotator.id,
            kind="marks",
            blob=blob,
            origin=origin,
            assignment_id=assignment.id,
            supersedes=earlier_marks(tx, assignment.case_id, annotator.id),
            effort_seconds=record_effort(tx, assignment, given.reported),
            created_at=now(),
            began_with="blank",
            annotated=annotated,
        )
        tx.add(made, verb="submit")
        tx.change(Assignment, assignment_id, verb="submit", fields={"state": "submitted", "closed_at": now()})
    after_annotation(workspace, made.case_id)
    return made


def checked_marks_labels(workspace: Workspace, annotated: Collection[int] | None) -> tuple[int, ...]:
    """Which labels background marks are about, as a record keeps them; refuses a classification.

    Raises:
        StateError: The project is a classification.
    """
    if workspace.task.kind != "segmentation":
        raise StateError("Marks stand in place of a mask, this project is a classification", remedy="submit the class of the image")
    return () if annotated is None else checked_labels(workspace.task, annotated)


def require_trainable(case: Case) -> None:
    """Refuse marks of a case that models are held against.

    Raises:
        StateError: Its split evaluates.
    """
    if case.split in EVALUATION_SPLITS:
        rule = f"Marks are learned from, and {case.name} is a {case.split} case, against whose mask models are held"
        raise StateError(rule, remedy="annotate the whole mask")


def require_sound(
    workspace: Workspace,
    tx: Reader,
    case: Case,
    marks: Sequence[Mark],
    *,
    annotated: tuple[int, ...],
    annotator_id: str,
    standing: Annotation | None,
) -> None:
    """Refuse marks that contradict each other, the annotation that stands for their case, or the slices that the same person drew.

    Raises:
        InputError: Naming the rule, the label and a voxel.
        LabelError: A label that the task does not have.
    """
    names, regions = label_names(workspace.task), nested_regions(workspace.task.labels)
    found = supervise(marks, case.grid.shape, names, annotated=annotated, regions=regions)
    called = {**names, **shared_names(workspace.task.labels)}
    if standing is not None and standing.kind == "mask":
        mask = load_mask(workspace.store.blobs, standing, case).array
        require_agreement(found, _known_of(mask, standing.annotated), called, regions=regions)
    parts = [a for a in tx.partial_annotations(case_ids=[case.id]) if a.annotator_id == annotator_id]
    if parts:
        drawn = _known_of(merged_annotation(workspace.store.blobs, parts, case).array, parts[-1].annotated)
        require_agreement(found, drawn, called, whose="the slices that you have drawn", regions=regions)


def earlier_marks(tx: Reader, case_id: str, annotator_id: str) -> str | None:
    """Id of the marks in force that one person gave of a case; None for none."""
    own = [a for a in tx.marked_annotations(case_ids=[case_id]) if a.annotator_id == annotator_id]
    return own[-1].id if own else None


def _known_of(mask: MaskArray, annotated: tuple[int, ...]) -> MaskArray:
    """A mask with unknown background where it does not annotate every label."""
    return np.where(mask == 0, np.uint8(255), mask) if annotated else mask


def _require_markable(tx: Reader, edit: OpenEdit) -> None:
    if is_reviewing(edit.assignment):
        raise StateError("This case is open as its reviewer: its draft is a decision and no reading", remedy="adjudicate with it")
    require_no_tutorial(tx, edit.assignment)
    if edit.assignment.gold_id is None:  # a check looks like a training case
        require_trainable(edit.case)
    own = own_annotation(tx, edit.case.id, edit.assignment.annotator_id)
    if own is not None:
        raise StateError("You have annotated this whole case already, and marks say less", remedy="correct the whole mask instead")


def _require_no_edits(edit: OpenEdit) -> None:
    if edit.patches and not np.array_equal(edit.draft().mask, edit.begun):
        raise ConflictError(
            "Marks stand in place of a mask, and this draft holds one that was drawn", remedy="submit it, or undo its edits"
        )
