"""Filling in between slices and carrying one on, on shapes whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from medloop.core.errors import InputError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.slices import depth_mm, interpolate_slices, propagate_slice
from medloop.metrics.overlap import dice

stacks = hnp.arrays(np.uint8, (6, 5, 7), elements=st.integers(0, 2))


def cone(*, axis: int = 2) -> np.ndarray:
    """A disc whose radius grows by one voxel per slice, from 3 to 9."""
    i, j = np.mgrid[:24, :24] - 11.5
    discs = np.stack([np.hypot(i, j) <= 3 + n for n in range(7)]).astype(np.uint8)
    return np.moveaxis(discs, 0, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_cone_is_filled_in_from_its_ends(axis: int) -> None:
    truth = cone(axis=axis)
    known = np.zeros_like(truth)
    for n in (0, 6):
        np.moveaxis(known, axis, 0)[n] = np.moveaxis(truth, axis, 0)[n]
    filled = interpolate_slices(known, axis, [0, 6])
    assert dice(filled, truth, [1])[1] > 0.97
    assert (np.moveaxis(filled, axis, 0)[[0, 6]] == np.moveaxis(truth, axis, 0)[[0, 6]]).all()


def test_equal_slices_are_repeated_and_what_lies_beyond_is_left() -> None:
    mask = np.zeros((6, 6, 6), dtype=np.uint8)
    mask[1:4, 1:4, 1], mask[1:4, 1:4, 4], mask[0, 0, 5] = 2, 2, 1
    filled = interpolate_slices(mask, 2, [1, 4])
    assert all((filled[..., n] == mask[..., 1]).all() for n in (2, 3))
    assert (filled[..., [0, 5]] == mask[..., [0, 5]]).all()


def test_a_label_that_ends_shrinks_to_nothing_halfway() -> None:
    mask = np.zeros((9, 9, 5), dtype=np.uint8)
    mask[1:8, 1:8, 0] = 1
    sizes = interpolate_slices(mask, 2, [0, 4]).sum(axis=(0, 1)).tolist()
    assert sizes[0] > sizes[1] > 0
    assert sizes[2:] == [0, 0, 0]


@given(stacks, st.lists(st.integers(0, 6), min_size=1, unique=True))
def test_done_slices_stay_and_no_label_appears_that_neither_neighbour_has(mask, done) -> None:
    filled = interpolate_slices(mask, 2, done)
    assert (filled[..., done] == mask[..., done]).all()
    for first, last in zip(sorted(done), sorted(done)[1:], strict=False):
        between = set(np.unique(filled[..., first:last])) - {0}
        assert between <= set(np.unique(mask[..., [first, last]]))


@given(hnp.arrays(np.bool_, (6, 7)).filter(lambda m: m.any() and not m.all()))
def test_depth_is_the_distance_to_the_nearest_pixel_of_the_other_kind(inside) -> None:
    places = np.argwhere(inside), np.argwhere(~inside)
    depth = depth_mm(inside, (1.0, 1.0))
    for place in np.argwhere(~inside):
        nearest = np.linalg.norm(places[0] - place, axis=1).min()
        assert depth[tuple(place)] == pytest.approx(0.5 - nearest)
    assert (depth[inside] > 0).all()


def moved_disc() -> tuple[Image, np.ndarray]:
    """A bright disc that moves by one voxel from slice to slice, on a little noise."""
    i, j = np.mgrid[:24, :24]
    truth = np.stack([np.hypot(i - 8 - n, j - 12) <= 5 for n in range(4)], axis=2).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 0.3, truth.shape)
    return Image((ndimage.gaussian_filter(truth * 4.0, 0.5) + noise)[None], Grid.of_spacing(truth.shape, (1, 1, 1))), truth


def test_a_slice_carried_on_follows_the_grey_values() -> None:
    image, truth = moved_disc()
    carried = propagate_slice(image, truth * np.array([1, 0, 0, 0], dtype=np.uint8), 2, 0, 1)
    copied = dice(truth[..., 0], truth[..., 1], [1])[1]
    assert dice(carried[..., 1], truth[..., 1], [1])[1] > copied + 0.05
    assert not carried[..., 2:].any()


def test_an_empty_slice_carries_nothing() -> None:
    image, truth = moved_disc()
    assert not propagate_slice(image, np.zeros_like(truth), 2, 0, 1).any()


def test_bad_slices_are_refused() -> None:
    image, truth = moved_disc()
    with pytest.raises(InputError, match=r"numbered 0\.\.3"):
        interpolate_slices(truth, 2, [0, 4])
    with pytest.raises(InputError, match=r"numbered 0\.\.3"):
        interpolate_slices(truth, 2, [])
    with pytest.raises(InputError, match="twice"):
        propagate_slice(image, truth, 2, 1, 1)
    with pytest.raises(ShapeError, match="image's shape"):
        propagate_slice(image, truth[:3], 2, 0, 1)
