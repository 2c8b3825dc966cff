import dataclasses

import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.models.foundation.fitting import fit_image
from medloop.models.foundation.plans import common_channels
from medloop.models.foundation.recipes import CaseShape, choose_recipe, fingerprint

GREY = Image(np.arange(24, dtype=np.uint8).reshape(1, 6, 4, 1), Grid.flat(6, 4))
COLOURED = Image(np.stack([GREY.array[0], GREY.array[0] * 2, GREY.array[0] * 3]).astype(np.uint8), GREY.grid)


def recipe(*channels: int):
    return choose_recipe(
        fingerprint([CaseShape((6, 4, 1), (1, 1, 1), n) for n in channels]), kind="segmentation", classes=2, minutes=1, threads=1, seed=0
    )


@pytest.mark.parametrize(
    ("found", "dimension", "common"), [({1}, 3, 1), ({4}, 2, 4), ({1, 3}, 2, 3), ({1, 3}, 3, None), ({1, 2}, 2, None), ({1, 3, 4}, 2, None)]
)
def test_only_grey_and_coloured_pictures_mix(found, dimension, common):
    assert common_channels(found, dimension=dimension) == common


def test_a_grey_picture_is_repeated_for_a_network_of_colours():
    fitted = fit_image(recipe(1, 3), GREY, "a")
    assert fitted.channels == 3
    assert all((channel == GREY.array[0]).all() for channel in fitted.array)


def test_a_coloured_picture_is_averaged_for_a_grey_network():
    fitted = fit_image(recipe(1), COLOURED, "a")
    np.testing.assert_allclose(fitted.array[0], GREY.array[0] * 2.0)


def test_what_fits_is_left_alone():
    assert fit_image(recipe(3), COLOURED, "a") is COLOURED


def test_other_channels_and_slices_are_refused_by_name():
    with pytest.raises(ShapeError, match="case-7: the recipe is for 2 channels, got 1"):
        fit_image(recipe(2), GREY, "case-7")
    volume = Image(np.zeros((1, 6, 4, 5), dtype=np.uint8), Grid.of_spacing((6, 4, 5), (1, 1, 1)))
    with pytest.raises(ShapeError, match="case-8: the recipe is for single slices, got 5"):
        fit_image(recipe(1), volume, "case-8")
    with pytest.raises(ShapeError, match="3 channels, got 1"):
        fit_image(dataclasses.replace(recipe(3), dimension=3, patch=(32, 32, 32), flips=()), volume, "case-9")
