"""What the progress page shows: the learning curve, speed, expected quality of the pool, models, rounds, advice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.names import counted
from medloop.core.records import Evaluation, Model, Query, Round
from medloop.loop.foundation.effort import EffortLine, effort_summary
from medloop.loop.foundation.follow_up import POOL
from medloop.loop.foundation.leaning import leaning_words
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drawn import drawn_estimates
from medloop.loop.judging.evaluation_cases import shown_interval, surface_words
from medloop.loop.judging.predictions import quality_note
from medloop.loop.overview.class_counts import ClassCount, queried_classes
from medloop.loop.overview.model_history import ModelLine, model_lines
from medloop.loop.overview.selected import SelectedView, selected_view
from medloop.loop.overview.spending import CaseWork, work_per_case
from medloop.loop.overview.stopping import TargetForecast, stopping_evidence, target_forecast
from medloop.metrics.intervals import Interval
from medloop.query.stopping import Advice, advise
from medloop.store.reader import Reader
from medloop.store.tallies import BINS

GOOD_QUALITY = 0.8
"""Predictions expected below this, an edge of the bins, are counted as low: a common mark for a usable segmentation."""

RECENT_ANNOTATIONS = 50
"""Speed is measured over the last answers, so that it follows a model that gets better."""


@dataclass(frozen=True)
class CurvePoint:
    """One model on one split, mean with 95 % interval, against answers learned and human minutes.

    Attributes:
        low, high: None where there are too few patients for an interval.
        note: Why there is no interval; "" where there is one.
        leaning: Cases whose annotation leans on a model's proposal; see `medloop.loop.annotating.independence`.
        surface: How far surfaces are apart, in words; "" where that is not known.
        warning: What that does to the score, and labels that other points were scored on and this was not, in words; "" for neither.
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
    leaning: int = 0
    warning: str = ""
    surface: str = ""


@dataclass(frozen=True)
class PoolQuality:
    """Expected scores of the unanswered cases: mean, how many are low, counts in ten equal bins of 0..1."""

    mean: float
    low_count: int
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class RoundLine:
    """One round in a table."""

    index: int
    state: str
    strategy: str
    cases: int
    annotated: int
    message: str
    work: CaseWork | None = None


@dataclass(frozen=True)
class Progress:
    """Everything at once.

    Attributes:
        curve: Evaluations that count, one model per distinct set of annotations.
        unpredicted: Unlabelled cases that the model in use has not seen yet; None without a model.
        pool_note: What is missing in the pool's predictions and qualities, in words; "" where nothing is.
        effort: What each annotator's annotations took.
        queried: Per label, how many annotated cases hold it and how many of them were queried.
        stopping: Whether to go on asking, and why.
        target: How far the target score is; None where none is set.
        work: What a case takes on average.
        selected: What the queried cases say of the pool, beside the evaluation cases; None before the first model.
        quality_note: Why predictions of the model in use have no expected quality; "" where they have, or without a model.
    """

    curve: tuple[CurvePoint, ...]
    labels_per_hour: float | None
    annotated: int
    total: int
    pool_quality: PoolQuality | None
    models: tuple[ModelLine, ...]
    unpredicted: int | None
    pool_note: str
    rounds: tuple[RoundLine, ...]
    effort: tuple[EffortLine, ...]
    queried: tuple[ClassCount, ...]
    stopping: Advice
    quality_note: str = ""
    target: TargetForecast | None = None
    work: CaseWork | None = None
    selected: SelectedView | None = None


def progress(workspace: Workspace) -> Progress:
    """The project's progress now."""
    with workspace.store.read() as tx:
        live, effort = tx.live_model(), effort_summary(tx)
    drawn = drawn_estimates(workspace)
    queried, evidence = queried_classes(workspace), stopping_evidence(workspace, effort=effort, drawn=drawn)
    selected = selected_view(workspace, drawn, evidence.curve.source if evidence.curve else "")
    note, work = quality_note(workspace, live) if live else "", work_per_case(workspace)
    with workspace.store.read() as tx:
        models = tx.distinct_models()
        counts, pooled = tx.case_counts(), _pool_quality(tx)
        unpredicted = tx.unpredicted(live.id, POOL) if live else None
        return Progress(
            curve=tuple(_curve(tx, models)),
            labels_per_hour=labels_per_hour(tx),
            annotated=counts.annotated,
            total=counts.total,
            pool_quality=pooled,
            models=model_lines(tx),
            unpredicted=unpredicted,
            pool_note=pool_note(live, unpredicted, pooled),
            rounds=_round_lines(tx, work),
            effort=effort,
            queried=queried,
            stopping=advise(evidence),
            quality_note=note,
            target=target_forecast(workspace, evidence),
            work=work.get(""),
            selected=selected,
        )


def labels_per_hour(tx: Reader) -> float | None:
    """Answers per hour of active human time over the recent answers; None without timed answers."""
    timed = [row[2] for row in tx.recent_efforts(("human",), RECENT_ANNOTATIONS) if row[2] > 0]
    return 3600.0 * len(timed) / sum(timed) if timed else None


def pool_note(live: Model | None, unpredicted: int | None, quality: PoolQuality | None) -> str:
    """Why the pool has no prediction or no expected quality; "" where every case has both."""
    if live is None:
        return "No model yet: the first one predicts the pool."
    if unpredicted:
        cases = f"{counted(unpredicted, 'case')} {'waits' if unpredicted == 1 else 'wait'}"
        return f"{cases} for the prediction of model {live.index}."
    if quality is None:
        unknown = "how good its predictions are is unknown until more evaluation patients are annotated"
        return f"Model {live.index} has predicted the pool; {unknown}."
    return ""


def _pool_quality(tx: Reader) -> PoolQuality | None:
    sums = tx.quality_sums(["train"])
    low = sum(sums.bins[: round(GOOD_QUALITY * BINS)])
    return PoolQuality(sums.total / sums.count, low, sums.bins) if sums.count else None


def _curve(tx: Reader, models: Sequence[Model]) -> list[CurvePoint]:
    by_id, order = {m.id: m.index for m in models}, {m.id: place for place, m in enumerate(models)}
    judged = [e for e in tx.current_evaluations() if e.model_id in by_id]
    evaluations = sorted(judged, key=lambda e: (e.split, order[e.model_id]))
    scored = {split: _labels(*(e for e in evaluations if e.split == split)) for split in {e.split for e in evaluations}}
    return [_curve_point(e, by_id[e.model_id], shown_interval(tx, e), scored[e.split] - _labels(e)) for e in evaluations]


def _labels(*evaluations: Evaluation) -> set[str]:
    """Names of the labels that were scored."""
    return {name for e in evaluations for by_label in e.per_case.values() for name in by_label}


def _warning(evaluation: Evaluation, unscored: Collection[str]) -> str:
    """What makes a score say something else than it seems to, in words."""
    leaning = leaning_words(len(evaluation.leaning), len(evaluation.per_case))
    lacking = (
        f"scored without {', '.join(sorted(unscored))}, unlike other points of this curve: not to be compared with them" if unscored else ""
    )
    return "; ".join(filter(None, (leaning, lacking)))


def _curve_point(evaluation: Evaluation, index: int, interval: Interval, unscored: Collection[str]) -> CurvePoint:
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
        leaning=len(evaluation.leaning),
        warning=_warning(evaluation, unscored),
        surface=surface_words(evaluation),
    )


def _round_lines(tx: Reader, work: Mapping[str, CaseWork]) -> tuple[RoundLine, ...]:
    rounds = tx.find(Round, order=("index",))
    queries = {q.id: q for q in tx.find(Query, where={"id": [r.query_id for r in rounds if r.query_id]})}
    answered = tx.annotated_among({c.case_id for q in queries.values() for c in q.choices})
    lines = (_round_line(r, queries.get(r.query_id or ""), answered) for r in rounds)
    return tuple(replace(line, work=work.get(str(line.index))) for line in lines)


def _round_line(current: Round, query: Query | None, answered: set[str]) -> RoundLine:
    if query is None:
        return RoundLine(current.index, current.state, "", 0, 0, current.message)
    done = len(answered & {c.case_id for c in query.choices})
    return RoundLine(current.index, current.state, query.strategy, len(query.choices), done, current.message)
