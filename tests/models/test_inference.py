import dataclasses

import pytest

from medloop.models.inference.inference import window_size


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((24, 24, 16), (24, 24, 16)),
        ((30, 24, 16), (32, 24, 16)),
        ((200, 24, 16), (24, 24, 16)),
        ((3, 3, 3), (8, 8, 8)),
    ],
)
def test_a_volume_little_larger_than_a_patch_goes_through_whole(recipe_3d, shape, window):
    assert recipe_3d.patch == (24, 24, 16)
    assert recipe_3d.stride == (4, 4, 4)
    assert window_size(recipe_3d, shape) == window


def test_a_picture_keeps_its_single_slice(recipe_2d):
    assert window_size(dataclasses.replace(recipe_2d), (32, 32, 1))[2] == 1
