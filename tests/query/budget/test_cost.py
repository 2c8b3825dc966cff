"""Strategies that look at the clock."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.query.budget.cost import select_knapsack, select_value_per_minute, value_per_minute
from medloop.query.strategies import Pool


def pool(entropy, minutes) -> Pool:
    names = tuple(f"c{n:02d}" for n in range(len(entropy)))
    return Pool(names, {"entropy": np.array(entropy), "minutes": np.array(minutes)}, None, None)


def picked(rule, given_pool, count) -> list[int]:
    return [p.index for p in rule(given_pool, count, np.random.default_rng(0))]


def test_a_short_case_with_less_doubt_comes_before_a_long_one_with_more() -> None:
    assert picked(select_value_per_minute, pool([0.6, 0.3, 0.1], [10.0, 2.0, 1.0]), 3) == [1, 2, 0]


def test_cost_decides_where_rates_are_set_and_the_reason_says_so() -> None:
    timed = pool([0.6, 0.3], [1.0, 1.0])
    dear = dataclasses.replace(timed, scores={**timed.scores, "cost": np.array([10.0, 1.0])})
    for rule in (select_value_per_minute, select_knapsack):
        assert picked(rule, timed, 1) == [0]
        (pick,) = rule(dear, 1, np.random.default_rng(0))
        assert pick.index == 1
        assert "a cost of 1" in pick.reason


def test_equal_minutes_leave_the_order_of_entropy() -> None:
    assert picked(select_value_per_minute, pool([0.1, 0.6, 0.3], [1.0, 1.0, 1.0]), 3) == [1, 2, 0]


def test_the_batch_of_most_doubt_within_the_time_of_average_cases() -> None:
    # average 4 minutes: two cases may take 8; the two of most doubt take 11, the best pair that fits is 1 and 2
    assert set(picked(select_knapsack, pool([0.9, 0.5, 0.45, 0.1], [8.0, 3.0, 4.0, 1.0]), 2)) == {1, 2}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 30)), min_size=1, max_size=30), st.integers(1, 8))
def test_a_knapsack_batch_takes_no_longer_than_average_cases(rows, count) -> None:
    entropy, minutes = np.array(rows).T
    chosen = picked(select_knapsack, pool(entropy, minutes), count)
    assert len(chosen) == min(count, len(rows))
    assert minutes[chosen].sum() <= count * minutes.mean() + 1e-9


def test_a_case_that_takes_no_time_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        value_per_minute(np.ones(2), np.array([1.0, 0.0]))
