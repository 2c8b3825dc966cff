"""The contract of a strategy, as a test that any package can run on its own.

    from medloop.testing.check_strategy import check_strategy

    def test_my_strategy_keeps_the_contract():
        check_strategy(MY_STRATEGY)

A strategy is a pure function of the pool's numbers, a count and a generator: it picks distinct cases, as
many as asked while the pool lasts, says why in one line, does not care in which order the cases come,
changes nothing it is given, draws from the given generator only, and refuses numbers that are none.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.query.pool import NEEDS, SCORES, TABLES, Pick, Pool
from medloop.query.strategies import Strategy

_CASES, _DIMENSIONS, _LABELLED, _CLASSES, _SAMPLES = 23, 5, 4, 3, 6
_SEED = 20_240_229


def check_strategy(candidate: Strategy) -> None:
    """Run every check of the contract on one strategy.

    Args:
        candidate: The strategy.

    Raises:
        AssertionError: Naming the rule that is broken and what was seen.
    """
    for check in CHECKS:
        check(candidate)


def example_pool(*, cases: int = _CASES) -> Pool:
    """A pool that holds everything a strategy may need, with some ties, a duplicate and a case without foreground."""
    rng = np.random.default_rng(_SEED)
    scores = {name: np.round(rng.uniform(0.01, 0.6, cases), 2) for name in SCORES}
    scores["foreground"][0] = scores["oracle_foreground"][0] = 0.0
    features = rng.normal(size=(cases, _DIMENSIONS)).astype(np.float32)
    features[-1] = features[0]
    labelled = rng.normal(size=(_LABELLED, _DIMENSIONS)).astype(np.float32)
    tables = {name: rng.uniform(0.0, 1.0, (cases, _CLASSES)).astype(np.float32) for name in TABLES if name != "features"}
    known: dict[str, FloatArray] = {name: rng.uniform(0.0, 1.0, (_LABELLED, _CLASSES)).astype(np.float32) for name in tables}
    known["classes"] = (np.arange(_LABELLED) % _CLASSES).astype(np.float64)
    samples = rng.dirichlet(np.ones(_CLASSES), size=(_SAMPLES, cases))
    return Pool(tuple(f"case-{n:03d}" for n in range(cases)), scores, features, labelled, tables, known, samples)


def names_what_it_is(candidate: Strategy) -> None:
    """Name, title, paper, cost and advice are given, and every need is something a pool can hold."""
    for field in ("name", "title", "paper", "cost", "advice"):
        _require(bool(getattr(candidate, field).strip()), candidate, f"{field} must not be empty")
    unknown = sorted(candidate.needs - NEEDS)
    _require(not unknown, candidate, f"needs must be among {sorted(NEEDS)}, got also {unknown}")


def picks_as_many_as_requested(candidate: Strategy) -> None:
    """Distinct cases within the pool: `count` of them, or the whole pool if it is smaller; none for 0."""
    for cases in (1, 2, _CASES):
        pool = example_pool(cases=cases)
        for count in (0, 1, cases, cases + 5):
            picks = _select(candidate, pool, count)
            wanted = min(count, cases)
            _require(len(picks) == wanted, candidate, f"{count} of {cases} cases requested, must give {wanted}, got {len(picks)}")
            indices = [p.index for p in picks]
            _require(len(set(indices)) == len(indices), candidate, f"picks must differ, got {indices}")
            _require(all(0 <= n < cases for n in indices), candidate, f"picks must lie in 0..{cases - 1}, got {indices}")


def gives_a_score_and_a_reason(candidate: Strategy) -> None:
    """Every pick has a finite score and one line of words."""
    for pick in _select(candidate, example_pool(), 6):
        _require(bool(np.isfinite(pick.score)), candidate, f"scores must be finite, got {pick.score}")
        _require(bool(pick.reason.strip()) and "\n" not in pick.reason, candidate, f"a reason is one line, got {pick.reason!r}")


def repeats_itself(candidate: Strategy) -> None:
    """Equal pools and seeds give equal picks, and numpy's global generator is not used."""
    state = repr(np.random.get_state())
    first, second = (_select(candidate, example_pool(), 6) for _ in range(2))
    _require(first == second, candidate, f"equal pools and seeds must give equal picks, got {first} and {second}")
    unused = repr(np.random.get_state()) == state
    _require(unused, candidate, "randomness must come from the given generator, not from numpy's global one")


def ignores_the_order_of_cases(candidate: Strategy) -> None:
    """A shuffled pool gives the same cases in the same order; so ties do not depend on the order either."""
    for pool in (example_pool(), _without_differences(example_pool())):
        straight = _names(pool, _select(candidate, pool, 7))
        for seed in range(3):
            mixed = pool.subset([int(n) for n in np.random.default_rng(seed).permutation(len(pool.case_ids))])
            again = _names(mixed, _select(candidate, mixed, 7))
            _require(again == straight, candidate, f"the order of the cases must not matter, got {straight} and {again}")


def leaves_the_pool_alone(candidate: Strategy) -> None:
    """No array that is given is changed."""
    pool, untouched = example_pool(), example_pool()
    _select(candidate, pool, 6)
    same = all(np.array_equal(pool.scores[name], untouched.scores[name]) for name in untouched.scores)
    same = same and np.array_equal(_features(pool), _features(untouched)) and np.array_equal(_samples(pool), _samples(untouched))
    same = same and all(np.array_equal(pool.tables[name], untouched.tables[name]) for name in untouched.tables)
    _require(same, candidate, "the pool's arrays must not be changed")


def refuses_what_is_not_a_number(candidate: Strategy) -> None:
    """NaN or infinity in anything it needs, and a need that is absent, raise InputError."""
    for need in sorted(candidate.needs):
        for value in (np.nan, np.inf):
            _require_refusal(candidate, _changed(example_pool(), need, partial(_with, value=value)), f"{value} in {need}")
        _require_refusal(candidate, _changed(example_pool(), need, lambda _: None), f"a pool without {need}")


def works_without_annotations(candidate: Strategy) -> None:
    """A pool of which nothing is answered yet is fine."""
    pool = replace(example_pool(), labelled_features=None, labelled={})
    _require(len(_select(candidate, pool, 3)) == 3, candidate, "a pool without annotated cases must be accepted")


CHECKS: tuple[Callable[[Strategy], None], ...] = (
    names_what_it_is,
    picks_as_many_as_requested,
    gives_a_score_and_a_reason,
    repeats_itself,
    ignores_the_order_of_cases,
    leaves_the_pool_alone,
    refuses_what_is_not_a_number,
    works_without_annotations,
)


def _require(kept: bool, candidate: Strategy, rule: str) -> None:
    if not kept:
        raise AssertionError(f"strategy {candidate.name!r}: {rule}")


def _require_refusal(candidate: Strategy, pool: Pool, what: str) -> None:
    try:
        _select(candidate, pool, 3)
    except InputError:
        return
    raise AssertionError(f"strategy {candidate.name!r}: {what} must raise InputError, but picks were given")


def _select(candidate: Strategy, pool: Pool, count: int) -> list[Pick]:
    return candidate.select(pool, count, np.random.default_rng(_SEED))


def _names(pool: Pool, picks: Sequence[Pick]) -> list[str]:
    return [pool.case_ids[p.index] for p in picks]


def _features(pool: Pool) -> np.ndarray:
    return np.zeros((0, 1)) if pool.features is None else pool.features


def _samples(pool: Pool) -> np.ndarray:
    return np.zeros((0, 0, 1)) if pool.samples is None else pool.samples


def _without_differences(pool: Pool) -> Pool:
    """All cases alike: only ids are left to break ties."""
    alike = {name: np.full_like(values, 0.25) for name, values in pool.scores.items()}
    tables = {name: np.ones_like(rows) for name, rows in pool.tables.items()}
    samples = np.repeat(_samples(pool)[:, :1], len(pool.case_ids), axis=1)
    return replace(pool, scores=alike, features=np.ones_like(_features(pool)), tables=tables, samples=samples)


def _changed(pool: Pool, need: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Pool:
    """The pool with what it holds of a need changed, or taken out where the change leaves nothing."""
    if need in ("features", "samples"):
        changed: dict[str, Any] = {need: change(getattr(pool, need))}
    else:
        place = "scores" if need in SCORES else "tables" if need in TABLES else "labelled"
        held = {name: change(values) if name == need else values for name, values in getattr(pool, place).items()}
        changed = {place: {name: values for name, values in held.items() if values is not None}}
    return replace(pool, **changed)


def _with(values: np.ndarray, value: float) -> np.ndarray:
    """The values with one entry replaced."""
    spoiled = np.array(values, dtype=np.float64)
    spoiled[(3,) if values.ndim == 1 else (3, 1) if values.ndim == 2 else (2, 3, 1)] = value
    return spoiled
