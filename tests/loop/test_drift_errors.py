"""Whether a group scores lower than was expected of it."""

import numpy as np
import pytest

from medloop.loop.judging.drift_errors import lower_mean


@pytest.mark.parametrize(("annotated", "evaluated"), [(5, 8), (20, 8), (100, 20)])
def test_a_group_like_the_evaluated_patients_is_called_worse_once_in_twenty_times(annotated: int, evaluated: int) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        observed, known = rng.normal(size=annotated), rng.normal(size=evaluated)
        found.append(lower_mean(observed - known.mean(), known)[1] <= 0.05)
    assert np.mean(found) < 0.07


def test_the_test_is_that_of_the_textbook() -> None:
    from scipy.stats import ttest_1samp, ttest_ind

    rng = np.random.default_rng(1)
    observed, known = rng.normal(-0.4, 1, 9), rng.normal(0, 2, 14)
    welch = ttest_ind(observed, known, equal_var=False, alternative="less")
    assert lower_mean(observed - known.mean(), known) == pytest.approx((welch.statistic, welch.pvalue))
    student = ttest_1samp(observed, 0, alternative="less")
    assert lower_mean(observed, np.zeros(0)) == pytest.approx((student.statistic, student.pvalue))
    assert lower_mean(np.zeros(5), np.zeros(0)) == (0.0, 0.5)
