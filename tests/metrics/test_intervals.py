"""Intervals: patients are drawn, not cases; coverage; what cannot be averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.intervals import bootstrap_mean, group_means, paired_difference

values_lists = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_patient_counts_once_however_many_cases_it_has():
    assert group_means([1.0, 1.0, 1.0, 0.0], ["p", "p", "p", "q"]).tolist() == [1.0, 0.0]
    assert bootstrap_mean([1.0, 1.0, 1.0, 0.0], ["p", "p", "p", "q"], rng()).mean == 0.5


def test_two_patients_give_the_whole_range():
    interval = bootstrap_mean([0.0, 1.0], ["p", "q"], rng())
    assert (interval.low, interval.high, interval.groups) == (0.0, 1.0, 2)


def test_one_patient_says_nothing_about_precision():
    assert bootstrap_mean([0.2, 0.4], ["p", "p"], rng()).groups == 1


def test_repeating_cases_of_the_same_patients_does_not_narrow_the_interval():
    values, patients = [0.1, 0.5, 0.9, 0.4], list("abcd")
    once, tenfold = bootstrap_mean(values, patients, rng()), bootstrap_mean(values * 10, patients * 10, rng())
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


@given(values_lists, st.integers(0, 99))
def test_the_mean_lies_within_its_interval_and_the_interval_within_the_values(values, seed):
    interval = bootstrap_mean(values, range(len(values)), rng(seed), draws=50)
    assert interval.low <= interval.mean <= interval.high
    assert min(values) - 1e-9 <= interval.low
    assert interval.high <= max(values) + 1e-9


def test_the_same_seed_gives_the_same_interval():
    assert bootstrap_mean([0.1, 0.7, 0.3], "abc", rng(5)) == bootstrap_mean([0.1, 0.7, 0.3], "abc", rng(5))


def test_it_agrees_with_scipy():
    values = rng(1).normal(size=60)
    reference = stats.bootstrap((values,), np.mean, method="percentile", rng=rng(2), n_resamples=4000).confidence_interval
    ours = bootstrap_mean(values, range(60), rng(3), draws=4000)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=0.03)


def test_about_95_of_100_intervals_hold_the_truth():
    held = sum(i.low <= 0.0 <= i.high for i in (bootstrap_mean(rng(n).normal(size=40), range(40), rng(n), draws=300) for n in range(200)))
    assert 176 <= held <= 200


def test_a_paired_difference_removes_what_cases_share():
    easy_and_hard = np.array([0.9, 0.1, 0.5, 0.7])
    interval = paired_difference(easy_and_hard + 0.01, easy_and_hard, list("abcd"), rng())
    assert (interval.low, interval.high) == pytest.approx((0.01, 0.01))


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(InputError, match="finite, got 1"):
        bootstrap_mean([0.1, np.nan], "ab", rng())
    with pytest.raises(ShapeError, match="at least one value"):
        bootstrap_mean([], [], rng())
    with pytest.raises(ShapeError, match="one group per value"):
        bootstrap_mean([0.1, 0.2], "a", rng())
    with pytest.raises(ShapeError, match="same cases"):
        paired_difference([0.1], [0.1, 0.2], "a", rng())
    with pytest.raises(SettingError, match="confidence"):
        bootstrap_mean([0.1], "a", rng(), confidence=1.0)
