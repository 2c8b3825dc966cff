"""Radii against a search over all radii, and widths against neighbours seen by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from medloop.query.diversity.radii import nearest_distance, purity_radius

LINE, LABELS = np.array([[0.0], [1.0], [2.0], [6.0], [7.0]]), np.array([0, 0, 0, 1, 1])


def test_all_balls_are_pure_just_below_the_gap():
    assert purity_radius(LINE, LABELS, purity=1.0) == pytest.approx(4.0)
    assert purity_radius(LINE, LABELS, purity=1.0) < 4.0


def test_less_purity_allows_a_larger_radius():
    assert purity_radius(LINE, LABELS, purity=0.6) == pytest.approx(5.0)  # balls of 2 and 6 are not pure


@given(st.integers(0, 30))
def test_the_radius_is_the_largest_that_is_pure_enough(seed):
    rng = np.random.default_rng(seed)
    table, labels = rng.normal(size=(40, 2)), rng.integers(0, 2, size=40)
    radius = purity_radius(table, labels, purity=0.8)
    away, alike = cdist(table, table), labels[:, None] == labels

    def purity(r):
        return np.mean([alike[n][away[n] <= r].all() for n in range(len(table))])

    assert purity(radius * (1 - 1e-6)) >= 0.8
    assert purity(radius * (1 + 1e-6)) < 0.8 + 1 / 40


def test_a_single_label_falls_back_to_the_nearest_distance():
    assert purity_radius(LINE, np.zeros(5, dtype=int)) == nearest_distance(LINE) == pytest.approx(1.0)


def test_cases_that_are_all_alike_are_one_apart():
    assert nearest_distance(np.ones((4, 2))) == 1.0
    assert nearest_distance(np.ones((1, 2))) == 1.0
