"""Labels needed and what foreground buys: by hand, against scipy's fits, and where they end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from medloop.simulation.efficiency import NOT_COUNTED, foreground_efficiency, labels_needed

from .made_up_runs import plain


def closing(seed: int, rate: float, *, full: float = 0.9, first: float = 0.5) -> object:
    """A run whose gap closes exactly exponentially; the pool holds 1,000 foreground voxels."""
    voxels = (100 + 10 * seed, 250, 500, 900)
    beyond = np.array([v - voxels[0] for v in voxels]) / 1000
    return plain("a", seed, *(full - (full - first) * np.exp(-rate * beyond)), foreground=voxels)


def test_labels_needed_by_hand():
    own = [plain("a", n, 0.5, 0.7, 0.9) for n in range(3)]
    found = labels_needed(own, dict.fromkeys(range(3), 1.0), 0.8, 40)
    assert (found.labels, found.low, found.high) == pytest.approx((10, 10, 10))
    assert (found.of_pool, found.reached, found.note) == (pytest.approx(0.25), 1, "")


def test_two_seeds_need_labels_without_an_interval():
    found = labels_needed([plain("a", 0, 0.5, 0.7, 0.9), plain("a", 1, 0.5, 0.8, 0.9)], {0: 1.0, 1: 1.0}, 0.8, 40)
    assert found.labels == pytest.approx(8 + 4 / 3)
    assert (found.low, found.high, found.note) == (None, None, "no interval: 2 seeds, at least 3 needed")


def test_what_is_not_reached_is_said_so():
    found = labels_needed([plain("a", 0, 0.5, 0.6)], {0: 1.0}, 0.95, 40)
    assert (found.labels, found.low, found.high, found.of_pool, found.reached) == (None, None, None, None, 0)


def test_seeds_that_disagree_leave_the_end_open():
    own = [plain("a", 0, 0.5, 0.6, 0.7), plain("a", 1, 0.5, 0.9, 1.0), plain("a", 2, 0.5, 0.9, 1.0)]
    found = labels_needed(own, dict.fromkeys(range(3), 1.0), 0.9, 40)
    assert found.labels == pytest.approx(12)
    assert found.low is not None
    assert found.low < 8
    assert found.high is None
    assert found.reached == pytest.approx(2 / 3)
    assert found.of_pool == pytest.approx(0.3)


def test_full_data_scores_of_other_seeds_widen_the_interval():
    own = [plain("a", n, 0.5, 0.7 + 0.01 * n, 0.9) for n in range(3)]
    paired, apart = (labels_needed(own, {first + n: 0.98 + 0.02 * n for n in range(3)}, 0.8, 40) for first in (0, 5))
    assert paired.low is not None
    assert apart.low is not None
    assert apart.low < paired.low
    one = labels_needed(own, {7: 1.0}, 0.8, 40)
    assert one.note == "no interval: 1 full-data score, at least 3 needed"


def test_each_seed_is_held_against_its_own_full_data_score():
    own = [plain("a", n, 0.8 * top, top) for n, top in enumerate((0.5, 0.8, 1.0))]
    found = labels_needed(own, {0: 0.5, 1: 0.8, 2: 1.0}, 0.9, 40)  # each reaches 0.9 of its own bound half way
    assert (found.labels, found.low, found.high) == pytest.approx((6, 6, 6))


@given(st.lists(st.lists(st.floats(0.1, 1), min_size=3, max_size=3), min_size=1, max_size=4))
def test_more_of_the_full_score_never_needs_fewer_labels(scores):
    own = [plain("a", seed, *row) for seed, row in enumerate(scores)]
    needed = [labels_needed(own, {0: 0.9}, share, 40).labels or np.inf for share in (0.95, 0.98, 0.99)]
    assert needed == sorted(needed)


def test_the_rate_of_an_exact_curve_is_found():
    found = foreground_efficiency([closing(n, 4.0) for n in range(3)], 0.9, 1000).rate
    assert found is not None
    assert found.mean == pytest.approx(4.0, abs=0.02)
    assert (found.low, found.high, found.note) == (None, None, "no interval: all 3 seeds agree")


def test_the_rate_matches_scipys_fit():
    noise = np.random.default_rng(3).normal(0, 0.02, 3)
    exact = closing(0, 3.0)
    noisy = plain("a", 0, exact.scores[0], *(np.array(exact.scores[1:]) + noise), foreground=exact.foreground)
    x = (np.array(exact.foreground) - exact.foreground[0]) / 1000
    expected, _ = optimize.curve_fit(lambda v, b: 0.9 - (0.9 - noisy.scores[0]) * np.exp(-b * v), x, noisy.scores, p0=[1.0])
    found = foreground_efficiency([noisy], 0.9, 1000).rate
    assert found is not None
    assert found.mean == pytest.approx(expected[0], abs=0.02)


def test_a_falling_score_has_a_negative_rate():
    found = foreground_efficiency([plain("a", 0, 0.6, 0.5, foreground=(100, 300))], 0.9, 1000).rate
    assert found is not None
    assert found.mean < 0


def test_score_per_doubling_by_hand_and_against_scipy():
    own = [plain("a", 0, 0.5, 0.6, 0.7, foreground=(100, 200, 400)), plain("a", 1, 0.3, 0.4, 0.5, foreground=(50, 100, 200))]
    found = foreground_efficiency(own, None, 1000)
    assert found.rate is None
    assert found.per_doubling is not None
    assert found.per_doubling.mean == pytest.approx(0.1)
    assert found.per_doubling.note == "no interval: 2 seeds, at least 3 needed"
    three = foreground_efficiency([*own, plain("a", 2, 0.2, 0.35, foreground=(10, 20))], None, 1000).per_doubling
    assert three is not None
    assert three.low is not None
    assert three.high is not None
    assert three.low < 0.1 < three.high
    uneven = plain("a", 0, 0.5, 0.7, 0.65, foreground=(90, 200, 777))
    slope = foreground_efficiency([uneven], None, 1000).per_doubling
    assert slope is not None
    assert slope.mean == pytest.approx(stats.linregress(np.log2(uneven.foreground), uneven.scores).slope)


def test_without_foreground_or_a_second_round_there_is_nothing_to_fit():
    assert foreground_efficiency([plain("a", 0, 0.5, 0.6)], 0.9, 1000) == NOT_COUNTED
    assert foreground_efficiency([plain("a", 0, 0.5, foreground=(10,))], 0.9, 1000) == NOT_COUNTED
    assert foreground_efficiency([plain("a", 0, 0.5, 0.6, foreground=(10, 20))], 0.9, 0) == NOT_COUNTED


def test_a_start_above_the_full_data_score_has_no_rate():
    found = foreground_efficiency([plain("a", 0, 0.95, 0.96, foreground=(10, 20))], 0.9, 1000)
    assert found.rate is None
    assert found.per_doubling is not None


def test_rounds_that_add_no_foreground_have_no_fit():
    assert foreground_efficiency([plain("a", 0, 0.5, 0.6, foreground=(10, 10))], 0.9, 1000) == NOT_COUNTED
