"""What an assignment is closed with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.records import Annotation, AnnotationKind, Assignment, Task
from medloop.loop.annotating.open_edit import OpenEdit
from medloop.loop.foundation.annotated_labels import checked_labels, every_as_none, require_only, without_others
from medloop.loop.foundation.effort_log import Reported, plain_seconds
from medloop.loop.foundation.partial_annotations import Part
from medloop.store.reader import Reader


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What somebody submits: a tag, a mask made elsewhere, or, with neither, the draft.

    Attributes:
        tag: Of a classification: the label's value.
        mask: Shape (I, J, K) of the case, uint8; it was not made in the draft.
        parts: The only slices and boxes of the mask or draft that are answered: background inside them is an answer, everything
            outside stays unknown, and the case may be asked again; None answers what was queried, usually the whole case.
        whole: All of the mask or draft counts, though only parts of the case were queried.
        revision: The draft's revision as its maker knows it; None skips the check.
        effort_seconds: Active time spent, without pauses; None or 0 where it is unknown.
        effort: What its maker knows of the work, where that is more than seconds.
        replace: Replace an annotation that somebody else gave, knowingly; see `medloop.loop.annotating.replacing`.
        independent: It owes nothing to the proposal that was shown; see `medloop.loop.annotating.independence`.
        task_version: The version of the task that its maker saw; see `medloop.loop.foundation.label_versions`.
        annotated: Values of the labels that it annotates; None takes those of the draft (`annotated_in`), and every label for a mask
            that was made elsewhere.
        returned: Id of the review that its maker saw, by which the case was returned to them while they had it open.
    """

    tag: int | None = None
    mask: MaskArray | None = field(default=None, repr=False)
    parts: Sequence[Part] | None = None
    whole: bool = False
    revision: int | None = None
    effort_seconds: float | None = None
    effort: Reported | None = None
    replace: bool = False
    independent: bool = False
    task_version: int | None = None
    annotated: Collection[int] | None = None
    returned: str | None = None

    @property
    def reported(self) -> Reported:
        """What is known of the work."""
        return self.effort or plain_seconds(self.effort_seconds)

    @property
    def kind(self) -> AnnotationKind:
        """Kind of the annotation that it makes."""
        return "tag" if self.tag is not None else "mask" if self.parts is None else "partial"


def annotated_in(task: Task, edit: OpenEdit, submitted: Submitted) -> tuple[int, ...]:
    """Values of the labels that a submission annotates, as a record keeps them.

    Of a draft whose assignment is for some labels these, and any other that was drawn in it: whoever draws a label annotates it.

    Raises:
        StateError: Labels are named in a classification.
        InputError: None at all.
        LabelError: One that the task does not have.
    """
    if submitted.annotated is not None:
        return checked_labels(task, submitted.annotated)
    if submitted.mask is not None or not edit.assignment.annotated:
        return ()
    return every_as_none(task, {*edit.assignment.annotated, *edit.drawn_labels})


def annotated_mask(task: Task, edit: OpenEdit, mask: MaskArray, annotated: tuple[int, ...]) -> MaskArray:
    """A draft's mask of the labels that it annotates; the model's own voxels of others, as they were proposed, leave it.

    Args:
        task: The task in force.
        edit: The draft.
        mask: As it stands, shape (I, J, K).
        annotated: As a record keeps it.

    Raises:
        LabelError: It holds voxels of a label that is not annotated, and that no model proposed there: somebody drew them.
    """
    if not annotated:
        return mask
    require_only(np.where(mask == edit.proposed, 0, mask), annotated, task, f"The draft of {edit.case.name}")
    return without_others(mask, annotated, task.labels)


def submitted_mask(tx: Reader, assignment: Assignment) -> str | None:
    """Blob of the whole mask that an assignment was submitted with; None for an open one, a tag, or parts of a case.

    The draft of a submitted assignment is this, whatever it began with and whatever happened to the case since.
    """
    if assignment.state != "submitted":
        return None
    made = tx.find(Annotation, where={"assignment_id": assignment.id, "kind": "mask"}, descending=True, limit=1)
    return made[0].blob if made else None
