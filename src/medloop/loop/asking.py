"""Make a query: gather the pool's arrays, let a strategy choose, mix in the audit sample.

Everything a strategy sees is ordered by case name, and its randomness comes from (project seed, round),
so the same project asks the same cases again. Only numbers are read, unless a query is thorough.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.records import Case, Choice, Query, Round, new_id, now
from medloop.core.seeds import derive_seed, generator
from medloop.loop.damage import damaged_cases
from medloop.loop.pools import ExtraScores, Gathering
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


def make_query(workspace: Workspace, round_index: int, *, extra_scores: ExtraScores | None = None, thorough: bool = False) -> Query | None:
    """Choose the next cases; None when none is left.

    The project's first strategy chooses while there is no model, or when a strategy's scores do not exist; if it lacks
    something too, the draw is random.

    Args:
        workspace: The project.
        round_index: Which round asks (1 for the first); part of the seed.
        extra_scores: Scores that predictions do not hold.
        thorough: Whether images may be described and small networks trained for what a strategy needs: in the worker,
            where nobody waits.
    """
    settings, damaged = workspace.settings, damaged_cases(workspace)
    with workspace.store.read() as tx:
        candidates = _readable(askable(tx), {case.case_id for case in damaged})
        model = tx.live_model()
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)} if model else {}
    gather = Gathering(workspace, candidates.train, predictions, model, extra_scores or {}, round_index, thorough)
    names = (settings.strategy, settings.first_strategy, "random") if model else (settings.first_strategy, "random")
    chosen, pool = next((one, pool) for one in map(strategy, names) if (pool := gather.pool(one.needs)) is not None)
    size = settings.start_size if round_index == 1 and settings.start_size else settings.batch_size
    choices = _choose(chosen, pool, candidates.train, size, generator(settings.seed, "query", round_index))
    choices = _with_audit(choices, candidates.audit, size, generator(settings.seed, "audit", round_index))
    if not choices:
        return None
    return Query(
        id=new_id("query"),
        strategy=chosen.name,
        seed=derive_seed(settings.seed, "query", round_index),
        model_id=model.id if model and chosen.name == settings.strategy else None,
        choices=tuple(choices),
        created_at=now(),
    )


def askable(tx: Reader) -> Candidates:
    """Unanswered cases that nobody skipped and no open round has asked."""
    asked = asked_case_ids(tx)
    return Candidates(
        train=tuple(sorted((c for c in tx.unanswered_cases(["train"]) if c.id not in asked), key=lambda c: c.name)),
        audit=tuple(sorted((c for c in tx.unanswered_cases(["audit"]) if c.id not in asked), key=lambda c: c.name)),
    )


def _readable(candidates: Candidates, damaged: Collection[str]) -> Candidates:
    """Without cases whose bytes are known to be damaged."""
    train, audit = (tuple(c for c in cases if c.id not in damaged) for cases in (candidates.train, candidates.audit))
    return Candidates(train=train, audit=audit)


def asked_case_ids(tx: Reader) -> set[str]:
    """Cases that belong to a round still being annotated."""
    rounds = tx.find(Round, where={"state": "annotating"})
    queries = [tx.get(Query, r.query_id) for r in rounds if r.query_id]
    return {choice.case_id for query in queries for choice in query.choices}


def _choose(chosen: Strategy, pool: Pool, cases: Sequence[Case], size: int, rng: np.random.Generator) -> list[Choice]:
    """The strategy's picks; cases that the pool lacks are only asked when the others run out."""
    by_name = {c.name: c.id for c in cases}
    picks = chosen.select(pool, min(size, len(pool.case_ids)), rng) if pool.case_ids else []
    choices = [
        Choice(case_id=by_name[pool.case_ids[p.index]], score=float(p.score), reason=p.reason, probability=p.probability) for p in picks
    ]
    unseen = sorted(set(by_name) - set(pool.case_ids))
    left = min(size - len(choices), len(unseen))
    rest = strategy("random").select(Pool(tuple(unseen), {}, None, None), left, rng) if left > 0 else []
    return choices + [Choice(case_id=by_name[unseen[p.index]], score=0.0, reason="not yet seen by the model") for p in rest]


def _with_audit(choices: list[Choice], audit: Sequence[Case], size: int, rng: np.random.Generator) -> list[Choice]:
    """Mix audit cases evenly into the choices, at random places of the sample."""
    wanted = min(len(audit), max(1, size // AUDIT_SHARE))
    picked = sorted(rng.choice(len(audit), size=wanted, replace=False)) if wanted else []
    mixed = list(choices)
    for n, index in enumerate(picked):
        place = min(len(mixed), (n + 1) * max(1, len(choices) // (wanted + 1)) + n)
        mixed.insert(place, Choice(case_id=audit[index].id, score=0.0, reason=AUDIT_REASON))
    return mixed
