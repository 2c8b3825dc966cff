"""Curves and their means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.simulation.curves import by_strategy, labels_to_reach, mean_points, shared_seeds

from .made_up_runs import plain


def test_labels_needed_are_interpolated():
    assert labels_to_reach([8, 16, 24], [0.5, 0.7, 0.8], 0.6) == pytest.approx(12)
    assert labels_to_reach([8, 16], [0.5, 0.7], 0.4) == 8
    assert labels_to_reach([8, 16], [0.5, 0.7], 0.71) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_labels_needed_lie_on_the_curve(scores, target):
    labelled = [4 * (n + 1) for n in range(len(scores))]
    found = labels_to_reach(labelled, scores, target)
    assert (found is None) == (max(scores) < target)
    assert found is None or np.interp(found, labelled, scores) == pytest.approx(target, abs=1e-9) or scores[0] >= target


def test_the_mean_curve_goes_point_by_point():
    points = mean_points([plain("a", n, score, 0.6) for n, score in enumerate((0.2, 0.4, 0.3))])
    assert [(p.labelled, p.mean) for p in points] == [(4, pytest.approx(0.3)), (8, pytest.approx(0.6))]
    assert (points[0].low, points[0].high) == pytest.approx(
        (0.3 - 1.1 * 4.3027 * 0.1 / 3**0.5, 0.3 + 1.1 * 4.3027 * 0.1 / 3**0.5), abs=1e-4
    )
    assert (points[1].low, points[1].high) == (None, None)  # three equal scores say nothing of how much they vary
    assert points[1].note


def test_two_seeds_have_a_mean_curve_without_a_band():
    points = mean_points([plain("a", 0, 0.2), plain("a", 1, 0.4)])
    assert (points[0].low, points[0].high, points[0].note) == (None, None, "no interval: 2 seeds, at least 3 needed")


def test_runs_are_grouped_and_sorted_by_seed():
    grouped = by_strategy([plain("b", 2, 0.1), plain("a", 1, 0.1), plain("b", 0, 0.1)])
    assert {name: [c.seed for c in own] for name, own in grouped.items()} == {"b": [0, 2], "a": [1]}
    assert shared_seeds([grouped["a"], grouped["b"]]) == []
    assert shared_seeds([]) == []
