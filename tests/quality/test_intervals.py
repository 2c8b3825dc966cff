import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.conformal import conformal_quantile
from medloop.quality.intervals import Margin, QuantileIntervals, fit_margin


def test_the_quantile_has_room_for_the_new_case():
    scores = np.arange(1.0, 10.0)
    assert conformal_quantile(scores, 0.9) == 9.0
    assert conformal_quantile(scores, 0.8) == 8.0
    assert conformal_quantile(scores[:8], 0.9) == math.inf


def test_a_margin_stays_within_the_scores_there_are():
    low, high = Margin(0.2)(np.array([0.1, 0.5, 0.9]))
    assert low == pytest.approx([0.0, 0.3, 0.7])
    assert high == pytest.approx([0.3, 0.7, 1.0])


def test_too_few_cases_promise_nothing():
    low, high = fit_margin(np.zeros(3), np.zeros(3))(np.array([0.5]))
    assert (low[0], high[0]) == (0.0, 1.0)


@pytest.mark.parametrize(("cases", "coverage"), [(9, 0.9), (25, 0.8), (30, 0.9)])
def test_new_cases_are_covered_at_the_stated_rate_whatever_the_noise(cases, coverage):
    rng = np.random.default_rng(0)
    errors = np.abs(rng.standard_t(2, (4000, cases + 1))) / 50
    covered = [error[-1] <= conformal_quantile(error[:-1], coverage) for error in errors]
    exact = math.ceil((cases + 1) * coverage - 1e-9) / (cases + 1)
    assert np.mean(covered) == pytest.approx(exact, abs=0.02)
    assert exact >= coverage


def test_quantiles_cover_and_are_wider_where_scores_scatter_more():
    rng = np.random.default_rng(1)
    doubt = rng.random((900, 1))
    truth = np.clip(0.9 - 0.3 * doubt[:, 0] + 0.15 * doubt[:, 0] * rng.normal(size=900), 0, 1)
    intervals = QuantileIntervals(coverage=0.9).fit(
        doubt[:200], truth[:200], calibration_features=doubt[200:400], calibration_truth=truth[200:400]
    )
    low, high = intervals.predict(doubt[400:])
    assert np.mean((low <= truth[400:]) & (truth[400:] <= high)) == pytest.approx(0.9, abs=0.05)
    wide = doubt[400:, 0] > 0.5
    assert (high - low)[wide].mean() > 1.5 * (high - low)[~wide].mean()


@settings(max_examples=15)
@given(st.integers(0, 50))
def test_ends_never_cross(seed):
    rng = np.random.default_rng(seed)
    features, truth = rng.random((30, 2)), rng.random(30)
    fitted = QuantileIntervals().fit(features[:20], truth[:20], calibration_features=features[20:], calibration_truth=truth[20:])
    low, high = fitted.predict(rng.normal(0, 5, (10, 2)))
    assert (low >= 0).all()
    assert (low <= high).all()
    assert (high <= 1).all()


def test_bad_input_is_refused():
    with pytest.raises(SettingError, match="between 0 and 1"):
        QuantileIntervals(coverage=1.0)
    with pytest.raises(InputError, match="finite"):
        conformal_quantile(np.array([np.nan]), 0.9)
    with pytest.raises(ShapeError, match="same cases"):
        fit_margin(np.zeros(3), np.zeros(4))
