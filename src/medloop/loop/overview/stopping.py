"""Whether to go on asking: gathers what a project knows and lets `medloop.query.stopping` weigh it.

Advice only; the loop goes on until people stop. Reads numbers, and the masks of a small fixed set of unanswered cases
once per pair of models.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Case, Evaluation, Model, Prediction, Query, Round, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.effort import EffortLine, effort_summary, minutes_model, minutes_words, predict_minutes, priced
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.spent import OWN_ORIGINS
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drawn import DrawnEstimate, drawn_estimates
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS
from medloop.loop.overview.model_history import PREFERRED
from medloop.loop.overview.selected import drawn_curve
from medloop.loop.querying.lacking import left_for_label
from medloop.metrics.intervals import MIN_PATIENTS
from medloop.query.budget.extrapolation import MIN_POINTS, drawn_curves, patient_curves
from medloop.query.budget.stability import KAPPA_WINDOW, confusion, kappa
from medloop.query.reaching import FEWEST_TIMES, Reach, cases_to_target, hours_for
from medloop.query.stopping import Curve, Evidence, Spending
from medloop.store.reader import Reader

STOP_SET_CASES = 40
STOP_SET_VOXELS = 20_000_000
"""Predictions are compared on so many unanswered cases at most, so that the question stays cheap: about a second once."""

MINUTES_CASES = 50


@dataclass(frozen=True)
class TargetForecast:
    """How far the target score is: further cases and hours of work, each with its 95 % interval.

    Attributes:
        target: The setting `target_score`.
        cases, hours: None for an end that the cases left do not reach, or without recorded times.
        left: Unlabelled cases; those that are annotated for some labels only are left out.
        note: What is missing for a forecast, in words; "" where there is one.
    """

    target: float
    cases: Reach | None
    hours: Reach | None
    left: int
    note: str


def target_forecast(workspace: Workspace, evidence: Evidence) -> TargetForecast | None:
    """How far the target score is, by the curve that the advice rests on; None where none is set."""
    target, curve = evidence.target, evidence.curve
    if not target:
        return None
    with workspace.store.read() as tx:
        left = sum(cases for split, state, cases, _ in tx.counts_by_state() if split in ("train", "audit") and state == "unanswered")
        minutes = np.array([row[2] / 60 for row in tx.recent_efforts(OWN_ORIGINS, MINUTES_CASES) if row[2] > 0])
    cases = cases_to_target(curve, target, left) if curve is not None else None
    hours = hours_for(cases, minutes) if cases is not None else None
    return TargetForecast(target, cases, hours, left, _lacking(curve, cases, hours))


def _lacking(curve: Curve | None, cases: Reach | None, hours: Reach | None) -> str:
    """What a forecast lacks, in words."""
    if curve is None:
        return "No model was judged yet"
    if curve.patients < MIN_PATIENTS:
        return f"{counted(MIN_PATIENTS - curve.patients, 'more evaluated patient')} needed"
    if cases is None:
        models = len(np.unique(curve.labels[curve.labels >= 1]))
        return f"{counted(MIN_POINTS - models, 'more model')} needed" if models < MIN_POINTS else "No case is left to annotate"
    return "" if hours is not None else f"{FEWEST_TIMES} annotations with a recorded time are needed for hours"


def stopping_evidence(
    workspace: Workspace, *, effort: Sequence[EffortLine] | None = None, drawn: Sequence[DrawnEstimate] | None = None
) -> Evidence:
    """Everything the advice rests on."""
    settings = workspace.settings
    with workspace.store.read() as tx:
        total = tx.case_counts().total
        models = tx.distinct_models()
        curves = _curves(tx, models, settings.seed)
        lines = effort_summary(tx) if effort is None else effort
        batch, minutes, cost = _next_batch(workspace, tx, models, with_cost=priced(lines))
        accuracy = minutes_words(tx) if minutes is not None else ""
        spending = _spending(workspace, tx, lines)
        left = len(tx.unlabelled_cases(["train", "audit"], exclude_open=False, limit=1)) + left_for_label(workspace, tx)
    return Evidence(
        spending=spending,
        curve=_best_curve(workspace, curves, drawn),
        target=settings.target_score,
        kappas=tuple(agreements(workspace, models[-KAPPA_WINDOW - 1 :])),
        next_batch=batch,
        next_minutes=minutes,
        next_cost=cost,
        minutes_note=accuracy,
        left=left if total else 1,
    )


def agreements(workspace: Workspace, models: Sequence[Model]) -> list[float]:
    """Kappa of each pair of consecutive models on unanswered training cases that both have seen, oldest first."""
    if len(models) < 2:
        return []
    with workspace.store.read() as tx:
        cases = _stop_set(tx)
        seen = [_predictions(tx, m, cases) for m in models]
    found: list[float] = []
    with memo(workspace, "agreement") as known:
        for older, newer in pairwise(seen):
            shared = [c for c in cases if c.id in older and c.id in newer]
            if shared:
                tables = [_table(workspace, c, older[c.id], newer[c.id], known) for c in shared]
                found.append(kappa(np.sum(tables, axis=0)))
    return found


def _stop_set(tx: Reader) -> list[Case]:
    """A fixed part of the unanswered cases, small enough to compare; their ids are random, and so is what comes first."""
    chosen: list[Case] = []
    voxels = 0
    for case in tx.some_unlabelled(["train"], STOP_SET_CASES):
        voxels += math.prod(case.grid.shape)
        if voxels > STOP_SET_VOXELS and chosen:
            break
        chosen.append(case)
    return chosen


def _predictions(tx: Reader, model: Model, cases: Sequence[Case]) -> dict[str, Prediction]:
    """Case id → the model's newest prediction."""
    return {p.case_id: p for p in tx.find(Prediction, where={"model_id": model.id, "case_id": [c.id for c in cases]})}


def _table(workspace: Workspace, case: Case, older: Prediction, newer: Prediction, known: Memo) -> np.ndarray:
    classes = workspace.task.classes
    if older.mask is None or newer.mask is None:
        said = [np.array([int(np.argmax(p.probabilities))]) for p in (older, newer)]
        return confusion(said[0], said[1], classes)

    def compare() -> list[list[int]]:
        masks = [load_proposal(workspace.store.blobs, p, case) for p in (older, newer)]
        return [[int(n) for n in row] for row in confusion(masks[0], masks[1], classes)]

    return np.array(known.get(f"{older.mask} {newer.mask} {classes}", compare))


def _best_curve(workspace: Workspace, curves: Mapping[Split, Curve], drawn: Sequence[DrawnEstimate] | None) -> Curve | None:
    """What to go by: test or audit patients where they suffice, else the queried cases by their chances, else whatever there is."""
    for split in FAIR_SPLITS:
        if split in curves and curves[split].patients >= MIN_PATIENTS:
            return curves[split]
    found = drawn_curve(workspace, drawn_estimates(workspace) if drawn is None else drawn)
    return found if found is not None else next((curves[split] for split in PREFERRED if split in curves), None)


def _curves(tx: Reader, models: Sequence[Model], seed: int) -> dict[Split, Curve]:
    """The curve of each split there is, over models that were judged on at least half of the newest one's cases.

    Only labels that every one of them was scored on count: a label added later would bend the curve.
    """
    order, found = {m.id: place for place, m in enumerate(models)}, dict[Split, Curve]()
    for split in PREFERRED:
        judged = [e for e in tx.current_evaluations(split=split) if e.model_id in order]
        judged.sort(key=lambda e: order[e.model_id])
        curve = _paired_curve(tx, judged, split, seed) if judged else None
        if curve is not None:
            found[split] = curve
    return found


def _paired_curve(tx: Reader, judged: Sequence[Evaluation], split: Split, seed: int) -> Curve | None:
    newest = judged[-1]
    shared, points = {i: set(by_label) for i, by_label in newest.per_case.items() if by_label}, [newest]
    for older in reversed(judged[:-1]):
        both = {i: names for i, ours in shared.items() if (names := ours & set(older.per_case.get(i, ())))}
        if len(both) < len(newest.per_case) / 2:
            break
        shared, points = both, [older, *points]
    if not shared:
        return None
    known = tx.patients_of(shared)
    cases = sorted(shared, key=lambda i: known[i][0])
    patients = [known[i][1] for i in cases]
    per_case = np.array([[_mean(e.per_case[i], shared[i]) for e in points] for i in cases])
    draws = drawn_curves(per_case, patients, generator(seed, "stopping", split))
    words = {"test": "test cases", "audit": "audit cases", "validation": "validation cases (optimistic: they also chose the weights)"}
    return Curve(
        labels=np.array([e.labelled_cases for e in points], dtype=np.float64),
        scores=patient_curves(per_case, patients).mean(axis=0),
        draws=draws,
        low=newest.low,
        patients=len(set(patients)),
        source=words[split],
    )


def _mean(by_label: Mapping[str, float], names: Collection[str]) -> float:
    return float(np.mean([by_label[name] for name in sorted(names)]))


def _spending(workspace: Workspace, tx: Reader, lines: Sequence[EffortLine]) -> Spending:
    settings = workspace.settings
    return Spending(
        labels=tx.annotated_cases(OWN_ORIGINS),
        minutes=sum(line.minutes for line in lines),
        money=sum(line.cost for line in lines),
        budget_labels=settings.budget_labels,
        budget_minutes=settings.budget_minutes,
        budget_money=settings.budget_money,
        priced=priced(lines),
    )


def _next_batch(workspace: Workspace, tx: Reader, models: Sequence[Model], *, with_cost: bool) -> tuple[int, float | None, float | None]:
    """Size of the next round, its predicted minutes and cost; None while no time was recorded."""
    waiting = tx.find(Round, where={"state": "querying"}, limit=1)
    if waiting and waiting[0].query_id:
        cases = [tx.get(Case, c.case_id) for c in tx.get(Query, waiting[0].query_id).choices]
        size = len(cases)
    else:
        cases = tx.unlabelled_cases(["train"], exclude_open=False, limit=MINUTES_CASES)
        size = min(workspace.settings.batch_size, max(1, len(cases)))
    if not cases or (learned := minutes_model(tx)).basis == "nothing":
        return size, None, None
    predictions = _predictions(tx, models[-1], cases) if models else {}
    minutes = predict_minutes(tx, cases, predictions, learned=learned)
    costs = predict_minutes(tx, cases, predictions, as_cost=True) if with_cost else {}
    each = [float(np.mean(list(found.values()))) * size if found else None for found in (minutes, costs)]
    return size, each[0], each[1]
