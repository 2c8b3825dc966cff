import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from medloop.core.errors import FormatError, ShapeError
from medloop.metrics.calibration import ece, nll
from medloop.quality.calibrate import IsotonicScaling, TemperatureScaling, calibrator_from_json, fit_isotonic, fit_temperature


def overconfident(rows: int, heat: float, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Truth drawn from softmax(logits), stated as softmax(heat · logits)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    stated = np.exp(heat * logits) / np.exp(heat * logits).sum(axis=1, keepdims=True)
    return truth, stated


def test_two_halves_warm_up_by_hand():
    found = TemperatureScaling(2.0)(np.array([0.8, 0.2]))
    assert found == pytest.approx([2 / 3, 1 / 3])  # sqrt(0.8) : sqrt(0.2) = 2 : 1


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(heat):
    truth, stated = overconfident(20_000, heat)
    assert fit_temperature(truth, stated).temperature == pytest.approx(heat, rel=0.05)


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_calibration_helps_on_cases_it_has_not_seen(fit):
    calibrated = fit(*overconfident(4000, 3.0))
    truth, stated = overconfident(4000, 3.0, seed=1)
    assert ece(truth, calibrated(stated, axis=1)) < 0.03 < 0.15 < ece(truth, stated)
    assert nll(truth, calibrated(stated, axis=1)) < nll(truth, stated)


@given(st.integers(0, 500), st.floats(0.05, 20), st.sampled_from([np.float32, np.float64]))
def test_a_temperature_never_changes_the_answer(seed, temperature, dtype):
    stated = np.random.default_rng(seed).dirichlet(np.ones(4), 30).astype(dtype)
    tempered = TemperatureScaling(temperature)(stated, axis=1)
    assert (tempered.argmax(axis=1) == stated.argmax(axis=1)).all()
    assert np.allclose(tempered.sum(axis=1), 1)


def test_a_map_and_its_table_are_calibrated_alike():
    _, rows = overconfident(24, 2.0)
    stated = rows.T.reshape(3, 2, 3, 4)
    for calibrated in (TemperatureScaling(1.7), fit_isotonic(*overconfident(500, 2.0))):
        assert np.allclose(calibrated(stated).reshape(3, -1).T, calibrated(rows, axis=1))


def test_two_classes_follow_the_curve_of_scikit_learn():
    truth, stated = overconfident(300, 2.0, classes=2)
    peer = IsotonicRegression(y_min=1 / 301, y_max=300 / 301, out_of_bounds="clip").fit(stated[:, 1], truth)
    new = np.linspace(0, 1, 50)
    found = fit_isotonic(truth, stated)(np.stack([1 - new, new]))
    assert found[1] == pytest.approx(peer.predict(new))
    assert found.sum(axis=0) == pytest.approx(np.ones(50))


def test_certain_and_wrong_stays_finite():
    truth, stated = np.array([0, 1, 1]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(fit_temperature(truth, stated)(stated, axis=1)).all()
    assert fit_isotonic(truth, stated)(stated, axis=1).min() > 0


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_a_calibration_survives_json(fit):
    calibrated = fit(*overconfident(200, 2.0))
    assert calibrator_from_json(json.loads(json.dumps(calibrated.to_json()))) == calibrated


@pytest.mark.parametrize("record", [{}, {"kind": "magic"}, {"kind": "temperature"}, {"kind": "isotonic", "curves": [1]}])
def test_what_is_no_calibration_is_refused(record):
    with pytest.raises(FormatError, match="calibration"):
        calibrator_from_json(record)


def test_other_classes_are_refused():
    with pytest.raises(ShapeError, match="3 classes, got 2"):
        IsotonicScaling((((0.0, 1.0), (0.0, 1.0)),) * 3)(np.array([0.5, 0.5]))
    with pytest.raises(ShapeError, match="one class per case"):
        fit_temperature(np.zeros(0, dtype=int), np.zeros((0, 2)))


def test_a_temperature_of_samples_is_that_under_which_their_mean_comes_true():
    truth, stated = overconfident(3000, 3.0)
    alike = fit_temperature(truth, np.stack([stated, stated])).temperature
    assert alike == pytest.approx(fit_temperature(truth, stated).temperature, rel=1e-6)
    samples = np.stack([stated, overconfident(3000, 2.0, seed=4)[1]])  # the second knows nothing
    found = fit_temperature(truth, samples).temperature
    losses = [nll(truth, TemperatureScaling(found * f)(samples, axis=2).mean(axis=0)) for f in (0.95, 1.0, 1.05)]
    assert min(losses) == losses[1]
