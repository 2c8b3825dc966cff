"""The correction is exact: every possible sequence of draws is enumerated on a small pool."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.query.budget.bias import lure_weights
from medloop.query.strategies import Pool, strategy


def sequences(chances: np.ndarray, count: int):
    """Every order in which `count` cases can be drawn by these weights: (cases, chance of each pick, chance of all)."""
    for order in itertools.permutations(range(len(chances)), count):
        left, steps = float(chances.sum()), []
        for case in order:
            steps.append(float(chances[case] / left))
            left -= float(chances[case])
        yield list(order), steps, float(np.prod(steps))


@given(st.lists(st.tuples(st.floats(0.05, 1), st.floats(-3, 3)), min_size=2, max_size=5), st.integers(1, 4))
def test_the_expectation_over_all_draws_is_the_pools_mean(rows, count) -> None:
    chances, losses = np.array(rows).T
    drawn = min(count, len(rows))
    expected = sum(p * (lure_weights(steps, len(rows)) * losses[order]).mean() for order, steps, p in sequences(chances, drawn))
    assert expected == pytest.approx(losses.mean(), abs=1e-9)


@given(st.lists(st.tuples(st.floats(0.05, 1), st.floats(0, 3)), min_size=2, max_size=5), st.integers(1, 4))
def test_the_expected_sum_of_weights_is_the_number_of_picks(rows, count) -> None:
    chances = np.array(rows)[:, 0]
    drawn = min(count, len(rows))
    total = sum(p * lure_weights(steps, len(rows)).sum() for _, steps, p in sequences(chances, drawn))
    assert total == pytest.approx(drawn)


def test_without_weights_hard_cases_make_the_risk_look_worse() -> None:
    losses = np.array([0.1, 0.2, 0.3, 4.0])
    plain = sum(p * losses[order].mean() for order, _, p in sequences(losses, 2))
    assert plain > losses.mean() + 0.5


def test_simulated_draws_of_a_large_pool_agree() -> None:
    rng = np.random.default_rng(0)
    losses = rng.exponential(1.0, 200)
    estimates, plain = [], []
    for _ in range(800):
        order, steps, left = [], [], losses + 0.2
        for _ in range(20):
            chances = left / left.sum()
            case = int(rng.choice(200, p=chances))
            order.append(case)
            steps.append(float(chances[case]))
            left = left.copy()
            left[case] = 0.0
        estimates.append((lure_weights(steps, 200) * losses[order]).mean())
        plain.append(losses[order].mean())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - losses.mean()) < 4 * error
    assert abs(np.mean(plain) - losses.mean()) > 15 * error


def test_two_of_three_cases_by_hand() -> None:
    # N = 3, M = 2: v₁ = 1 + 1/2 · (1/(3 · 0.5) - 1) = 5/6; v₂ = 1 + 1/1 · (1/(2 · 0.25) - 1) = 2
    assert lure_weights([0.5, 0.25], 3) == pytest.approx([5 / 6, 2.0])


def test_even_draws_and_whole_pools_need_no_weights() -> None:
    assert lure_weights([1 / 4, 1 / 3], 4) == pytest.approx([1.0, 1.0])
    assert lure_weights([0.7, 0.8, 1.0], 3) == pytest.approx([1.0, 1.0, 1.0])
    assert lure_weights([], 3).shape == (0,)


def test_a_certain_pick_is_refused_and_the_remedy_named() -> None:
    picks = strategy("entropy").select(Pool(("a", "b"), {"entropy": np.array([0.1, 0.2])}, None, None), 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="certain, not drawn") as refusal:
        lure_weights([p.probability for p in picks], 2)
    assert "draws its picks" in refusal.value.remedy


def test_wrong_input_is_refused() -> None:
    for chance in (0.0, 1.5, np.nan):
        with pytest.raises(InputError, match="chance of a pick"):
            lure_weights([chance], 3)
    with pytest.raises(SettingError, match="cannot give 2 picks"):
        lure_weights([0.5, 0.5], 1)
