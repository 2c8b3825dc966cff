"""Superpixels of a slice: one cut for the page, for studies and for marks."""

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.images.phantoms import phantom_3d
from medloop.interaction.weak.marks import Superpixel, marked_voxels
from medloop.interaction.weak.simulated import simulated_marks
from medloop.interaction.weak.superpixels import superpixel_mark, superpixels_of
from medloop.interaction.weak.supervision import supervise


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mark_holds_the_voxels_of_its_superpixel_and_no_others(axis: int) -> None:
    phantom = phantom_3d(1, 1, shape=(24, 20, 12))
    shape, index = phantom.image.grid.shape, 5
    numbers = superpixels_of(phantom.image.array, phantom.image.grid, axis=axis, index=index)
    np.testing.assert_array_equal(numbers, superpixels_of(phantom.image.array, phantom.image.grid, axis=axis, index=index))
    painted = np.zeros(shape, dtype=np.int64)
    for number in np.unique(numbers):
        mark = superpixel_mark(numbers, int(number), 1, shape=shape, axis=axis, index=index)
        painted[tuple(marked_voxels(mark, shape).T)] += number
    np.testing.assert_array_equal(np.take(painted, index, axis=axis), numbers)
    assert np.count_nonzero(painted) == numbers.size


def test_what_is_no_slice_or_no_superpixel_is_refused_in_one_line() -> None:
    phantom = phantom_3d(1, 1, shape=(24, 20, 12))
    for axis, index in ((2, 12), (2, -1), (3, 0)):
        with pytest.raises(InputError, match=r"A slice is within the image's \(24, 20, 12\) voxels, got"):
            superpixels_of(phantom.image.array, phantom.image.grid, axis=axis, index=index)
    with pytest.raises(InputError, match="has a number from 1 to 1, got 7"):
        superpixel_mark(np.ones((2, 2), dtype=np.int64), 7, 1, shape=(2, 2, 1), axis=2, index=0)
    with pytest.raises(InputError, match="Superpixels follow an image, got none"):
        simulated_marks(phantom.mask.array, phantom.mask.grid, "superpixels", (1,), np.random.default_rng(0))


def test_simulated_people_give_superpixels_that_are_nearly_all_of_their_label() -> None:
    phantom = phantom_3d(0, 1, (40, 40, 12))
    truth, labels = phantom.mask.array, tuple(int(v) for v in np.unique(phantom.mask.array) if v)
    given = simulated_marks(truth, phantom.mask.grid, "superpixels", labels, np.random.default_rng(0), image=phantom.image.array)
    chosen = [mark for mark in given.marks if isinstance(mark, Superpixel)]
    assert {mark.label for mark in chosen} >= {0, 1}
    for mark in chosen:
        own = truth[tuple(marked_voxels(mark, truth.shape).T)] == mark.label
        assert own.mean() >= 0.9
    supervise(given.marks, truth.shape, {label: str(label) for label in labels})
    assert 0 < given.seconds < 5 * len(chosen) + 2 * truth.shape[2]
