import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.models.foundation.normalise import normalise


def noise(seed=0, shape=(2, 8, 9, 10)):
    return np.random.default_rng(seed).normal(size=shape)


def test_each_channel_gets_mean_zero_and_deviation_one():
    scored = normalise(noise() * np.array([1, 1000]).reshape(2, 1, 1, 1) + 5)
    np.testing.assert_allclose(scored.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(scored.std(axis=(1, 2, 3)), 1, atol=1e-5)


@given(scale=st.floats(1e-2, 2e6), shift=st.floats(-1e4, 1e4))
def test_units_do_not_matter(scale, shift):
    np.testing.assert_allclose(normalise(noise() * scale + shift), normalise(noise()), atol=1e-2)


def test_a_few_burnt_voxels_do_not_matter():
    burnt = noise(shape=(1, 20, 20, 20))
    clean = normalise(burnt)
    burnt[0, 0, 0, :5] = 1e9
    assert np.abs(normalise(burnt) - clean)[0, 1:].max() < 0.05


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_constant_image_becomes_zero(dtype):
    assert not normalise(np.full((1, 4, 4, 1), 7, dtype=dtype)).any()


def test_missing_values_become_ordinary():
    holed = noise()
    holed[0, :2] = np.nan
    holed[1] = np.inf
    scored = normalise(holed)
    assert np.isfinite(scored).all()
    assert not scored[1].any()
