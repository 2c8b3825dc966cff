"""Risk–coverage figures by hand, against all orders of ties, and against the closed form of Traub et al. 2024."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.selective import augrc, aurc, excess_aurc, risk_coverage

cases = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=4)


def test_the_curve_by_hand():
    curve = risk_coverage([0.9, 0.5, 0.5, 0.1], [0.0, 0.2, 0.4, 1.0])
    assert curve.threshold.tolist() == [0.9, 0.5, 0.1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk == pytest.approx([0.0, 0.2, 0.4])
    assert curve.joint_risk == pytest.approx([0.0, 0.15, 0.4])


def test_areas_by_hand():
    assert aurc([3, 2, 1], [0.0, 0.3, 0.6]) == pytest.approx((0.0 + 0.15 + 0.3) / 3)
    assert excess_aurc([3, 2, 1], [0.0, 0.3, 0.6]) == pytest.approx(0.0)
    assert augrc([3, 2, 1], [0.0, 0.3, 0.6]) == pytest.approx((0.05 + 0.2) / 3)


def test_confidence_that_says_nothing_leaves_the_mean_loss():
    assert aurc([1, 1, 1, 1], [0, 0, 1, 1]) == pytest.approx(0.5)
    assert augrc([1, 1, 1, 1], [0, 0, 1, 1]) == pytest.approx(0.25)


@given(cases)
def test_ties_count_as_the_mean_over_all_their_orders(pairs):
    sure, cost = np.array(pairs, dtype=float).T
    every = [
        aurc([pairs[i][0] - 1e-3 * n for n, i in enumerate(order)], cost[list(order)])
        for order in itertools.permutations(range(len(pairs)))
    ]
    assert aurc(sure, cost) == pytest.approx(np.mean(every))


@given(cases)
def test_no_order_beats_that_of_the_losses(pairs):
    sure, cost = np.array(pairs, dtype=float).T
    assert excess_aurc(sure, cost) >= -1e-12


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30).filter(lambda x: len({f for _, f in x}) == 2))
def test_failures_give_the_closed_form_in_auroc_and_accuracy(pairs):
    sure, failed = np.array(pairs, dtype=float).T
    right = 1 - failed.mean()
    expected = (1 - roc_auc_score(1 - failed, sure)) * right * (1 - right) + 0.5 * (1 - right) ** 2
    assert augrc(sure, failed) == pytest.approx(expected)


def test_bad_numbers_are_refused():
    with pytest.raises(ShapeError, match="same length"):
        aurc([1.0], [0.1, 0.2])
    with pytest.raises(ShapeError, match="at least one"):
        risk_coverage([], [])
    with pytest.raises(InputError, match="at least 0"):
        augrc([1.0], [-0.1])
    with pytest.raises(InputError, match="finite"):
        aurc([np.nan], [0.1])
