"""Curves and tests between them: by hand, against scipy, and what they must never do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medloop.core.errors import InputError, ShapeError
from medloop.metrics.curves import area_under, holm, paired_t_test, permutation_test, wilcoxon

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_area_is_the_mean_height():
    assert area_under([0, 1, 3], [0.0, 1.0, 1.0]) == pytest.approx((0.5 + 2.0) / 3)
    assert area_under([8, 16], [0.7, 0.7]) == pytest.approx(0.7)
    assert area_under([8], [0.6]) == 0.6


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_area_stays_within_the_heights(heights):
    assert min(heights) - 1e-12 <= area_under(range(len(heights)), heights) <= max(heights) + 1e-12


def test_bad_curves_are_refused():
    with pytest.raises(InputError, match="increase"):
        area_under([0, 0], [1, 1])
    with pytest.raises(InputError, match="finite"):
        area_under([0, 1], [1, np.nan])
    with pytest.raises(ShapeError, match="as many"):
        area_under([0, 1], [1])


def test_holm_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


@given(p_lists)
def test_holm_never_lowers_keeps_the_order_and_is_gentler_than_bonferroni(values):
    adjusted = holm(values)
    assert (adjusted >= np.array(values)).all()
    assert (adjusted <= np.minimum(np.array(values) * len(values), 1.0) + 1e-12).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_refuses_what_is_no_p_value():
    with pytest.raises(InputError, match=r"0\.\.1"):
        holm([0.5, float("nan")])


def test_three_gains_in_a_row_happen_by_chance_once_in_four():
    assert permutation_test([0.1, 0.2, 0.3], rng()) == 0.25


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=9))
def test_small_tests_match_scipys_exact_one(differences):
    expected = stats.permutation_test((np.array(differences, dtype=float),), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert permutation_test(differences, rng()) == pytest.approx(expected)


def test_large_tests_are_drawn_and_never_zero():
    p = permutation_test(np.full(40, 0.5), rng(), draws=500)
    assert p == pytest.approx(2 / 501)  # both tails, each at least one of the draws
    assert permutation_test(rng(1).normal(size=40), rng(), draws=2000) > 0.05


def test_no_difference_at_all_is_no_evidence():
    assert permutation_test(np.zeros(5), rng()) == 1.0
    assert wilcoxon(np.zeros(5)) == 1.0


def test_wilcoxon_matches_scipy():
    differences = rng(2).normal(0.3, 1.0, 30)
    assert wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences).pvalue)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=9))
def test_the_paired_t_test_matches_scipys(differences):
    if len(set(differences)) > 1:
        expected = stats.ttest_1samp(np.array(differences, dtype=float), 0.0, alternative="greater").pvalue
        assert paired_t_test(differences) == pytest.approx(expected)


def test_the_paired_t_test_by_hand():
    assert paired_t_test([1, 3]) == pytest.approx(0.5 - np.arctan(2) / np.pi)  # t = 2 with one degree of freedom is Cauchy
    assert paired_t_test([1, -1]) == 0.5


def test_differences_without_spread_count_by_their_signs_alone():
    assert [paired_t_test([0.1] * n) for n in (2, 3, 5)] == [1 / 4, 1 / 8, 1 / 32]
    assert (paired_t_test([0.0, 0.0]), paired_t_test([-0.1, -0.1])) == (1.0, 1.0)


def test_bad_differences_are_refused():
    with pytest.raises(ShapeError, match="at least two"):
        paired_t_test([0.1])
    with pytest.raises(ShapeError, match="at least one"):
        permutation_test([], rng())
    with pytest.raises(InputError, match="finite"):
        wilcoxon([np.inf])
