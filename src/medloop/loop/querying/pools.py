"""The pool as numbers: what predictions say of the cases, gathered into the arrays that strategies see.

A prediction keeps its scores as JSON: numbers are scores, rows are tables, and "samples" is one row per sample.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import BlobError
from medloop.core.records import Annotation, Case, Json, Model, Prediction
from medloop.loop.foundation.arrays import load_features
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.effort import effort_summary, predict_minutes, priced
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.mapped_features import mapped_features
from medloop.loop.querying.on_demand import Extra, cold_features, extra_scores, kept_features
from medloop.loop.querying.pool_table import PoolScores
from medloop.query.pool import COMPARING, ON_DEMAND, Pool
from medloop.query.sharding import Sharding

MAPPED_FROM = 20_000
"""Cases from which on their embeddings lie in a file: with fewer, a file costs more than it saves."""

ExtraScores = Mapping[str, Mapping[str, float]]
"""Score name → case name → value: what predictions do not hold, such as an oracle's knowledge."""


@dataclass(frozen=True)
class PoolInputs:
    """Where the pool of one query comes from.

    Attributes:
        candidates: Names of the unlabelled training cases, in order.
        model: The model in use, if there is one.
        extra_scores: Scores that predictions do not hold.
        round_index: Which round queries, 1 for the first.
        thorough: Whether images may be read and small networks trained; see `medloop.loop.querying.on_demand`.
        scores: Single numbers of the model's predictions of these cases, so that many strategies need not read these.
    """

    workspace: Workspace
    candidates: Sequence[str]
    model: Model | None
    extra_scores: ExtraScores
    round_index: int
    thorough: bool
    scores: PoolScores | None = None


def build_pool(inputs: PoolInputs, needs: frozenset[str]) -> Pool | None:
    """The pool with what a strategy needs, or None when some of it does not exist; damaged features cost their case only."""
    pool, workspace = _built(inputs, needs), inputs.workspace
    return pool and replace(pool, sharding=Sharding(workspace.executor, workspace.work_folder / "selection"))


def _built(inputs: PoolInputs, needs: frozenset[str]) -> Pool | None:
    if not needs:
        return Pool(tuple(inputs.candidates), {}, None, None, round=inputs.round_index)
    if inputs.scores is not None and needs <= set(inputs.scores.columns):
        return _scored(inputs, inputs.scores)
    unreadable: set[str] = set()
    while True:
        try:
            if predictions := _predictions(inputs, unreadable):
                return _predicted(inputs, predictions, needs)
            return _described(inputs) if needs <= {"features"} else None
        except BlobError as error:
            if error.blob in unreadable:
                raise
            unreadable.add(error.blob)


def _cases(inputs: PoolInputs) -> list[Case]:
    """The cases in full, by name."""
    with inputs.workspace.store.read() as tx:
        return sorted(tx.find(Case, where={"name": inputs.candidates}), key=lambda c: c.name)


def _predictions(inputs: PoolInputs, unreadable: Collection[str]) -> dict[str, Prediction]:
    """Case id → the model's prediction; without those whose features are damaged."""
    if inputs.model is None:
        return {}
    with inputs.workspace.store.read() as tx:
        return {p.case_id: p for p in tx.latest_predictions(inputs.model.id) if p.features not in unreadable}


def _scored(inputs: PoolInputs, scores: PoolScores) -> Pool:
    """From single numbers alone; cases without a prediction are left out."""
    names = tuple(inputs.candidates) if scores.seen.all() else tuple(compress(inputs.candidates, scores.seen.tolist()))
    return Pool(names, {name: values[scores.seen] for name, values in scores.columns.items()}, None, None, round=inputs.round_index)


def _predicted(inputs: PoolInputs, predictions: Mapping[str, Prediction], needs: frozenset[str]) -> Pool | None:
    """From predictions; cases without one are left out."""
    workspace, cases = inputs.workspace, _cases(inputs)
    seen = [c for c in cases if c.id in predictions]
    with workspace.store.read() as tx:
        answered = {a.case_id: a for a in consensus_annotations(tx, "train")} if needs & COMPARING else {}
    known = [p for p in predictions.values() if p.case_id in answered]
    extra = _worked_out(inputs, needs, seen, [p.case_id for p in known], predictions)
    if not needs <= _available(inputs, predictions) | set(extra.scores) | set(extra.tables):
        return None
    rows = [predictions[c.id].scores for c in seen]
    given = {name: np.array([values[c.name] for c in seen]) for name, values in _given(inputs, needs, cases, predictions).items()}
    labelled = {**_labelled(workspace, answered, known, needs), **extra.labelled} if known else {}
    featured = "features" in needs
    return Pool(
        tuple(c.name for c in seen),
        {**_scores(rows), **given, **extra.scores},
        _features(workspace, [predictions[c.id] for c in seen]) if featured else None,
        _features(workspace, known) if featured and known else None,
        tables={**_tables(rows, needs), **extra.tables},
        labelled=labelled,
        samples=_samples(rows) if "samples" in needs else None,
        round=inputs.round_index,
    )


def _described(inputs: PoolInputs) -> Pool | None:
    """From descriptions of the images, before there is a model."""
    workspace, asked = inputs.workspace, _cases(inputs)
    with workspace.store.read() as tx:
        answered = [tx.get(Case, a.case_id) for a in consensus_annotations(tx, "train")]
    every = [*asked, *answered]
    kept = cold_features(workspace, every) if inputs.thorough else kept_features(workspace, every)
    damaged = {case.case_id for case in damaged_cases(workspace)}
    if not all(c.id in kept or c.id in damaged for c in every):
        return None
    cases, known = [c for c in asked if c.id in kept], [kept[c.id] for c in answered if c.id in kept]
    table = np.stack([kept[c.id] for c in cases]) if cases else np.zeros((0, 1), dtype=np.float32)
    return Pool(tuple(c.name for c in cases), {}, table, np.stack(known) if known else None, round=inputs.round_index)


def _available(inputs: PoolInputs, predictions: Mapping[str, Prediction]) -> set[str]:
    """What predictions, extras and the task give."""
    known = set.intersection(*(set(p.scores) for p in predictions.values())) | set(inputs.extra_scores) | {"minutes", "cost"}
    known |= {"features"} if all(p.features for p in predictions.values()) else set()
    return known | ({"classes"} if inputs.workspace.task.kind == "classification" else set())


def _given(inputs: PoolInputs, needs: frozenset[str], cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> ExtraScores:
    """Scores by case name that are no part of predictions: the caller's, and from the effort log minutes, and cost where rates are set."""
    if not needs & {"minutes", "cost"} or "minutes" in inputs.extra_scores:
        return inputs.extra_scores
    with inputs.workspace.store.read() as tx:
        wanted = "cost" in needs or priced(effort_summary(tx))
        cost = {"cost": predict_minutes(tx, cases, predictions, as_cost=True)} if wanted else {}
        return {**inputs.extra_scores, "minutes": predict_minutes(tx, cases, predictions), **cost}


def _worked_out(
    inputs: PoolInputs, needs: frozenset[str], cases: Sequence[Case], answered: Sequence[str], predictions: Mapping[str, Prediction]
) -> Extra:
    if not inputs.thorough or not needs & ON_DEMAND:
        return Extra()
    with inputs.workspace.store.read() as tx:
        labelled = [tx.get(Case, case_id) for case_id in answered]
    return extra_scores(inputs.workspace, needs, cases, labelled=labelled, predictions=predictions, model=inputs.model)


def _scores(rows: Sequence[Json]) -> dict[str, FloatArray]:
    return {name: np.array([float(r[name]) for r in rows]) for name in _common(rows) if not isinstance(rows[0][name], list)}


def _tables(rows: Sequence[Json], needs: frozenset[str]) -> dict[str, FloatArray]:
    names = [name for name in _common(rows) if name in needs and name != "samples" and isinstance(rows[0][name], list)]
    return {name: np.array([r[name] for r in rows], dtype=np.float64) for name in names}


def _samples(rows: Sequence[Json]) -> FloatArray | None:
    """Shape (samples, cases, classes), as many samples as every case has."""
    if not rows or any("samples" not in r for r in rows):
        return None
    fewest = min(len(r["samples"]) for r in rows)
    return np.stack([np.array(r["samples"][:fewest], dtype=np.float64) for r in rows], axis=1)


def _common(rows: Sequence[Json]) -> list[str]:
    return sorted(set.intersection(*(set(r) for r in rows))) if rows else []


def _labelled(
    workspace: Workspace, answers: Mapping[str, Annotation], predictions: Sequence[Prediction], needs: frozenset[str]
) -> dict[str, FloatArray]:
    tables = _tables([p.scores for p in predictions], needs)
    if workspace.task.kind == "classification":
        places = {value: float(n) for n, value in enumerate(workspace.task.label_values)}
        tables["classes"] = np.array([places[int(answers[p.case_id].tag or 0)] for p in predictions])
    return tables


def _features(workspace: Workspace, predictions: Sequence[Prediction]) -> FloatArray:
    """Embeddings of one model's predictions, in memory or, of very many, mapped from a file; shape (predictions, dimensions)."""
    named = [p for p in predictions if p.features]
    if len(named) >= MAPPED_FROM:
        return mapped_features(workspace, named)
    rows = [load_features(workspace.store.blobs, p.features) for p in named if p.features]
    return np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)
