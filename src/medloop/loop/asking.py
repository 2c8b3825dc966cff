"""Make a query: gather the pool's arrays, let a strategy choose, mix in the audit sample.

Everything a strategy sees is ordered by case name, and its randomness comes from (project seed, round),
so the same project asks the same cases again. Only numbers are read: no image, no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.records import Case, Choice, Json, Model, Prediction, Query, Round, new_id, now
from medloop.core.seeds import derive_seed, generator
from medloop.loop.arrays import load_features
from medloop.loop.workspace import Workspace
from medloop.query.strategies import Pool, Strategy, strategy
from medloop.store.reader import Reader

AUDIT_REASON = "audit sample: measures the model, never trained on"
AUDIT_SHARE = 4
"""One audit case for every so many queried cases, until the audit sample is answered."""

ExtraScores = Mapping[str, Mapping[str, float]]
"""Score name → case name → value: what only an oracle knows, for baselines of the literature."""


@dataclass(frozen=True)
class Candidates:
    """What may be asked now, each ordered by name: training cases and audit cases."""

    train: tuple[Case, ...]
    audit: tuple[Case, ...]


def make_query(workspace: Workspace, round_index: int, *, extra_scores: ExtraScores | None = None) -> Query | None:
    """Choose the next cases; None when none is left.

    The project's first strategy chooses while there is no model, or when a strategy's scores do not exist.

    Args:
        workspace: The project.
        round_index: Which round asks (1 for the first); part of the seed.
        extra_scores: Scores that predictions do not hold.
    """
    settings = workspace.settings
    with workspace.store.read() as tx:
        candidates = askable(tx)
        model = tx.latest_model()
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)} if model else {}
    chosen = strategy(settings.strategy)
    if not _has_what_it_needs(chosen, predictions, extra_scores or {}):
        chosen, model = strategy(settings.first_strategy), None
    size = settings.start_size if round_index == 1 and settings.start_size else settings.batch_size
    choices = _choose(workspace, chosen, candidates.train, predictions, model, size, round_index, extra_scores or {})
    choices = _with_audit(choices, candidates.audit, size, generator(settings.seed, "audit", round_index))
    if not choices:
        return None
    seed = derive_seed(settings.seed, "query", round_index)
    return Query(
        id=new_id("query"),
        strategy=chosen.name,
        seed=seed,
        model_id=model.id if model else None,
        choices=tuple(choices),
        created_at=now(),
    )


def _has_what_it_needs(chosen: Strategy, predictions: Mapping[str, Prediction], extra_scores: ExtraScores) -> bool:
    """Whether a strategy can choose now; one of the literature's oracles never can outside a simulation."""
    if not chosen.needs:
        return True
    known = set(extra_scores).union(*(p.scores for p in predictions.values()))
    if all(p.features for p in predictions.values()):
        known.add("features")
    return bool(predictions) and chosen.needs <= known


def askable(tx: Reader) -> Candidates:
    """Unanswered cases that nobody skipped and no open round has asked."""
    asked = asked_case_ids(tx)
    return Candidates(
        train=tuple(sorted((c for c in tx.unanswered_cases(["train"]) if c.id not in asked), key=lambda c: c.name)),
        audit=tuple(sorted((c for c in tx.unanswered_cases(["audit"]) if c.id not in asked), key=lambda c: c.name)),
    )


def asked_case_ids(tx: Reader) -> set[str]:
    """Cases that belong to a round still being annotated."""
    rounds = tx.find(Round, where={"state": "annotating"})
    queries = [tx.get(Query, r.query_id) for r in rounds if r.query_id]
    return {choice.case_id for query in queries for choice in query.choices}


def _choose(
    workspace: Workspace,
    chosen: Strategy,
    cases: Sequence[Case],
    predictions: Mapping[str, Prediction],
    model: Model | None,
    size: int,
    round_index: int,
    extra_scores: ExtraScores,
) -> list[Choice]:
    """The strategy's picks; cases without a prediction are only asked when the others run out."""
    seen = [c for c in cases if c.id in predictions] if chosen.needs else list(cases)
    rng = generator(workspace.settings.seed, "query", round_index)
    pool = _pool(workspace, chosen, seen, predictions, model, extra_scores)
    picks = chosen.select(pool, min(size, len(seen)), rng) if seen else []
    choices = [Choice(case_id=seen[p.index].id, score=float(p.score), reason=p.reason) for p in picks]
    unseen = [c for c in cases if c.id not in predictions] if chosen.needs and len(choices) < size else []
    rest = (
        strategy("random").select(Pool(tuple(c.name for c in unseen), {}, None, None), min(size - len(choices), len(unseen)), rng)
        if unseen
        else []
    )
    return choices + [Choice(case_id=unseen[p.index].id, score=0.0, reason="not yet seen by the model") for p in rest]


def _pool(
    workspace: Workspace,
    chosen: Strategy,
    cases: Sequence[Case],
    predictions: Mapping[str, Prediction],
    model: Model | None,
    extra_scores: ExtraScores,
) -> Pool:
    names = tuple(c.name for c in cases)
    if not chosen.needs:
        return Pool(names, {}, None, None)
    rows: list[Json] = [predictions[c.id].scores for c in cases]
    known = sorted(set.intersection(*(set(r) for r in rows))) if rows else []
    scores = {name: np.array([float(r[name]) for r in rows]) for name in known}
    scores |= {name: np.array([values[n] for n in names]) for name, values in extra_scores.items()}
    pool = Pool(names, scores, None, None)
    if "features" not in chosen.needs:
        return pool
    return replace(
        pool,
        features=_features(workspace, [predictions[c.id] for c in cases]),
        labelled_features=_labelled_features(workspace, model),
    )


def _features(workspace: Workspace, predictions: Sequence[Prediction]) -> np.ndarray:
    rows = [load_features(workspace.store.blobs, p.features) for p in predictions if p.features]
    return np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)


def _labelled_features(workspace: Workspace, model: Model | None) -> np.ndarray | None:
    if model is None:
        return None
    with workspace.store.read() as tx:
        answered = {a.case_id for a in tx.current_annotations(splits=["train"])}
        predictions = [p for p in tx.latest_predictions(model.id) if p.case_id in answered]
    return _features(workspace, predictions) if predictions else None


def _with_audit(choices: list[Choice], audit: Sequence[Case], size: int, rng: np.random.Generator) -> list[Choice]:
    """Mix audit cases evenly into the choices, at random places of the sample."""
    wanted = min(len(audit), max(1, size // AUDIT_SHARE))
    picked = sorted(rng.choice(len(audit), size=wanted, replace=False)) if wanted else []
    mixed = list(choices)
    for n, index in enumerate(picked):
        place = min(len(mixed), (n + 1) * max(1, len(choices) // (wanted + 1)) + n)
        mixed.insert(place, Choice(case_id=audit[index].id, score=0.0, reason=AUDIT_REASON))
    return mixed
