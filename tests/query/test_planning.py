"""What a query will take, by runs of the strategy on made-up pools."""

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.query import planning
from medloop.query.planning import made_up_pool, plan_query
from medloop.query.pool import Pick, Pool
from medloop.query.strategies import Strategy, strategies, strategy


def quadratic(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    np.zeros((len(pool.case_ids), len(pool.case_ids)), dtype=np.uint8)
    return [Pick(n, 0.0, "any") for n in range(count)]


def test_memory_that_grows_with_the_square_is_foretold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_CASES", 4_000)
    one = Strategy(name="square", title="t", paper="p", needs=frozenset({"features"}), cost="c", advice="a", select=quadratic)
    made = plan_query(one, 1_000_000, 8, 3)
    assert [run.cases for run in made.measured] == [1_000, 4_000]
    assert made.memory == pytest.approx(1e12, rel=0.1)
    assert made.disk == 2 * 4 * 8 * 1_000_000


def test_a_pool_as_small_as_the_calibration_is_not_extrapolated() -> None:
    made = plan_query(strategy("entropy"), 500, 256, 10)
    assert [run.cases for run in made.measured] == [500]
    assert made.seconds == made.measured[0].seconds
    assert (made.dimensions, made.disk) == (0, 0)


@pytest.mark.parametrize("name", [one.name for one in strategies()])
def test_every_strategy_can_choose_from_a_made_up_pool(name: str) -> None:
    one = strategy(name)
    assert len(one.select(made_up_pool(one.needs, 300, 8), 3, np.random.default_rng(0))) == 3


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(SettingError, match="cases must be at least 1, got 0"):
        plan_query(strategy("entropy"), 0, 256, 10)


def test_a_cost_that_is_stated_as_a_square_counts_though_small_pools_do_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_CASES", 4_000)
    assert plan_query(strategy("entropy"), 10_000, 8, 2).growth < 2.0
    assert plan_query(strategy("probcover"), 10_000, 8, 2).growth >= 2.0
