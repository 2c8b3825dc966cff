"""Fisher selection against dense matrices written out, and by hand in one dimension."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.query.information import fisher
from medloop.query.information.fisher import choose_informative, information, last_layer_cases


def drawn(seed: int, cases: int, *, classes: int = 3, width: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(cases, width)), rng.dirichlet(np.ones(classes), size=cases)


def dense(inputs, probabilities) -> list[np.ndarray]:
    """The information of each case as one matrix."""
    return [np.kron(np.diag(p) - np.outer(p, p), np.outer(h, h)) for h, p in zip(inputs, probabilities, strict=True)]


def plain_choice(pool, answered, count, spare):
    """The rule as the paper writes it: invert everything, every time."""
    cases, known = dense(*pool), sum(dense(*answered), np.eye(len(dense(*pool)[0])))
    goal, chosen = sum(cases) / len(cases), []

    def trace(members):
        return np.trace(np.linalg.solve(known + sum((cases[n] for n in members), 0 * goal), goal))

    for _ in range(count + spare):
        chosen.append(min((n for n in range(len(cases)) if n not in chosen), key=lambda n: trace([*chosen, n])))
    while len(chosen) > count:
        chosen.remove(min(chosen, key=lambda n: trace([m for m in chosen if m != n])))
    return chosen


@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(0, 4))
def test_choices_are_those_of_dense_matrices(seed, answered, spare):
    pool, known = drawn(seed, 9), drawn(seed + 1, answered)
    found = choose_informative(last_layer_cases(*pool), last_layer_cases(*known), 3, spare=spare)
    assert [n for n, _ in found] == plain_choice(pool, known, 3, spare)


def test_small_blocks_change_nothing(monkeypatch):
    pool, none = last_layer_cases(*drawn(5, 20)), last_layer_cases(*drawn(6, 0))
    whole = choose_informative(pool, none, 5, spare=2)
    monkeypatch.setattr(fisher, "_BLOCK_NUMBERS", 7)
    assert [n for n, _ in choose_informative(pool, none, 5, spare=2)] == [n for n, _ in whole]


def test_information_is_the_sum_of_the_written_matrices():
    pool = drawn(2, 6)
    assert information(last_layer_cases(*pool)) == pytest.approx(sum(dense(*pool)))


def test_one_weight_per_class_by_hand():
    # Even cases: diag(p) - p pᵀ = ¼ (1, -1)(1, -1)ᵀ, eigenvalue ½; F has ½ · mean(h²) = ½ · 5, M⁻¹ there is 1 / (1 + ½ h²).
    pool = last_layer_cases(np.array([[1.0], [3.0]]), np.full((2, 2), 0.5))
    none = last_layer_cases(np.zeros((0, 1)), np.zeros((0, 2)))
    assert choose_informative(pool, none, 1) == [(1, pytest.approx(2.5 * (1 - 1 / 5.5)))]


def test_a_direction_that_is_answered_already_is_not_asked_again():
    pool = last_layer_cases(np.array([[2.0, 0.0], [0.0, 2.0]]), np.full((2, 2), 0.5))
    known = last_layer_cases(np.array([[2.0, 0.0]]), np.full((1, 2), 0.5))
    assert [n for n, _ in choose_informative(pool, known, 2)] == [1, 0]


def test_sure_cases_tell_nothing_and_are_still_chosen_once_each():
    pool = last_layer_cases(np.ones((3, 2)), np.array([[1.0, 0.0]] * 3))
    none = last_layer_cases(np.zeros((0, 2)), np.zeros((0, 2)))
    assert choose_informative(pool, none, 3) == [(0, 0.0), (1, 0.0), (2, 0.0)]


def test_settings_out_of_range_are_refused():
    pool = last_layer_cases(*drawn(0, 3))
    for count, spare, prior in ((-1, 0, 1.0), (1, -1, 1.0), (1, 0, 0.0), (1, 0, np.nan)):
        with pytest.raises(SettingError, match="prior above 0"):
            choose_informative(pool, pool, count, spare=spare, prior=prior)
