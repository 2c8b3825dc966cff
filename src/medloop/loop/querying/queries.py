"""Make a query: gather the pool's arrays, let a strategy choose, mix in the audit sample.

Everything a strategy sees is ordered by case name, and its randomness comes from (project seed, round),
so the same project asks the same cases again. Only numbers are read, unless a query is thorough.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, repeat

import numpy as np

from medloop.core.arrays import BoolArray, IntArray
from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError, UnavailableError
from medloop.core.records import Choice, Model, Query, Round, Split, new_id, now
from medloop.core.seeds import derive_seed, generator
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.disposed import kept_from_queries
from medloop.loop.foundation.effort import minutes_words
from medloop.loop.foundation.named_frames import annotated_on_names
from medloop.loop.foundation.outside import outside_models
from medloop.loop.foundation.pool_marks import mark_without, pool_mark
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.bandits import followed
from medloop.loop.querying.lacking import label_pool
from medloop.loop.querying.parts import with_parts
from medloop.loop.querying.pool_table import PoolScores, PoolTable, pool_scores, pool_table
from medloop.loop.querying.pools import ExtraScores, PoolInputs, build_pool
from medloop.loop.querying.rejected import lifted_cases, with_lifted
from medloop.query.baselines import DRAWN
from medloop.query.strategies import Pool, Strategy, strategy
from medloop.store.reader import Reader

AUDIT_REASON = "audit sample: measures the model, never trained on"
AUDIT_SHARE = 4
"""One audit case for every so many queried cases, until the audit sample is answered."""

REFUSALS = (InputError, NotFoundError, UnavailableError, ConflictError)
"""With these a strategy says that it cannot choose, or that it is not there."""


def make_query(
    workspace: Workspace,
    round_index: int,
    *,
    extra_scores: ExtraScores | None = None,
    thorough: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Query | None:
    """Choose the next cases; None when none is left.

    The project's first strategy chooses while there is no model, or when a strategy's scores do not exist or it refuses the
    pool; if it lacks something too, the draw is random.

    Where it is `thorough`, in the worker, where nobody waits, images may be described and small networks trained. `note` receives in
    words why another strategy than the project's chose, though there is a model.
    """
    settings, damaged = workspace.settings, damaged_cases(workspace)
    with workspace.store.read() as tx:
        table, refused = pool_table(workspace, tx), tx.refused_cases(["train", "audit"]) | queried_case_ids(tx) | annotated_on_names(tx)
        refused |= {case.case_id for case in damaged} | kept_from_queries(tx, on=settings.stream_risk > 0)
        marked = {a.case_id for a in tx.marked_annotations()}  # only training cases have any
        live = tx.live_model()
        model = live or _sure_outside(workspace, tx, table)
        wanted, drawn = followed(workspace, tx, round_index)
        scores = pool_scores(workspace, tx, model.id, table) if model and not extra_scores else None
        missing = label_pool(workspace, tx, table, queried_case_ids(tx))
        lifted = [] if missing else lifted_cases(tx)
    if settings.query_label and missing is None:
        note(f"no annotated case is left that lacks {settings.query_label}: unlabelled cases are queried")
    free = missing.free if missing else _unlabelled(table, refused, marked)
    if live and settings.stream != "off" and not missing:
        free["train"] = np.zeros_like(free["train"])  # each is judged by itself when it arrives: `medloop.loop.querying.streaming`
    train, audit = table.named(free["train"]), table.named(free["audit"])
    inputs = PoolInputs(
        workspace, train, model, extra_scores or {}, round_index, thorough and model is live, rows_of(scores, free["train"])
    )
    size = settings.start_size if round_index == 1 and settings.start_size else settings.batch_size
    names = (wanted, settings.first_strategy, "random") if model else (settings.first_strategy, "random")
    chosen, choices, lacking = first_able(names, inputs, table, size)
    if chosen != "random" and choices and all(one.reason == DRAWN for one in choices):
        chosen, lacking = "random", [*lacking, f"{chosen} found nothing to choose by"]
    if model and lacking:
        note(f"{'; '.join(lacking)}; {chosen} chose")
    if "minutes" in strategy(chosen).needs:
        with workspace.store.read() as tx:
            note(f"predicted minutes: {minutes_words(tx)}")
    if drawn and model and chosen == wanted:
        choices = [replace(one, reason=f"{one.reason}; {chosen} {drawn}", probability=None) for one in choices]
    choices = with_lifted(choices, lifted, free=set(table.ids_of(train)) if lifted else (), size=size)
    choices = choices if missing else with_parts(workspace, choices, live)
    choices = _with_audit(choices, table.ids_of(audit), size, generator(settings.seed, "audit", round_index))
    choices = missing.choices(choices) if missing else choices
    if not choices:
        return None
    return Query(
        id=new_id("query"),
        strategy=chosen,
        seed=derive_seed(settings.seed, "query", round_index),
        model_id=model.id if model and chosen == wanted else None,
        choices=tuple(choices),
        created_at=now(),
    )


def _unlabelled(table: PoolTable, refused: set[str], marked: set[str]) -> dict[Split, BoolArray]:
    """Which cases of the table may be queried, by split; those with marks only once there are no others."""
    free = table.askable(refused | marked)
    return free if free["train"].any() else table.askable(refused)


def queried_case_ids(tx: Reader, *, ever: bool = False) -> set[str]:
    """Cases that the query of a round still being annotated has chosen; `ever`: of any round."""
    rounds = tx.find(Round) if ever else tx.find(Round, where={"state": "annotating"})
    queries = [tx.get(Query, r.query_id) for r in rounds if r.query_id]
    return {choice.case_id for query in queries for choice in query.choices}


def _sure_outside(workspace: Workspace, tx: Reader, table: PoolTable) -> Model | None:
    """Before there is a model in use: the newest one from elsewhere whose proposals of this pool have probabilities."""
    for model in reversed(outside_models(tx)):
        scores = pool_scores(workspace, tx, model.id, table)
        if scores.seen.any() and "entropy" in scores.complete():
            return model
    return None


def rows_of(scores: PoolScores | None, wanted: BoolArray | IntArray) -> PoolScores | None:
    """The rows of the cases that may be asked; what is complete is judged over all that the model has seen."""
    if scores is None or not scores.seen.any():
        return None
    complete = scores.complete()
    return PoolScores(scores.seen[wanted], {name: values[wanted] for name, values in scores.columns.items() if name in complete})


def first_able(names: Sequence[str], inputs: PoolInputs, table: PoolTable, size: int) -> tuple[str, list[Choice], list[str]]:
    """The first strategy that can choose, its choices, and in words why those before it cannot."""
    lacking = list[str]()
    for name in names:
        try:
            one = strategy(name)
        except REFUSALS as error:  # a package that held it is gone
            lacking.append(str(error))
            continue
        if (pool := build_pool(inputs, one.needs)) is None:
            lacking.append(f"predictions do not hold what {name} needs ({', '.join(sorted(one.needs))})")
            continue
        try:
            rng = generator(inputs.workspace.settings.seed, "query", inputs.round_index)
            return name, _choose(one, pool, inputs.candidates, table, size, rng), lacking
        except REFUSALS as error:
            lacking.append(f"{name} refused the pool: {error}")
    raise StateError(f"No strategy can choose: {'; '.join(lacking)}")


def _choose(chosen: Strategy, pool: Pool, names: Sequence[str], table: PoolTable, size: int, rng: np.random.Generator) -> list[Choice]:
    """The strategy's picks; cases that the pool lacks are only asked when the others run out."""
    picks = chosen.select(pool, min(size, len(pool.case_ids)), rng) if pool.case_ids else []
    ids = [table.id_of(pool.case_ids[p.index]) for p in picks]
    drawn = any(p.probability is not None for p in picks)
    marks = accumulate(ids, mark_without, initial=pool_mark(table.ids_of(pool.case_ids))) if drawn else repeat("")
    choices = [
        Choice(
            case_id=case_id,
            score=float(p.score),
            reason=p.reason,
            probability=p.probability,
            left=None if p.probability is None else len(pool.case_ids) - place,
            pool="" if p.probability is None else mark,
        )
        for place, (p, case_id, mark) in enumerate(zip(picks, ids, marks, strict=False))
    ]
    unseen = sorted(set(names) - set(pool.case_ids)) if len(choices) < size else []
    left = min(size - len(choices), len(unseen))
    rest = strategy("random").select(Pool(tuple(unseen), {}, None, None), left, rng) if left > 0 else []
    return choices + [Choice(case_id=table.id_of(unseen[p.index]), score=0.0, reason="not yet seen by the model") for p in rest]


def _with_audit(choices: list[Choice], audit: Sequence[str], size: int, rng: np.random.Generator) -> list[Choice]:
    """Mix audit cases evenly into the choices, at random places of the sample."""
    wanted = min(len(audit), max(1, size // AUDIT_SHARE))
    picked = sorted(rng.choice(len(audit), size=wanted, replace=False)) if wanted else []
    mixed = list(choices)
    for n, index in enumerate(picked):
        place = min(len(mixed), (n + 1) * max(1, len(choices) // (wanted + 1)) + n)
        mixed.insert(place, Choice(case_id=audit[index], score=0.0, reason=AUDIT_REASON))
    return mixed
