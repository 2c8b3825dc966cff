"""What somebody sees at once after a gold case: their score label by label, the truth beside their own, and how they do so far."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import NotFoundError
from medloop.core.image import Mask
from medloop.core.records import Annotation, Annotator, Assignment, Case, GoldCase, GoldReading
from medloop.loop.annotating.gold import SCORED, gold_of
from medloop.loop.foundation.arrays import load_annotation, shown_channels
from medloop.loop.foundation.gold import Tutorial, tutorial_of
from medloop.loop.foundation.skills import gold_scores
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.intervals import Interval, mean_over_cases
from medloop.raters.fused import CONFIDENCE
from medloop.report.pictures import Shape, alone, largest_disagreement, picture
from medloop.store.reader import Reader


@dataclass(frozen=True)
class GoldFeedback:
    """What came of a gold reading.

    Attributes:
        case: The case's name.
        score: 0..1; None where it could not be scored, for the reason in `note`.
        by_label: Label → Dice; {} for classes.
        given, truth: Classes by name; "" for masks.
        mean: Score of the person on gold cases so far, with a 90 % interval where there are enough.
        tutorial: How far the person's tutorial is; None where there is none.
        instructions: Of the project.
        note: Why there is no score, in words; "" where there is one.
    """

    case: str
    score: float | None
    by_label: dict[str, float]
    given: str
    truth: str
    mean: Interval | None
    tutorial: Tutorial | None
    instructions: str
    note: str


def gold_feedback(workspace: Workspace, assignment_id: str) -> GoldFeedback:
    """The feedback on a submitted gold case.

    Raises:
        NotFoundError: The assignment was no gold case, or is not submitted.
    """
    with workspace.store.read() as tx:
        assignment, given = _submitted(tx, assignment_id)
        reading = next(iter(tx.find(GoldReading, where={"annotation_id": given.id}, descending=True, limit=1)), None)
        truth = tx.get(Annotation, tx.get(GoldCase, reading.gold_id).annotation_id) if reading else None
        scores = gold_scores(tx).get(assignment.annotator_id, ())
        return GoldFeedback(
            case=tx.get(Case, assignment.case_id).name,
            score=reading.score if reading else None,
            by_label={_name(workspace, int(value)): dice for value, dice in reading.by_label.items()} if reading else {},
            given=_name(workspace, given.tag),
            truth=_name(workspace, truth.tag) if truth else "",
            mean=mean_score(scores) if scores else None,
            tutorial=tutorial_of(tx, tx.get(Annotator, assignment.annotator_id)) if reading and reading.tutorial else None,
            instructions=workspace.task.instructions,
            note=_note(tx, assignment, given) if reading is None else "",
        )


def mean_score(scores: tuple[float, ...]) -> Interval:
    """The mean of a person's scores with a 90 % interval, from five gold cases on."""
    return mean_over_cases(scores, confidence=CONFIDENCE)


def feedback_picture(workspace: Workspace, assignment_id: str) -> Markup:
    """The slice on which a gold reading and the truth differ most, with both outlines, as an SVG that stands by itself.

    Raises:
        NotFoundError: The assignment was no gold case, is not submitted, was not scored, or has no mask.
    """
    with workspace.store.read() as tx:
        _, given = _submitted(tx, assignment_id)
        readings = tx.find(GoldReading, where={"annotation_id": given.id}, descending=True, limit=1)
        if not readings or given.blob is None:
            raise NotFoundError("There is no picture of this gold case", remedy="classes, and cases taken out of use, have none")
        truth, case = tx.get(Annotation, tx.get(GoldCase, readings[0].gold_id).annotation_id), tx.get(Case, given.case_id)
    blobs = workspace.store.blobs
    own, right = load_annotation(blobs, given, case), load_annotation(blobs, truth, case)
    masks = [(style, mask.array) for style, mask in (("truth", right), ("predicted", own)) if isinstance(mask, Mask)]
    known = masks[1][1] != UNKNOWN
    masks = [(style, np.where(known, mask, np.uint8(0))) for style, mask in masks]
    channels, windows = shown_channels(blobs, case)
    shot = largest_disagreement(case.grid, masks[0][1], masks[1][1])
    shapes = Shape.each(workspace.task.labels, workspace.task.labels)
    drawn = picture(channels, windows, shot, masks, shapes, label=f"{case.name}: the truth, and dashed your annotation")
    return alone(drawn)


def _submitted(tx: Reader, assignment_id: str) -> tuple[Assignment, Annotation]:
    """A gold assignment and what was submitted for it."""
    assignment = tx.get(Assignment, assignment_id)
    made = tx.find(Annotation, where={"assignment_id": assignment_id}, descending=True, limit=1) if assignment.gold_id else []
    if assignment.state != "submitted" or not made:
        raise NotFoundError("There is no feedback on this assignment", remedy="gold cases have it once they are submitted")
    return assignment, made[0]


def _note(tx: Reader, assignment: Assignment, given: Annotation) -> str:
    if given.kind not in SCORED:
        return "Only masks are held against the truth: what you gave is kept, and not scored"
    if gold_of(tx, assignment) is None:
        return "The case went out of use as a gold case while you read it: your annotation is kept, and not scored"
    return "The truth of the case cannot be read: your annotation is kept, and not scored"


def _name(workspace: Workspace, value: int | None) -> str:
    return next((label.name for label in workspace.task.labels if label.value == value), "")
