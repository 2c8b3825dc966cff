"""The contract test passes what is right and names what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.query.pool import Pick, Pool
from medloop.query.strategies import BUILT_IN, Strategy, strategy
from medloop.testing.check_strategy import check_strategy


def spoiled(select) -> Strategy:
    return replace(strategy("entropy"), name="spoiled", select=select)


def wrong(rule: str, select) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_strategy(spoiled(select))


@pytest.mark.parametrize("built_in", BUILT_IN, ids=lambda s: s.name)
def test_every_built_in_strategy_keeps_the_contract(built_in):
    check_strategy(built_in)


def always_the_first(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    return [Pick(0, 1.0, "again")] * min(count, len(pool.case_ids))


def nothing(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    return []


def the_first_ones(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    return [Pick(n, 0.0, "early") for n in range(min(count, len(pool.case_ids)))]


def test_a_strategy_that_picks_a_case_twice_is_named():
    wrong("picks must differ", always_the_first)


def test_a_strategy_that_gives_too_few_is_named():
    wrong("must give 1, got 0", nothing)


def test_a_strategy_that_looks_at_positions_is_named():
    wrong("order of the cases", the_first_ones)


def test_a_strategy_with_its_own_randomness_is_named():
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        return [Pick(int(n), 0.0, "drawn") for n in np.random.permutation(len(pool.case_ids))[:count]]

    wrong("equal pools and seeds", select)


def test_a_strategy_that_swallows_nan_is_named():
    def select(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
        order = sorted(range(len(pool.case_ids)), key=lambda n: (-float(np.nan_to_num(pool.scores["entropy"][n])), pool.case_ids[n]))
        return [Pick(n, 0.0, "high") for n in order[:count]]

    wrong("nan in entropy must raise InputError", select)


def test_an_unknown_need_is_named():
    with pytest.raises(AssertionError, match="crystal_ball"):
        check_strategy(replace(strategy("random"), needs=frozenset({"crystal_ball"})))
