"""Learning curves: known laws come back, scipy agrees, and the interval says how little is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from scipy.stats import t

from medloop.core.errors import InputError, ShapeError
from medloop.query.budget.extrapolation import EXPONENTS, drawn_curves, expected_gain, fit_curves, score_at

LABELS = np.array([4.0, 8.0, 16.0, 32.0, 64.0])


def law(labels, top=0.9, drop=1.2, exponent=0.5):
    return top - drop * np.asarray(labels) ** -exponent


def test_an_exact_law_is_found_and_continued() -> None:
    found = fit_curves(LABELS, law(LABELS)[None], np.ones(5))
    assert found[0] == pytest.approx([0.9, 1.2, 0.5], abs=1e-6)
    assert score_at(found, 256.0) == pytest.approx([0.9 - 1.2 / 16])


@pytest.mark.parametrize("patients", [2, 9])
def test_patients_that_differ_widen_the_gain_by_student_s_t_worked_out_by_hand(patients: int) -> None:
    share = np.array([-0.2, 0.0, 0.2])  # curves whose gain is 0.03 * (1 + share), around an exact law
    curves = law(LABELS) - 1.2 * share[:, None] * LABELS**-0.5
    found = expected_gain(LABELS, law(LABELS), curves, patients=patients, more=36, confidence=0.95)
    half = t.ppf(0.975, patients - 1) * np.sqrt(patients / (patients - 1)) * 0.03 * share.std()
    assert (found.low, found.high) == pytest.approx((0.03 - half, 0.03 + half), rel=1e-3)


def test_the_gain_of_an_exact_law_by_hand() -> None:
    # from 64 to 100 answers: 1.2/8 - 1.2/10 = 0.03
    scores = law(LABELS)
    found = expected_gain(LABELS, scores, np.tile(scores, (5, 1)), patients=9, more=36)
    assert (found.expected, found.low, found.high) == pytest.approx((0.03, 0.03, 0.03), abs=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_each_exponent_is_solved_as_bounded_least_squares_solves_it(scores) -> None:
    target, weights = np.array(scores), np.array([1.0, 2.0, 1.0, 3.0, 1.0])
    top, drop, exponent = fit_curves(LABELS, target[None], weights)[0]
    error = (weights * (top - drop * LABELS**-exponent - target) ** 2).sum()
    best = np.inf
    for one in EXPONENTS:
        design = np.sqrt(weights)[:, None] * np.stack([np.ones(5), -((LABELS / 4) ** -one)], axis=1)
        best = min(best, 2 * lsq_linear(design, np.sqrt(weights) * target, bounds=([-np.inf, 0.0], [1.0, np.inf]), tol=1e-12).cost)
    assert error == pytest.approx(best, abs=1e-7)
    assert top <= 1.0
    assert drop >= 0.0


def test_a_falling_curve_promises_nothing() -> None:
    found = expected_gain(LABELS, law(LABELS)[::-1], np.tile(law(LABELS)[::-1], (3, 1)), patients=9, more=10)
    assert found.expected == 0.0


def test_noise_widens_the_interval_around_the_truth() -> None:
    rng = np.random.default_rng(0)
    hits, widths = 0, []
    for _ in range(60):
        ability = rng.normal(0, 0.02, (30, 5))
        per_case = law(LABELS) + ability
        draws = drawn_curves(per_case, [f"p{n}" for n in range(30)], rng, draws=100)
        found = expected_gain(LABELS, per_case.mean(axis=0), draws, patients=30, more=64)
        truth = float(law(128.0) - law(64.0))
        hits += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    assert hits >= 50
    assert min(widths) > 0


def test_resampling_keeps_points_paired_and_patients_whole() -> None:
    per_case = np.array([[0.1, 0.3], [0.5, 0.7], [0.9, 1.1]])
    draws = drawn_curves(per_case, ["a", "a", "b"], np.random.default_rng(0), draws=500)
    assert draws[:, 1] - draws[:, 0] == pytest.approx(np.full(500, 0.2))
    assert set(np.round(np.unique(draws[:, 0]), 9)) == {0.3, 0.6, 0.9}  # aa, ab, bb: patients count alike


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="3 different"):
        fit_curves(np.array([2.0, 2.0, 4.0]), np.zeros((1, 3)), np.ones(3))
    with pytest.raises(ShapeError, match="one number of annotations"):
        fit_curves(LABELS, np.zeros((1, 3)), np.ones(5))
    with pytest.raises(InputError, match="finite"):
        fit_curves(LABELS, np.full((1, 5), np.nan), np.ones(5))
    with pytest.raises(ShapeError, match="one row and one patient"):
        drawn_curves(np.zeros((2, 2)), ["a"], np.random.default_rng(0))
    with pytest.raises(ShapeError, match="4 different numbers of annotations, got 3"):
        expected_gain(LABELS[:3], law(LABELS[:3]), np.tile(law(LABELS[:3]), (2, 1)), patients=9, more=4)
