import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError, ShapeError
from medloop.metrics.measure_bounds import BoundsRule, bound_measure, fit_bounds, sample_range, spread_of


def drawn(rng: np.random.Generator, cases: int, *, bias: float = 0.0, noise: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truths around 100, estimates off by noise, and samples that know only a third of it."""
    truths = rng.uniform(60, 140, cases)
    estimates = truths + bias + rng.normal(0, noise, cases)
    return estimates, estimates[:, None] + rng.normal(0, noise / 3, (cases, 8)), truths


def test_a_range_holds_the_estimate() -> None:
    assert sample_range(12.0, np.array([8.0, 9.0, 10.0])) == (pytest.approx(8.1), 12.0)
    assert spread_of(10.0, np.array([9.0, 9.0, 11.0, 11.0])) == pytest.approx(0.2)
    assert sample_range(5.0, np.array([np.nan])) == (5.0, 5.0)


def test_the_margin_is_the_conformal_quantile() -> None:
    """Ten cases, samples without spread, truths off by 1 to 10 %: nine tenths of eleven is the tenth largest."""
    estimates = np.full(10, 100.0)
    truths = 100.0 + np.arange(1.0, 11.0)
    rule = fit_bounds(estimates, np.full((10, 3), 100.0), truths, coverage=0.9, accepted=1.0)
    assert rule.margin == pytest.approx(0.10)
    bounds = bound_measure(50.0, np.full(3, 50.0), rule)
    assert (bounds.low, bounds.high, bounds.accepted) == (pytest.approx(45.0), pytest.approx(55.0), True)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_bounds_hold_at_the_stated_rate(coverage: float) -> None:
    rng = np.random.default_rng(5)
    held, accepted = [], []
    for _ in range(12):
        rule = fit_bounds(*drawn(rng, 100), coverage=coverage)
        for estimate, samples, truth in zip(*drawn(rng, 100), strict=True):
            bounds = bound_measure(estimate, samples, rule)
            accepted.append(bounds.accepted)
            if bounds.accepted:
                held.append(bounds.low <= truth <= bounds.high)
    assert np.mean(held) == pytest.approx(coverage, abs=0.04)
    assert np.mean(accepted) == pytest.approx(0.9, abs=0.03)


def test_unwidened_ranges_of_a_sure_model_would_not_hold() -> None:
    estimates, samples, truths = drawn(np.random.default_rng(1), 400)
    held = [low <= t <= high for (low, high), t in zip(map(sample_range, estimates, samples), truths, strict=True)]
    assert np.mean(held) < 0.7


def test_too_few_cases_give_no_rate() -> None:
    rule = fit_bounds(*drawn(np.random.default_rng(0), 9))
    assert not rule.calibrated
    bounds = bound_measure(10.0, np.array([9.0, 11.0]), rule)
    assert bounds.accepted is None
    assert bounds.reason == "no bounds: 9 evaluated patients, at least 10 needed"
    assert (bounds.low, bounds.high) == (None, None)


def test_ten_cases_of_nine_patients_give_no_rate() -> None:
    rule = fit_bounds(*drawn(np.random.default_rng(0), 10), patients=[*range(9), 0])
    assert (rule.calibrated, rule.patients) == (False, 9)


def test_bounds_that_hold_but_are_of_no_use_are_not_accepted() -> None:
    rule = fit_bounds(*drawn(np.random.default_rng(2), 30, noise=40.0))
    bounds = bound_measure(100.0, np.full(8, 100.0), rule)
    assert bounds.low is not None
    assert bounds.low < 60
    assert bounds.accepted is False
    assert bounds.reason.endswith("more than the 25% tolerated")
    loose = fit_bounds(*drawn(np.random.default_rng(2), 30, noise=40.0), tolerance=2.0)
    assert bound_measure(100.0, np.full(8, 100.0), loose).accepted is True


def test_a_stricter_tolerance_accepts_fewer_cases_with_narrower_bounds() -> None:
    rng = np.random.default_rng(4)
    truths, noise = rng.uniform(60, 140, 200), np.where(np.arange(200) % 2, 2.0, 20.0)
    estimates = truths + noise * rng.normal(size=200)
    samples = estimates[:, None] + noise[:, None] * rng.normal(size=(200, 8)) / 3
    strict, loose = (fit_bounds(estimates, samples, truths, tolerance=t) for t in (0.1, 0.8))
    assert strict.largest_spread < loose.largest_spread
    assert strict.largest_spread / 2 + (strict.margin or 1) <= 0.1


@pytest.mark.parametrize(("patients", "cases", "tolerance"), [(10, 1, 0.25), (10, 3, 0.25), (12, 1, 0.12), (30, 1, 0.1)])
def test_bounds_of_accepted_figures_hold_for_new_patients_from_ten_on(patients: int, cases: int, tolerance: float) -> None:
    rng, held = np.random.default_rng(patients + cases), []
    for _ in range(400):
        of = np.repeat(np.arange(patients + 6), cases)
        truths = np.repeat(rng.uniform(60, 140, patients + 6), cases)
        noise = np.repeat(rng.uniform(1, 8, patients + 6), cases)
        estimates = truths + noise * np.repeat(rng.normal(size=patients + 6), cases) + rng.normal(size=len(of))
        samples = estimates[:, None] + noise[:, None] * rng.normal(size=(len(of), 8)) / 3
        known = patients * cases
        rule = fit_bounds(estimates[:known], samples[:known], truths[:known], patients=of[:known].tolist(), tolerance=tolerance)
        found = [bound_measure(float(e), s, rule) for e, s in zip(estimates[known:], samples[known:], strict=True)]
        held += [
            b.low <= t <= b.high
            for b, t in zip(found, truths[known:], strict=True)
            if b.accepted and b.low is not None and b.high is not None
        ]
    assert len(held) > 300
    assert np.mean(held) >= 0.87


def test_samples_that_differ_widely_are_not_accepted() -> None:
    bounds = bound_measure(100.0, np.array([80.0, 120.0]), BoundsRule(0.01, 0.05, 0.9, 50))
    assert bounds.accepted is False
    assert "36.0%" in bounds.reason


@pytest.mark.parametrize("estimate", [0.0, math.nan])
def test_nothing_found_is_never_accepted(estimate: float) -> None:
    bounds = bound_measure(estimate, np.array([0.0, 5.0]), BoundsRule(0.01, 0.05, 0.9, 50))
    assert bounds.accepted is False
    assert "nothing" in bounds.reason


@given(st.floats(0.1, 1e4), st.lists(st.floats(0, 1e4), min_size=1, max_size=8), st.floats(-0.2, 2))
def test_bounds_surround_the_measure_and_are_never_negative(estimate, samples, margin) -> None:
    bounds = bound_measure(estimate, np.array(samples), BoundsRule(margin, math.inf, 0.9, 20))
    assert bounds.low is not None
    assert bounds.high is not None
    assert 0 <= bounds.low <= estimate <= bounds.high


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ShapeError, match="belong together"):
        fit_bounds(np.ones(3), np.ones((2, 4)), np.ones(3))
    with pytest.raises(ShapeError, match="at least one sample"):
        sample_range(1.0, np.zeros(0))
    with pytest.raises(SettingError, match="between 0 and 1"):
        fit_bounds(np.ones(3), np.ones((3, 4)), np.ones(3), coverage=1.0)
    with pytest.raises(SettingError, match="tolerance must lie above 0"):
        fit_bounds(np.ones(3), np.ones((3, 4)), np.ones(3), tolerance=0.0)
    with pytest.raises(ShapeError, match="3 cases and 1 patients"):
        fit_bounds(np.ones(3), np.ones((3, 4)), np.ones(3), patients=["a"])
