import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.images.appearance import GEOMETRY, PER_CHANNEL, appearance, appearance_names, scale_free


def image(array: np.ndarray, spacing: float = 1.0) -> Image:
    return Image(array.astype(np.float32), Grid(array.shape[1:], np.diag([spacing, spacing, spacing, 1.0])))


@pytest.fixture
def scan() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.hypot(*np.mgrid[:32, :32])[None, :, :, None] + rng.normal(size=(1, 32, 32, 6))


def test_every_number_has_a_name(scan: np.ndarray) -> None:
    two = image(np.concatenate([scan, scan]))
    assert len(appearance(two)) == len(appearance_names(2)) == 2 * PER_CHANNEL + len(GEOMETRY)
    assert appearance_names(2)[PER_CHANNEL] == "1 % of channel 2"


def test_a_change_of_unit_changes_percentiles_alone(scan: np.ndarray) -> None:
    plain, scaled = appearance(image(scan)), appearance(image(10 * scan + 500))
    np.testing.assert_allclose(plain[scale_free(1)], scaled[scale_free(1)], atol=1e-3)
    assert scaled[2] == pytest.approx(10 * plain[2] + 500, rel=1e-4)


def test_noise_is_measured_in_units_of_the_spread(scan: np.ndarray) -> None:
    names = appearance_names(1)
    noise = np.exp(appearance(image(scan))[names.index("noise")]) - 1e-3
    assert noise == pytest.approx(1.0 / scan.std(), rel=0.15)
    assert np.exp(appearance(image(scan, 2.5))[names.index("spacing J")]) == pytest.approx(2.5)


def test_constant_tiny_and_odd_images_have_finite_numbers() -> None:
    for array in (np.zeros((1, 4, 4, 1)), np.ones((1, 1, 1, 1)), np.full((1, 3, 3, 2), np.nan), np.arange(4.0).reshape(1, 2, 2, 1)):
        assert np.isfinite(appearance(image(array))).all()
