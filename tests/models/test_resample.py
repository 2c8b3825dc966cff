import dataclasses

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.models.foundation.resample import resample, resample_mask, working_shape, working_spacing


def test_the_same_shape_is_left_alone():
    array = np.random.default_rng(0).normal(size=(1, 5, 6, 7)).astype(np.float32)
    assert resample(array, (5, 6, 7)) is array


@pytest.mark.parametrize("shape", [(16, 16, 16), (4, 4, 4), (12, 5, 9)])
def test_a_ramp_stays_a_ramp(shape):
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (8, 8, 8))[None]
    centres = (np.arange(shape[0]) + 0.5) * 8 / shape[0] - 0.5
    np.testing.assert_allclose(resample(ramp, shape)[0, :, 2, 2], np.clip(centres, 0, 7), atol=1e-5)


def test_a_mask_keeps_its_values_and_its_share():
    mask = np.zeros((16, 16, 16), dtype=np.uint8)
    mask[4:12, 4:12, 4:12], mask[:2] = 3, 255
    small = resample_mask(mask, (8, 8, 8))
    assert set(np.unique(small)) == {0, 3, 255}
    assert (small == 3).mean() == (mask == 3).mean()
    assert (resample_mask(small, (16, 16, 16)) != mask).mean() < 0.005  # corners are rounded


@pytest.mark.parametrize("factor", [2, 3])
def test_a_single_answered_slice_survives_coarser_voxels(factor):
    mask = np.full((12, 12, 12), 255, dtype=np.uint8)
    mask[:, :, 7] = 0
    mask[:6, :, 7] = 2
    small = resample_mask(mask, (12, 12, 12 // factor))
    assert (small[:6, :, 7 // factor] == 2).all()
    assert (small[6:, :, 7 // factor] == 0).all()
    assert (np.delete(small, 7 // factor, axis=2) == 255).all()


def test_the_working_shape_follows_the_spacing(recipe_3d):
    coarse = dataclasses.replace(recipe_3d, spacing_mm=(2.0, 2.0, 3.0))
    grid = Grid.of_spacing((40, 40, 30), (1.0, 1.0, 1.0))
    assert working_shape(coarse, grid) == (20, 20, 10)
    assert working_spacing(grid, (20, 20, 10)) == (2.0, 2.0, 3.0)
    assert working_shape(recipe_3d, grid) == grid.shape


def test_a_tiny_difference_in_spacing_is_ignored(recipe_3d):
    recipe = dataclasses.replace(recipe_3d, spacing_mm=(1.01, 1.0, 1.0))
    assert working_shape(recipe, Grid.of_spacing((40, 40, 30), (1.0, 1.0, 1.0))) == (40, 40, 30)


def test_a_classification_sees_every_image_at_one_size(recipe_tags):
    assert working_shape(recipe_tags, Grid.flat(300, 100)) == recipe_tags.patch
