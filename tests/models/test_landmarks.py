import numpy as np
import pytest

from medloop.core.errors import FormatError, ShapeError
from medloop.models.foundation.landmarks import PERCENTS, Landmarks, fit_landmarks, landmarks_from_json


def images(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.gamma(2.0, size=(1, 12, 12, 6)).astype(np.float32) for _ in range(5)]


def test_percentiles_come_to_where_those_of_training_lie() -> None:
    fitted = fit_landmarks(images())
    other = np.sqrt(images(1)[0]) * 3 + 7
    np.testing.assert_allclose(np.percentile(fitted(other)[0], PERCENTS), fitted.values[0], atol=0.02)


def test_a_falling_map_turns_bright_and_dark_back() -> None:
    fitted = fit_landmarks(images())
    one = images(1)[0]
    np.testing.assert_allclose(Landmarks(fitted.values, falling=True)(-one), fitted(one), atol=1e-3)


def test_order_is_kept_beyond_the_last_landmarks_and_constant_images_stay_finite() -> None:
    fitted = fit_landmarks(images())
    ramp = np.linspace(-50, 50, 600, dtype=np.float32).reshape(1, 10, 10, 6)
    assert (np.diff(fitted(ramp).ravel()) >= 0).all()
    assert np.isfinite(fitted(np.zeros((1, 3, 3, 1), np.float32))).all()


def test_they_survive_json_and_odd_ones_are_refused() -> None:
    fitted = fit_landmarks(images())
    assert landmarks_from_json(fitted.to_json()) == fitted
    with pytest.raises(FormatError, match="adapt the model again"):
        landmarks_from_json({"values": "much"})
    with pytest.raises(ShapeError, match="1 channels, the image has 2"):
        fitted(np.zeros((2, 3, 3, 1), np.float32))
    with pytest.raises(ShapeError, match="as many channels"):
        fit_landmarks([])
