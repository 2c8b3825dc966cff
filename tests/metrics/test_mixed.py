"""Seeds and patients together: by hand, refusals, and equal strategies stay equal."""

import numpy as np
import pytest
from scipy import stats

from medloop.core.errors import ShapeError
from medloop.metrics.mixed import mean_of_means, mixed_mean


def test_without_a_spread_of_patients_it_is_students_test_over_seeds():
    table = np.repeat([[0.02], [0.05], [0.01], [0.04]], 10, axis=1)
    expected = stats.ttest_1samp(table[:, 0], 0.0)
    found = mixed_mean(table)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_both_variances_worked_out_by_hand():
    table = np.add.outer([-1.0, 0.0, 1.0], [-2.0, -1.0, 0.0, 1.0, 2.0])
    assert mixed_mean(table).error == pytest.approx(np.sqrt(1.0 / 3 + 2.5 / 5))
    assert mixed_mean(table).freedom == 2


def test_too_few_of_either_decide_nothing():
    assert mixed_mean(np.ones((2, 9))).interval.note == "no interval: 2 seeds, at least 3 needed"
    assert mixed_mean(np.ones((3, 4))).interval.note == "no interval: 4 patients, at least 5 needed"
    assert mixed_mean(np.ones((2, 9))).p is None
    assert mean_of_means([mixed_mean(np.ones((2, 9))), mixed_mean(np.ones((5, 9)))]).p is None
    with pytest.raises(ShapeError, match="at least one each"):
        mixed_mean(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="at least one, got none"):
        mean_of_means([])


def test_equal_differences_everywhere_have_the_p_value_of_their_signs():
    assert mixed_mean(np.full((3, 8), 0.1)).p == 0.25
    assert mixed_mean(np.zeros((3, 8))).p == 1.0


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("of_seeds", "of_patients", "rest"), [(1.0, 1.0, 1.0), (1.0, 0.0, 0.2), (0.0, 1.0, 0.2), (0.0, 0.0, 1.0)])
def test_equal_models_are_found_different_in_at_most_one_study_of_twenty(seeds, of_seeds, of_patients, rest):
    rng, studies, patients = np.random.default_rng(7), 1500, 10
    shared = of_seeds * rng.normal(size=(studies, seeds, 1)) + of_patients * rng.normal(size=(studies, 1, patients))
    tables = shared + rest * rng.normal(size=(studies, seeds, patients))
    found = [mixed_mean(table) for table in tables]
    assert np.mean([one.p is not None and one.p < 0.05 for one in found]) < 0.05 + 0.015


def test_the_mean_over_data_sets_adds_their_variances():
    rng = np.random.default_rng(1)
    parts = [mixed_mean(rng.normal(size=(4, 12))) for _ in range(3)]
    both = mean_of_means(parts)
    assert both.interval.mean == pytest.approx(np.mean([p.interval.mean for p in parts]))
    assert both.error == pytest.approx(np.sqrt(sum(p.error**2 for p in parts)) / 3)
    assert mean_of_means(parts[:1]).p == pytest.approx(parts[0].p)
