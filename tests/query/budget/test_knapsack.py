"""Budgets: worked out by hand, against trying everything, and what holds when the table would be too large."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.budget import knapsack as rules
from medloop.query.budget.knapsack import best_batch

items = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 12)), min_size=1, max_size=9)


def columns(pairs):
    values, minutes = np.array(pairs, dtype=np.float64).T
    return values, minutes


def best_of_all(values, minutes, budget, count=None):
    sizes = range(len(values) + 1) if count is None else [count]
    subsets = (list(s) for k in sizes for s in itertools.combinations(range(len(values)), k))
    fitting = [values[s].sum() for s in subsets if minutes[s].sum() <= budget + 1e-9]
    return max(fitting, default=None)


def test_exactly_two_within_ten_minutes_by_hand() -> None:
    found = best_batch(np.array([10.0, 8.0, 5.0, 1.0]), np.array([9.0, 6.0, 4.0, 1.0]), 2, 10.0)
    assert found.indices == (1, 2)
    assert found.value == 13.0


@given(items, st.integers(1, 5), st.integers(1, 40))
def test_a_batch_of_fixed_size_is_the_best_of_all_such_batches(pairs, count, budget) -> None:
    values, minutes = columns(pairs)
    # a budget of 500 grains of 0.1 or 0.2 minutes, so that whole minutes are not rounded
    budget_minutes = 50.0 if budget > 20 else 100.0
    scaled = minutes * (budget_minutes / 40)
    wanted = min(count, len(values))
    found = best_batch(values, scaled, count, budget_minutes)
    best = best_of_all(values, scaled, budget_minutes, wanted)
    assert len(found.indices) == wanted
    if best is None:
        assert found.minutes == pytest.approx(np.sort(scaled)[:wanted].sum())
    elif found.exact:
        assert found.value >= best_of_all(values, np.ceil(scaled / budget_minutes * 500 - 1e-9), 500, wanted) - 1e-9
        assert found.minutes <= budget_minutes + 1e-9


@given(items, st.integers(1, 5), st.integers(1, 40))
def test_the_price_rule_keeps_the_budget_and_its_bound_holds(pairs, count, budget) -> None:
    values, minutes = columns(pairs)
    wanted = min(count, len(values))
    best = best_of_all(values, minutes, budget, wanted)
    if best is None:
        return
    found = rules._by_price(values, minutes, wanted, float(budget))
    assert len(set(found.indices)) == wanted
    assert found.minutes <= budget
    assert found.value <= best + 1e-9 <= found.bound + 1e-6


def test_large_pools_are_packed_within_a_percent_of_the_bound() -> None:
    rng = np.random.default_rng(0)
    values, minutes = rng.random(50_000), rng.lognormal(0, 0.7, 50_000)
    found = best_batch(values, minutes, 1000, 900.0)
    assert not found.exact
    assert 0.99 * found.bound < found.value <= found.bound
    assert best_batch(values, minutes, 8, 8.0).exact


def test_rounding_never_breaks_the_budget() -> None:
    rng = np.random.default_rng(1)
    values, minutes = rng.random(60), rng.uniform(0.01, 0.19, 60)
    assert best_batch(values, minutes, 9, 1.0).minutes <= 1.0


def test_nothing_to_choose_or_no_time_gives_nothing() -> None:
    assert best_batch(np.ones(2), np.ones(2), 0, 1.0).indices == ()
    assert best_batch(np.zeros(0), np.zeros(0), 3, 1.0).indices == ()
    assert best_batch(np.ones(3), np.full(3, 9.0), 2, 1.0).indices == (0, 1)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        best_batch(np.ones(1), np.zeros(1), 1, 1.0)
    with pytest.raises(InputError, match="0 or more"):
        best_batch(np.array([-1.0]), np.ones(1), 1, 1.0)
    with pytest.raises(ShapeError, match="one number per case"):
        best_batch(np.ones(2), np.ones(1), 1, 1.0)
    with pytest.raises(SettingError, match="budget"):
        best_batch(np.ones(1), np.ones(1), 1, -1.0)
    with pytest.raises(SettingError, match="grain"):
        best_batch(np.ones(1), np.ones(1), 1, 0.0)
    with pytest.raises(SettingError, match="number of cases"):
        best_batch(np.ones(1), np.ones(1), -1, 1.0)
