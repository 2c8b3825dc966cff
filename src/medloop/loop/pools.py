"""The pool as numbers: what predictions say of the cases, gathered into the arrays that strategies see.

A prediction keeps its scores as JSON: numbers are scores, rows are tables, and "samples" is one row per sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Annotation, Case, Json, Model, Prediction
from medloop.loop.arrays import load_features
from medloop.loop.consensus import consensus_answers
from medloop.loop.workspace import Workspace
from medloop.query.pool import Pool

ExtraScores = Mapping[str, Mapping[str, float]]
"""Score name → case name → value: what predictions do not hold, such as an oracle's knowledge."""


def available(workspace: Workspace, predictions: Sequence[Prediction], extra_scores: ExtraScores) -> frozenset[str]:
    """What of `medloop.query.pool.NEEDS` these predictions and extras can give; nothing without predictions."""
    if not predictions:
        return frozenset()
    known = set.intersection(*(set(p.scores) for p in predictions)) | set(extra_scores)
    if all(p.features for p in predictions):
        known.add("features")
    if workspace.task.kind == "classification":
        known.add("classes")
    return frozenset(known)


def build_pool(
    workspace: Workspace,
    needs: frozenset[str],
    cases: Sequence[Case],
    predictions: Mapping[str, Prediction],
    *,
    model: Model | None,
    extra_scores: ExtraScores,
    round_index: int,
) -> Pool:
    """The pool of these cases with what a strategy needs.

    Args:
        workspace: The project.
        needs: What the strategy asks for; features and what answered cases hold are read only if it does.
        cases: Unanswered cases, ordered by name; each has a prediction unless nothing is needed.
        predictions: Case id → its newest prediction.
        model: Whose predictions these are.
        extra_scores: Scores that predictions do not hold.
        round_index: Which round asks, 1 for the first.
    """
    names = tuple(c.name for c in cases)
    if not needs:
        return Pool(names, {}, None, None, round=round_index)
    rows = [predictions[c.id].scores for c in cases]
    pool = Pool(
        names,
        {**_scores(rows), **{name: np.array([values[n] for n in names]) for name, values in extra_scores.items()}},
        None,
        None,
        tables=_tables(rows, needs),
        samples=_samples(rows) if "samples" in needs else None,
        round=round_index,
    )
    if "features" not in needs:
        return pool
    answered, known = _answered(workspace, model)
    return replace(
        pool,
        features=_features(workspace, [predictions[c.id] for c in cases]),
        labelled_features=_features(workspace, known) if known else None,
        labelled=_labelled(workspace, answered, known, needs) if known else {},
    )


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


def _answered(workspace: Workspace, model: Model | None) -> tuple[dict[str, Annotation], list[Prediction]]:
    """Answers that may be trained on, by case id, and the model's predictions of these cases."""
    if model is None:
        return {}, []
    with workspace.store.read() as tx:
        answers = {a.case_id: a for a in consensus_answers(tx, "train")}
        return answers, [p for p in tx.latest_predictions(model.id) if p.case_id in answers]


def _labelled(
    workspace: Workspace, answers: Mapping[str, Annotation], predictions: Sequence[Prediction], needs: frozenset[str]
) -> dict[str, FloatArray]:
    tables = _tables([p.scores for p in predictions], needs)
    if workspace.task.kind == "classification":
        places = {value: float(n) for n, value in enumerate(workspace.task.label_values)}
        tables["classes"] = np.array([places[int(answers[p.case_id].tag or 0)] for p in predictions])
    return tables


def _features(workspace: Workspace, predictions: Sequence[Prediction]) -> FloatArray:
    rows = [load_features(workspace.store.blobs, p.features) for p in predictions if p.features]
    return np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)
