"""The mean of drawn cases: exact over every order of draws, and an interval that keeps its rate."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.query.budget.drawn_mean import Draws, drawn_mean
from medloop.query.uncertainty.stochastic import draw_in_turn, power_logits, softmax_logits


@given(st.lists(st.tuples(st.floats(0.1, 1), st.floats(0, 1), st.sampled_from("abc")), min_size=3, max_size=5), st.integers(2, 3))
def test_patients_count_alike_in_expectation_over_all_draws(rows, count) -> None:
    chances, losses = np.array([[q, loss] for q, loss, _ in rows]).T
    patients = [p for _, _, p in rows]
    each = {p: patients.count(p) for p in patients}
    shares = np.array([len(rows) / (len(each) * each[p]) for p in patients])
    expected = 0.0
    for order in itertools.permutations(range(len(rows)), count):
        left, steps = float(chances.sum()), []
        for n in order:
            steps.append(float(chances[n] / left))
            left -= float(chances[n])
        drawn = list(order)
        draws = Draws(losses[drawn], np.array(steps), len(rows), [patients[n] for n in drawn], shares[drawn])
        expected += float(np.prod(steps)) * float((draws.weights * draws.losses).mean())
    truth = np.mean([np.mean([loss for _, loss, p in rows if p == one]) for one in each])
    assert expected == pytest.approx(truth, abs=1e-9)


def coverage(logits, *, patients: int, count: int, classes: bool) -> float:
    rng, inside = np.random.default_rng(5), []
    for _ in range(400):
        scores = np.where(rng.random(patients) < 0.07, rng.uniform(0, 0.4, patients), rng.beta(12, 3, patients))
        scores = (scores > 0.7).astype(float) if classes else scores
        unsure = np.clip(0.6 * (1 - scores) + np.abs(rng.normal(0, 0.15, patients)), 1e-3, None)
        order, chances = draw_in_turn(logits(unsure, 1.0), count, rng)
        found = drawn_mean(Draws(1 - scores[order], chances, patients, list(order)))
        if found.low is not None and found.high is not None:
            inside.append(found.low <= scores.mean() <= found.high)
    assert len(inside) > 300
    return float(np.mean(inside))


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("logits", [power_logits, softmax_logits])
def test_intervals_hold_the_pools_mean_about_as_often_as_they_say(logits, classes) -> None:
    assert 0.92 <= coverage(logits, patients=150, count=24, classes=classes) <= 0.99  # three standard errors of 400 projects


def test_a_pool_that_was_drawn_to_its_end_is_known() -> None:
    losses = np.array([0.1, 0.5, 0.2, 0.9, 0.3, 0.4])
    found = drawn_mean(Draws(losses, 1.0 / np.arange(6, 0, -1), 6, list("abcdef")))
    assert (found.mean, found.low, found.high) == pytest.approx([1 - losses.mean()] * 3)


def test_even_draws_are_weighted_alike_and_their_interval_narrows_as_the_pool_ends() -> None:
    losses = np.array([0.1, 0.5, 0.2, 0.9, 0.3, 0.4, 0.25, 0.35])
    small, large = (drawn_mean(Draws(losses, 1.0 / np.arange(pool, pool - 8, -1), pool, list("abcdefgh"))) for pool in (9, 900))
    assert small.mean == large.mean == pytest.approx(1 - losses.mean())
    assert small.high - small.low < 0.5 * (large.high - large.low)


def test_all_right_is_no_proof_that_all_are() -> None:
    found = drawn_mean(Draws(np.zeros(20), 1.0 / np.arange(500, 480, -1), 500, list(range(20))))
    assert found.mean == 1.0
    assert 0.80 < found.low < 0.93  # Clopper and Pearson: 0.832
    assert found.high == 1.0


def test_skipped_cases_keep_their_place_and_say_nothing() -> None:
    losses, seen = np.array([0.1, 0.5, 0.2, 0.9, 0.3, 0.4]), np.array([True, True, True, False, True, True])
    found = drawn_mean(Draws(losses, 1.0 / np.arange(60, 54, -1), 60, list("abcdef"), judged=seen))
    assert found.mean == pytest.approx(1 - losses[seen].mean())
    assert found.groups == 5
    with pytest.raises(InputError, match="at least one"):
        drawn_mean(Draws(losses, 1.0 / np.arange(60, 54, -1), 60, list("abcdef"), judged=np.zeros(6, dtype=bool)))


def test_shares_of_an_unknown_sum_move_neither_the_mean_nor_the_interval() -> None:
    losses, chances = np.array([0.1, 0.5, 0.2, 0.9, 0.3, 0.4]), 1.0 / np.arange(60, 54, -1)
    alike = drawn_mean(Draws(losses, chances, 60, list("abcdef"), scaled=False))
    assert alike.mean == pytest.approx(1 - losses.mean())
    for each in (0.1, 0.25, 3.0):
        found = drawn_mean(Draws(losses, chances, 60, list("abcdef"), np.full(6, each), scaled=False))
        assert (found.mean, found.low, found.high) == pytest.approx((alike.mean, alike.low, alike.high))


def test_few_patients_and_few_heavy_weights_have_no_interval() -> None:
    few = drawn_mean(Draws(np.full(6, 0.2), 1.0 / np.arange(60, 54, -1), 60, list("aabbcc")))
    assert (few.low, few.note) == (None, "no interval: 3 patients, at least 5 needed")
    heavy = drawn_mean(Draws(np.full(6, 0.2), np.array([1e-4, 0.5, 0.5, 0.5, 0.5, 0.5]), 60, list("abcdef")))
    assert heavy.low is None
    assert "so unequal that the draws count as 1 case" in heavy.note


def test_draws_without_a_patient_and_losses_beyond_one_are_refused() -> None:
    with pytest.raises(ShapeError, match="one loss, chance and patient"):
        Draws(np.zeros(2), np.ones(2), 2, ["a"])
    with pytest.raises(InputError, match="Losses lie in"):
        drawn_mean(Draws(np.full(2, 1.5), np.array([0.5, 1.0]), 2, ["a", "b"]))
