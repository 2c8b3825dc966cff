"""Weights that undo the choice of cases, from the chances kept with every query."""

from collections.abc import Collection

from medloop.core.errors import InputError
from medloop.core.records import Annotation, Case, Choice, Query, Round
from medloop.query.budget.bias import lure_weights
from medloop.store.reader import Reader


def training_weights(tx: Reader, learned: Collection[str] | None = None) -> dict[str, float]:
    """Weight of every queried case that a training learns from (by id; None: all), so that a weighted loss stands for the whole pool.

    The pool is the training split without imported answers. Draws are read round by round up to the first one that is
    not finished. Skipped and flagged cases keep their place in the order and get no weight: the estimate is then of
    the cases that people were willing to answer. Queries of annotated cases for a label that they lack are no draws from that pool,
    and are left out.

    A training that leaves out what earlier models have learned (`warm_start` "new") stands for the pool without the cases
    drawn before: its weights count the draws since then only.

    Returns:
        Case id → weight, of mean about 1; empty before the first finished round.

    Raises:
        InputError: A pick was certain, not drawn; people answered cases nobody had drawn; cases were added after the
            first query; or old cases were chosen again. Then no weights exist that make it right.
    """
    draws, started = _draws(tx)
    if not draws:
        return {}
    answers = tx.current_annotations(splits=["train"])
    imported = {a.case_id for a in tx.find(Annotation, where={"origin": "imported"})}
    pool = [c for c in tx.find(Case, where={"split": "train"}) if c.id not in imported]
    _require_closed_pool(tx, pool, {a.case_id for a in answers} - imported, started)
    answered = {a.case_id for a in answers}
    start = _first_learned([c.case_id for c in draws], answered, answered if learned is None else set(learned))
    weights = lure_weights([c.probability for c in draws[start:]], len(pool) - start)
    return {c.case_id: float(w) for c, w in zip(draws[start:], weights, strict=True) if c.case_id in answered}


def _first_learned(drawn: list[str], answered: set[str], learned: set[str]) -> int:
    """From which draw on every answered case is learned from, while none before it is."""
    left_out = [place for place, case_id in enumerate(drawn) if case_id in answered and case_id not in learned]
    start = left_out[-1] + 1 if left_out else 0
    again = [case_id for case_id in drawn[:start] if case_id in learned & answered]
    if again:
        raise InputError(
            f"{len(again)} of the cases learned before were chosen again, and not by the chances of the queries",
            remedy='set warm_start to "scratch", "all" or "new"',
        )
    return start


def _draws(tx: Reader) -> tuple[list[Choice], str]:
    """Choices of training cases in finished rounds, in order, and when the first query was made."""
    draws: list[Choice] = []
    started = ""
    for current in tx.find(Round, order=("index",)):
        if current.query_id is None or current.state in ("querying", "annotating"):
            break
        query = tx.get(Query, current.query_id)
        started = started or query.created_at
        draws += [c for c in query.choices if c.label is None and tx.get(Case, c.case_id).split == "train"]
    return draws, started


def _require_closed_pool(tx: Reader, pool: list[Case], answered: set[str], started: str) -> None:
    late = [c.name for c in pool if c.added_at > started]
    if late:
        raise InputError(f"Chances hold for the pool they were drawn from, {late[0]} was added later", remedy="start a new project")
    asked = {c.case_id for r in tx.find(Round) if r.query_id for c in tx.get(Query, r.query_id).choices}
    unasked = sorted(c.name for c in pool if c.id in answered - asked)
    if unasked:
        raise InputError(f"{unasked[0]} was annotated without being drawn", remedy="annotate only queried cases")
