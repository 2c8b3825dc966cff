"""What the progress page shows: the learning curve, speed, expected quality of the pool, models, rounds, advice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.records import Annotation, Evaluation, Model, Query, Round, Snapshot
from medloop.loop.effort import EffortLine, effort_summary
from medloop.loop.evaluated import shown_interval
from medloop.loop.proposals import quality_note
from medloop.loop.queried import ClassCount, queried_classes
from medloop.loop.stopping import stopping_advice
from medloop.loop.workspace import Workspace
from medloop.metrics.intervals import Interval
from medloop.query.stopping import Advice
from medloop.store.reader import Reader

GOOD_QUALITY = 0.8
"""Predictions expected below this are counted as low: a common mark for a usable segmentation."""

RECENT_ANSWERS = 50
"""Speed is measured over the last answers, so that it follows a model that gets better."""


@dataclass(frozen=True)
class CurvePoint:
    """One model on one split, mean with 95 % interval, against answers learned and human minutes.

    Attributes:
        low, high: None where there are too few patients for an interval.
        note: Why there is no interval; "" where there is one.
    """

    model_index: int
    labelled_cases: int
    effort_minutes: float
    split: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    selected: bool
    note: str = ""


@dataclass(frozen=True)
class PoolQuality:
    """Expected scores of the unanswered cases: mean, how many are low, counts in ten equal bins of 0..1."""

    mean: float
    low_count: int
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class ModelLine:
    """One model in a table."""

    id: str
    index: int
    created_at: str
    steps: int
    seconds: float
    cases: int


@dataclass(frozen=True)
class RoundLine:
    """One round in a table."""

    index: int
    state: str
    strategy: str
    cases: int
    answered: int
    message: str


@dataclass(frozen=True)
class Progress:
    """Everything at once.

    Attributes:
        effort: What each annotator's answers took.
        queried: Per label, how many answered cases hold it and how many of them were asked.
        stopping: Whether to go on asking, and why.
        quality_note: Why predictions of the model in use have no expected quality; "" where they have, or without a model.
    """

    curve: tuple[CurvePoint, ...]
    labels_per_hour: float | None
    answered: int
    total: int
    pool_quality: PoolQuality | None
    models: tuple[ModelLine, ...]
    rounds: tuple[RoundLine, ...]
    effort: tuple[EffortLine, ...]
    queried: tuple[ClassCount, ...]
    stopping: Advice
    quality_note: str = ""


def progress(workspace: Workspace) -> Progress:
    """The project's progress now."""
    queried, stopping = queried_classes(workspace), stopping_advice(workspace)
    with workspace.store.read() as tx:
        model = tx.latest_model()
    note = quality_note(workspace, model) if model else ""
    with workspace.store.read() as tx:
        models = tx.find(Model, order=("index",))
        counts = tx.case_counts()
        return Progress(
            curve=tuple(_curve(tx, models)),
            labels_per_hour=labels_per_hour(tx),
            answered=counts.answered,
            total=counts.total,
            pool_quality=pool_quality(tx.expected_qualities(["train"])),
            models=tuple(_model_line(tx, m) for m in models),
            rounds=tuple(_round_line(tx, r) for r in tx.find(Round, order=("index",))),
            effort=effort_summary(tx),
            queried=queried,
            stopping=stopping,
            quality_note=note,
        )


def labels_per_hour(tx: Reader) -> float | None:
    """Answers per hour of active human time over the recent answers; None without timed answers."""
    recent = tx.find(Annotation, order=("created_at",), descending=True, limit=RECENT_ANSWERS, where={"origin": "human"})
    timed = [a.effort_seconds for a in recent if a.effort_seconds > 0]
    return 3600.0 * len(timed) / sum(timed) if timed else None


def pool_quality(values: Sequence[float]) -> PoolQuality | None:
    """Summarise expected scores in 0..1; None for none."""
    if not values:
        return None
    array = np.asarray(values)
    histogram, _ = np.histogram(array, bins=10, range=(0.0, 1.0))
    return PoolQuality(float(array.mean()), int((array < GOOD_QUALITY).sum()), tuple(int(n) for n in histogram))


def _curve(tx: Reader, models: Sequence[Model]) -> list[CurvePoint]:
    by_id = {m.id: m.index for m in models}
    evaluations = sorted(tx.find(Evaluation), key=lambda e: (e.split, by_id[e.model_id]))
    return [_curve_point(e, by_id[e.model_id], shown_interval(tx, e)) for e in evaluations]


def _curve_point(evaluation: Evaluation, index: int, interval: Interval) -> CurvePoint:
    return CurvePoint(
        model_index=index,
        labelled_cases=evaluation.labelled_cases,
        effort_minutes=evaluation.effort_minutes,
        split=evaluation.split,
        metric=evaluation.metric,
        mean=evaluation.mean,
        low=interval.low,
        high=interval.high,
        selected=evaluation.selected,
        note=interval.note,
    )


def _model_line(tx: Reader, model: Model) -> ModelLine:
    cases = len(tx.get(Snapshot, model.snapshot_id).annotation_ids)
    steps, seconds = int(model.metrics.get("steps", 0)), float(model.metrics.get("seconds", 0.0))
    return ModelLine(model.id, model.index, model.created_at, steps, seconds, cases)


def _round_line(tx: Reader, current: Round) -> RoundLine:
    if current.query_id is None:
        return RoundLine(current.index, current.state, "", 0, 0, current.message)
    query = tx.get(Query, current.query_id)
    answered = {a.case_id for a in tx.current_annotations(case_ids=[c.case_id for c in query.choices])}
    return RoundLine(current.index, current.state, query.strategy, len(query.choices), len(answered), current.message)
