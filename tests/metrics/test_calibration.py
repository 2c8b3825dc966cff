"""Calibration by hand, against scikit-learn, and its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.calibration import brier, class_reliability, classwise_ece, ece, gap, nll, reliability

HALF_RIGHT = np.array([[0.8, 0.2], [0.8, 0.2]])


def test_the_gap_between_promise_and_outcome():
    assert ece([0, 1], HALF_RIGHT) == pytest.approx(0.3)
    assert brier([0, 1], HALF_RIGHT) == pytest.approx((2 * 0.2**2 + 2 * 0.8**2) / 2)


def test_the_diagram_counts_every_case_once_and_leaves_empty_bins_open():
    diagram = reliability([0, 1], HALF_RIGHT, bins=10)
    assert diagram.counts.tolist() == [0, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    assert (diagram.accuracy[7], diagram.confidence[7]) == (0.5, pytest.approx(0.8))
    assert np.isnan(diagram.accuracy[0])


def test_certain_and_right_is_perfect():
    assert (ece([0, 1], np.eye(2)), brier([0, 1], np.eye(2))) == (0.0, 0.0)


@given(st.integers(0, 1000))
def test_brier_is_twice_the_two_class_score_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, p = rng.integers(0, 2, 20), rng.random(20)
    expected = 2 * np.mean((p - truth) ** 2)
    assert brier(truth, np.stack([1 - p, p], axis=1)) == pytest.approx(expected)
    assert expected == pytest.approx(2 * brier_score_loss(truth, p, pos_label=1))


@given(st.integers(0, 1000))
def test_calibration_error_is_at_most_one(seed):
    rng = np.random.default_rng(seed)
    assert 0.0 <= ece(rng.integers(0, 3, 15), rng.dirichlet(np.ones(3), 15)) <= 1.0


def test_bad_probabilities_are_refused():
    with pytest.raises(InputError, match=r"0\.\.1"):
        ece([0], np.array([[1.5, -0.5]]))
    with pytest.raises(InputError, match=r"0\.\.1"):
        brier([0], np.array([[np.nan, 0.5]]))
    with pytest.raises(ShapeError, match="one class per case"):
        ece([0, 1], np.array([[0.5, 0.5]]))


def test_the_class_that_is_never_right_has_its_own_gap():
    truth, stated = [0, 0], np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    assert gap(class_reliability(truth, stated, 0)) == pytest.approx(0.5)
    assert classwise_ece(truth, stated) == pytest.approx((0.5 + 0.25 + 0.25) / 3)


@given(st.integers(0, 1000))
def test_the_likelihood_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, stated = rng.integers(0, 3, 20), rng.dirichlet(np.ones(3), 20)
    assert nll(truth, stated) == pytest.approx(log_loss(truth, stated, labels=[0, 1, 2]))


def test_an_impossible_truth_costs_a_finite_amount():
    assert 80 < nll([1], np.array([[1.0, 0.0]])) < 100


def test_a_class_without_a_column_is_refused():
    with pytest.raises(ShapeError, match=r"0\.\.1"):
        nll([2], np.array([[0.5, 0.5]]))
    with pytest.raises(ShapeError, match=r"0\.\.1"):
        class_reliability([0], np.array([[0.5, 0.5]]), 2)
