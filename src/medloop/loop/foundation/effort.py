"""Human time: what answers took, and what the next ones will probably take.

The page records active seconds; pauses are left out there. Imported annotations took nobody's time here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import is_reserved
from medloop.core.records import Annotator, Case, Prediction
from medloop.loop.foundation.effort_totals import Totals, effort_totals
from medloop.loop.foundation.spent import OWN_ORIGINS, UNPRICED, people_by_id
from medloop.query.budget.minutes import MIN_ANNOTATIONS, MinutesModel, error_words, fit_minutes, median_minutes, predicted_minutes
from medloop.store.reader import Reader

FEATURES = ("foreground voxels", "border voxels", "uncertain voxels", "slices")

RECENT_ANNOTATIONS = 500
"""Times are learned from the last annotations: people and proposals get faster."""

MIN_UNPROPOSED = 5


@dataclass(frozen=True)
class EffortLine:
    """What one annotator's work took.

    Attributes:
        annotations: All of them but those undone, later replaced ones included: they took time too.
        cases: How many cases these are of.
        timed: How many of them have a recorded time.
        median_seconds: Active seconds of the middle timed annotation; None without one.
        minutes: All recorded active time, also of what was undone, skipped, flagged or never submitted.
        idle_minutes: Minutes for which a case was open and nobody worked on it; None where no client reports them.
        cost_per_minute: The annotator's rate now, in a unit that the project chooses; 1 where none is set.
        cost: The minutes, each at the rate of its time.
    """

    annotator: str
    kind: str
    annotations: int
    cases: int
    timed: int
    median_seconds: float | None
    minutes: float
    idle_minutes: float | None
    cost_per_minute: float
    cost: float


def effort_summary(tx: Reader) -> tuple[EffortLine, ...]:
    """One line per annotator who worked here, by name."""
    return tuple(line for line in annotator_lines(tx) if line.annotations or line.minutes)


def annotator_lines(tx: Reader) -> tuple[EffortLine, ...]:
    """One line per annotator, also of those without an annotation, by name; importers only where they have some."""
    totals, people = effort_totals(tx), sorted(people_by_id(tx).values(), key=lambda one: one.name)
    lines = [_line(one, totals.get(one.id, Totals())) for one in people]
    shown = {one.name for one in people if one.kind == "person" and not is_reserved(one.name)}
    return tuple(line for line in lines if line.annotations or line.minutes or line.annotator in shown)


def priced(lines: Iterable[EffortLine]) -> bool:
    """Whether a rate was set, so that cost says more than minutes."""
    return any(line.cost_per_minute != UNPRICED for line in lines)


def predict_minutes(
    tx: Reader,
    cases: Sequence[Case],
    predictions: Mapping[str, Prediction],
    *,
    learned: MinutesModel | None = None,
    as_cost: bool = False,
    whole: bool = False,
) -> dict[str, float]:
    """Expected minutes of a person's time for cases that are not answered yet, or their cost.

    Args:
        tx: The project.
        cases: Whose time is wanted.
        predictions: By case id, of the newest model; a case without one takes the median.
        learned: What `minutes_model` gave, if it is at hand already; else it is fitted now.
        as_cost: Each recorded minute counts by its annotator's rate.
        whole: For all of each case, by masks of whole cases alone, where one was timed: parts of a case take less, and say nothing of it.

    Returns:
        Case name → minutes, > 0. When no answer was ever timed every case counts as one minute; see `minutes_model`.
    """
    timed = (_timed(tx, as_cost=as_cost, whole=True) if whole else []) or _timed(tx, as_cost=as_cost)
    model = learned or _minutes_model(tx, timed, as_cost=as_cost)
    middle = _median(_unproposed(timed)) if model.basis == "regression" else model
    seen = [c for c in cases if c.id in predictions]
    usual = float(predicted_minutes(middle, np.zeros((1, len(FEATURES)))).expected[0])
    minutes = dict.fromkeys((c.name for c in cases), usual)
    if seen:
        expected = predicted_minutes(model, _table([(c, predictions[c.id]) for c in seen])).expected
        minutes |= {c.name: float(value) for c, value in zip(seen, expected, strict=True)}
    return minutes


def minutes_model(tx: Reader, *, as_cost: bool = False) -> MinutesModel:
    """What the recorded times, or their costs, teach: a regression on the proposals that were corrected, or the median of all.

    Costs are not told apart by person: nobody knows who will annotate a case when it is queried.
    """
    return _minutes_model(tx, _timed(tx, as_cost=as_cost), as_cost=as_cost)


def minutes_words(tx: Reader) -> str:
    """How far predicted minutes are off, or that nobody knows yet."""
    return error_words(minutes_model(tx))


def effort_features(case: Case, prediction: Prediction) -> tuple[float, ...]:
    """What a proposal tells about the work on a case, in the order of `FEATURES`, each >= 0.

    The border is the score `border` where the model recorded it (see `medloop.query.budget.minutes.border_length`), and
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


@dataclass(frozen=True)
class _Timed:
    """An annotation with a recorded time: seconds, or 60 times their cost."""

    case_id: str
    proposal_id: str | None
    seconds: float
    annotator_id: str


def _minutes_model(tx: Reader, timed: Sequence[_Timed], *, as_cost: bool) -> MinutesModel:
    corrected = [one for one in timed if one.proposal_id is not None]
    if len(corrected) < MIN_ANNOTATIONS:
        return replace(_median(timed), annotations=len(corrected))
    shown = {p.id: p for p in tx.find(Prediction, where={"id": [one.proposal_id or "" for one in corrected]})}
    cases = {c.id: c for c in tx.find(Case, where={"id": [one.case_id for one in corrected]})}
    table = _table([(cases[one.case_id], shown[one.proposal_id or ""]) for one in corrected])
    people = () if as_cost else [one.annotator_id for one in corrected]
    return fit_minutes(table, np.array([one.seconds for one in corrected]), people)


def _median(timed: Sequence[_Timed]) -> MinutesModel:
    return median_minutes(np.array([one.seconds for one in timed]), features=len(FEATURES))


def _unproposed(timed: Sequence[_Timed]) -> Sequence[_Timed]:
    """Those drawn from nothing, where they are enough to speak for cases without a proposal; else all."""
    found = [one for one in timed if one.proposal_id is None]
    return found if len(found) >= MIN_UNPROPOSED else timed


def _timed(tx: Reader, *, as_cost: bool = False, whole: bool = False) -> list[_Timed]:
    """The last annotations with a recorded time, oldest first; with `whole` only masks of whole cases."""
    rows = [row for row in tx.recent_efforts(OWN_ORIGINS, RECENT_ANNOTATIONS, whole=whole) if row[2] > 0]
    return [_Timed(case_id, proposal_id, 60 * cost if as_cost else seconds, who) for case_id, proposal_id, seconds, cost, who in rows]


def _line(person: Annotator, totals: Totals) -> EffortLine:
    return EffortLine(annotator=person.name, kind=person.kind, cost_per_minute=person.cost_per_minute, **vars(totals))
