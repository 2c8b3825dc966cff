"""Make a query: gather the pool's arrays, let a strategy choose, mix in the audit sample.

Everything a strategy sees is ordered by case name, and its randomness comes from (project seed, round),
so the same project asks the same cases again. Only numbers are read: no image, no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.records import Case, Choice, Model, Prediction, Query, Round, new_id, now
from medloop.core.seeds import derive_seed, generator
from medloop.loop.pools import ExtraScores, available, build_pool
from medloop.loop.workspace import Workspace
from medloop.query.strategies import Pool, Strategy, strategy
from medloop.store.reader import Reader

AUDIT_REASON = "audit sample: measures the model, never trained on"
AUDIT_SHARE = 4
"""One audit case for every so many queried cases, until the audit sample is answered."""


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
    if not _has_what_it_needs(workspace, chosen, predictions, extra_scores or {}):
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


def _has_what_it_needs(workspace: Workspace, chosen: Strategy, predictions: Mapping[str, Prediction], extra_scores: ExtraScores) -> bool:
    """Whether a strategy can choose now; one of the literature's oracles never can outside a simulation."""
    return not chosen.needs or chosen.needs <= available(workspace, list(predictions.values()), extra_scores)


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
    pool = build_pool(workspace, chosen.needs, seen, predictions, model=model, extra_scores=extra_scores, round_index=round_index)
    picks = chosen.select(pool, min(size, len(seen)), rng) if seen else []
    choices = [Choice(case_id=seen[p.index].id, score=float(p.score), reason=p.reason) for p in picks]
    unseen = [c for c in cases if c.id not in predictions] if chosen.needs and len(choices) < size else []
    rest = (
        strategy("random").select(Pool(tuple(c.name for c in unseen), {}, None, None), min(size - len(choices), len(unseen)), rng)
        if unseen
        else []
    )
    return choices + [Choice(case_id=unseen[p.index].id, score=0.0, reason="not yet seen by the model") for p in rest]


def _with_audit(choices: list[Choice], audit: Sequence[Case], size: int, rng: np.random.Generator) -> list[Choice]:
    """Mix audit cases evenly into the choices, at random places of the sample."""
    wanted = min(len(audit), max(1, size // AUDIT_SHARE))
    picked = sorted(rng.choice(len(audit), size=wanted, replace=False)) if wanted else []
    mixed = list(choices)
    for n, index in enumerate(picked):
        place = min(len(mixed), (n + 1) * max(1, len(choices) // (wanted + 1)) + n)
        mixed.insert(place, Choice(case_id=audit[index].id, score=0.0, reason=AUDIT_REASON))
    return mixed
