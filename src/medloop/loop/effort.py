"""Human time: what answers took, and what the next ones will probably take.

The page records active seconds; pauses are left out there. Imported answers took nobody's time here.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Annotation, Annotator, Case, Prediction, Withdrawal
from medloop.query.budget.minutes import MIN_ANSWERS, MinutesModel, fit_minutes, median_minutes, predicted_minutes
from medloop.store.reader import Reader

FEATURES = ("foreground voxels", "border voxels", "doubtful voxels", "slices")

RECENT_ANSWERS = 500
"""Times are learned from the last answers: people and proposals get faster."""

OWN_ORIGINS = ("human", "simulated")


@dataclass(frozen=True)
class EffortLine:
    """What one annotator's answers took.

    Attributes:
        answers: All annotations but those undone, later replaced ones included: they took time too.
        timed: How many of them have a recorded time.
        median_seconds: Active seconds of the middle timed answer; None without one.
        minutes: Sum of the recorded time.
        cost: The same in money, by the annotator's cost per minute.
    """

    annotator: str
    kind: str
    answers: int
    timed: int
    median_seconds: float | None
    minutes: float
    cost: float


def effort_summary(tx: Reader) -> tuple[EffortLine, ...]:
    """One line per annotator who answered here, by name."""
    by_annotator: dict[str, list[Annotation]] = defaultdict(list)
    for answer in not_undone(tx, tx.find(Annotation, where={"origin": OWN_ORIGINS})):
        by_annotator[answer.annotator_id].append(answer)
    lines = [_line(tx.get(Annotator, who), answers) for who, answers in by_annotator.items()]
    return tuple(sorted(lines, key=lambda line: line.annotator))


def not_undone(tx: Reader, answers: Sequence[Annotation]) -> list[Annotation]:
    """The annotations that were not undone: the seconds of one that was go on in the one submitted after it."""
    undone = {withdrawn.annotation_id for withdrawn in tx.find(Withdrawal, where={"verb": "undone"})}
    return [answer for answer in answers if answer.id not in undone]


def predict_minutes(
    tx: Reader, cases: Sequence[Case], predictions: Mapping[str, Prediction], *, learned: MinutesModel | None = None
) -> dict[str, float]:
    """Expected minutes of a person's time for cases that are not answered yet.

    Args:
        tx: The project.
        cases: Whose time is wanted.
        predictions: By case id, of the newest model; a case without one takes the median.
        learned: What `minutes_model` gave, if it is at hand already; else it is fitted now.

    Returns:
        Case name → minutes, > 0. When no answer was ever timed every case counts as one minute; see `minutes_model`.
    """
    model, middle = learned or minutes_model(tx), median_model(tx)
    seen = [c for c in cases if c.id in predictions]
    usual = float(predicted_minutes(middle, np.zeros((1, len(FEATURES)))).expected[0])
    minutes = dict.fromkeys((c.name for c in cases), usual)
    if seen:
        expected = predicted_minutes(model, _table([(c, predictions[c.id]) for c in seen])).expected
        minutes |= {c.name: float(value) for c, value in zip(seen, expected, strict=True)}
    return minutes


def minutes_model(tx: Reader) -> MinutesModel:
    """What the recorded times teach: a regression on the proposals that were corrected, or the median of all times."""
    timed = _timed(tx)
    shown = {p.id: p for p in tx.find(Prediction, where={"id": [a.proposal_id for a in timed if a.proposal_id]})}
    cases = {c.id: c for c in tx.find(Case, where={"id": [a.case_id for a in timed]})}
    corrected = [a for a in timed if a.proposal_id in shown]
    if len(corrected) < MIN_ANSWERS:
        return median_model(tx)
    table = _table([(cases[a.case_id], shown[str(a.proposal_id)]) for a in corrected])
    return fit_minutes(table, np.array([a.effort_seconds for a in corrected]))


def median_model(tx: Reader) -> MinutesModel:
    """The median of the recorded times."""
    return median_minutes(np.array([a.effort_seconds for a in _timed(tx)]), features=len(FEATURES))


def effort_features(case: Case, prediction: Prediction) -> tuple[float, ...]:
    """What a proposal tells about the work on a case, in the order of `FEATURES`, each >= 0.

    The border is the score `border` where the model recorded it (see `medloop.query.minutes.border_length`), and
    otherwise what a compact object of that size would have. A tag's image has no foreground to outline.
    """
    scores, slices = prediction.scores, float(case.grid.shape[2])
    doubt = max(0.0, float(scores.get("entropy", 0.0)))
    if prediction.mask is None:
        return (0.0, 0.0, doubt, slices)
    voxels = math.prod(case.grid.shape)
    foreground = max(0.0, float(scores.get("foreground", 0.0))) * voxels
    flat = case.grid.shape[2] == 1
    border = float(scores.get("border", foreground ** (1 / 2 if flat else 2 / 3)))
    return (foreground, border, doubt * voxels, slices)


def _table(pairs: Sequence[tuple[Case, Prediction]]) -> FloatArray:
    return np.array([effort_features(case, prediction) for case, prediction in pairs], dtype=np.float64)


def _timed(tx: Reader) -> list[Annotation]:
    """The last answers with a recorded time, oldest first."""
    recent = tx.find(Annotation, order=("created_at",), descending=True, limit=RECENT_ANSWERS, where={"origin": OWN_ORIGINS})
    return [a for a in reversed(not_undone(tx, recent)) if a.effort_seconds > 0]


def _line(annotator: Annotator, answers: Sequence[Annotation]) -> EffortLine:
    seconds = [a.effort_seconds for a in answers if a.effort_seconds > 0]
    minutes = sum(seconds) / 60.0
    middle = float(np.median(seconds)) if seconds else None
    return EffortLine(annotator.name, annotator.kind, len(answers), len(seconds), middle, minutes, minutes * annotator.cost_per_minute)
