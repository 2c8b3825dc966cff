"""Intervals: patients are drawn, not cases; coverage; what cannot be averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.intervals import bootstrap_mean, group_means, interval_words, mean_over_runs, paired_difference

values_lists = st.lists(st.floats(-100, 100), min_size=5, max_size=20)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_patient_counts_once_however_many_cases_it_has():
    assert group_means([1.0, 1.0, 1.0, 0.0], ["p", "p", "p", "q"]).tolist() == [1.0, 0.0]
    assert bootstrap_mean([1.0, 1.0, 1.0, 0.0], ["p", "p", "p", "q"], rng()).mean == 0.5


@pytest.mark.parametrize(("patients", "words"), [(1, "1 patient"), (4, "4 patients")])
def test_few_patients_have_a_mean_without_an_interval(patients, words):
    interval = bootstrap_mean([0.2, 0.4] * patients, list(range(patients)) * 2, rng())
    assert (interval.low, interval.high, interval.groups) == (None, None, patients)
    assert interval.note == interval_words(interval) == f"no interval: {words}, at least 5 needed"


def test_repeating_cases_of_the_same_patients_does_not_narrow_the_interval():
    values, patients = [0.1, 0.5, 0.9, 0.4, 0.3], list("abcde")
    once, tenfold = bootstrap_mean(values, patients, rng()), bootstrap_mean(values * 10, patients * 10, rng())
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_ten_right_of_ten_give_the_exact_interval_of_a_rate():
    interval = bootstrap_mean([1.0] * 10, range(10), rng(), draws=20_000)
    exact = stats.binomtest(10, 10).proportion_ci(0.95, method="exact")
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=0.01)


@pytest.mark.parametrize("right", [1, 9, 15])
def test_any_rate_has_the_interval_of_clopper_and_pearson(right):
    interval = bootstrap_mean([1.0] * right + [0.0] * (20 - right), range(20), rng(), draws=20_000)
    exact = stats.binomtest(right, 20).proportion_ci(0.95, method="exact")
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=0.01)


def test_equal_scores_do_not_prove_that_all_are_equal():
    interval = bootstrap_mean([0.9] * 12, range(12), rng())
    assert interval.low is not None
    assert interval.low < 0.9 - 0.005


@given(values_lists, st.integers(0, 99))
def test_the_mean_lies_within_its_interval(values, seed):
    interval = bootstrap_mean(values, range(len(values)), rng(seed), draws=50)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low <= interval.mean <= interval.high


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("skewed", [False, True])
def test_the_mean_over_few_seeds_is_covered(runs, skewed):
    source, held = rng(runs), []
    for _ in range(1500):
        found = mean_over_runs(0.8 - (source.gamma(4, 0.005, runs) if skewed else source.normal(0.02, 0.01, runs)))
        held.append(found.low is not None and found.high is not None and found.low <= 0.78 <= found.high)
    assert np.mean(held) >= 0.92


@pytest.mark.parametrize("kind", ["skewed", "failures", "tags", "clusters"])
def test_the_mean_over_five_patients_is_covered(kind):
    source, held = rng(17), []
    for _ in range(400):
        groups = list(range(5))
        if kind == "skewed":
            values, truth = source.beta(9, 1.2, 5), 9 / 10.2
        elif kind == "failures":
            values, truth = np.where(source.random(5) < 0.1, source.beta(2, 5, 5), source.beta(40, 5, 5)), 0.9 * 40 / 45 + 0.1 * 2 / 7
        elif kind == "tags":
            values, truth = (source.random(5) < 0.9).astype(float), 0.9
        else:
            groups, truth = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4], 9 / 10.5
            values = np.clip(source.beta(9, 1.5, 5)[groups] + 0.02 * source.normal(size=11), 0, 1)
        found = bootstrap_mean(values, groups, source, draws=400)
        held.append(found.low is not None and found.high is not None and found.low <= truth <= found.high)
    assert np.mean(held) >= 0.92


@given(st.lists(st.floats(0, 1), min_size=5, max_size=20), st.integers(0, 99))
def test_intervals_of_scores_stay_within_scores(values, seed):
    interval = bootstrap_mean(values, range(len(values)), rng(seed), draws=50)
    assert interval.low is not None
    assert interval.high is not None
    assert -1e-9 <= interval.low <= interval.high <= 1 + 1e-9


@given(st.lists(st.floats(0.3, 0.6), min_size=5, max_size=12), st.integers(0, 99))
def test_what_is_counted_from_the_other_end_has_the_mirrored_interval(values, seed):
    scores, errors = (bootstrap_mean(v, range(len(v)), rng(seed), draws=60) for v in (values, [1 - value for value in values]))
    assert (errors.low, errors.high) == pytest.approx((1 - scores.high, 1 - scores.low), abs=1e-9)
    there, back = (
        paired_difference(a, b, range(len(a)), rng(seed), draws=60)
        for a, b in ((values, [0.5] * len(values)), ([0.5] * len(values), values))
    )
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


def test_the_same_seed_gives_the_same_interval():
    assert bootstrap_mean([0.1, 0.7, 0.3, 0.2, 0.2], "abcde", rng(5)) == bootstrap_mean([0.1, 0.7, 0.3, 0.2, 0.2], "abcde", rng(5))


def test_with_many_patients_it_comes_close_to_scipys_bootstrap():
    values = rng(1).beta(20, 4, size=2000)
    reference = stats.bootstrap((values,), np.mean, method="percentile", rng=rng(2), n_resamples=1000).confidence_interval
    ours = bootstrap_mean(values, range(2000), rng(3), draws=1000)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=0.003)


def test_a_paired_difference_removes_what_cases_share():
    easy_and_hard, change = np.array([0.9, 0.1, 0.5, 0.7, 0.3, 0.6]), np.array([0.01, 0.012, 0.009, 0.011, 0.01, 0.008])
    interval = paired_difference(easy_and_hard + change, easy_and_hard, list("abcdef"), rng())
    assert interval.low is not None
    assert interval.high is not None
    assert -0.03 < interval.low < 0.01 < interval.high < 0.05


def test_a_model_that_is_worse_on_all_of_twelve_patients_is_seen_to_be_worse():
    before = rng(4).normal(0.986, 0.003, 12)
    after = before - rng(5).normal(0.058, 0.03, 12).clip(0.005)
    interval = paired_difference(after, before, range(12), rng())
    assert interval.high is not None
    assert interval.high < 0


def test_a_mean_over_runs_has_students_interval_a_little_widened():
    values = rng(6).normal(0.8, 0.02, 5)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    interval = mean_over_runs(values)
    assert interval.low is not None
    assert interval.mean - interval.low == pytest.approx(1.06 * (values.mean() - expected.low))  # widened by 1 + 0.3 / 5
    assert mean_over_runs(values[:2]).note == "no interval: 2 seeds, at least 3 needed"


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


def test_runs_that_all_agree_have_no_interval_of_no_width():
    found = mean_over_runs([0.7, 0.7, 0.7])
    assert (found.low, found.high, interval_words(found)) == (None, None, "no interval: all 3 seeds agree")
