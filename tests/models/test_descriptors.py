import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.images.phantoms import phantom_2d, phantom_3d, phantom_tags
from medloop.models.foundation.normalise import normalise
from medloop.models.pretext.descriptors import CELLS, DIRECTIONS, LENGTH, describe_image, gradient_histogram
from medloop.models.pretext.thumbnails import SIDE, shrink, thumbnail


def ramp(axis: int) -> np.ndarray:
    return np.moveaxis(np.broadcast_to(np.arange(SIDE, dtype=np.float32), (SIDE, SIDE)), 1, axis)


def by_hand(view: np.ndarray) -> np.ndarray:
    """The histogram pixel by pixel."""
    first, second = np.gradient(view.astype(np.float64))
    table = np.zeros((CELLS, CELLS, DIRECTIONS))
    for i in range(SIDE):
        for j in range(SIDE):
            angle = np.arctan2(second[i, j], first[i, j]) % np.pi
            place = angle / np.pi * DIRECTIONS
            lower, share = int(place) % DIRECTIONS, place - int(place)
            strength = np.hypot(first[i, j], second[i, j])
            table[i * CELLS // SIDE, j * CELLS // SIDE, lower] += strength * (1 - share)
            table[i * CELLS // SIDE, j * CELLS // SIDE, (lower + 1) % DIRECTIONS] += strength * share
    return table.ravel() / np.linalg.norm(table)


@pytest.mark.parametrize(("axis", "expected"), [(0, 0), (1, DIRECTIONS // 2)])
def test_a_ramp_has_one_direction_everywhere(axis: int, expected: int) -> None:
    found = gradient_histogram(ramp(axis)).reshape(CELLS**2, DIRECTIONS)
    np.testing.assert_allclose(found[:, expected], 1 / CELLS, rtol=1e-6)
    assert np.delete(found, expected, axis=1).max() < 1e-7


@given(st.integers(0, 2**32 - 1))
def test_the_histogram_is_that_of_a_loop_over_pixels(seed: int) -> None:
    view = np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32)
    np.testing.assert_allclose(gradient_histogram(view), by_hand(view), atol=1e-6)


@pytest.mark.parametrize("image", [phantom_3d(1).image, phantom_2d(1).image, phantom_tags(1).image], ids=["volume", "picture", "tags"])
def test_every_image_gives_as_many_finite_numbers(image: Image) -> None:
    found = describe_image(image)
    assert found.shape == (LENGTH,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@given(st.floats(0.1, 100), st.floats(-500, 500))
def test_scaled_and_shifted_intensities_describe_the_same_case(gain: float, offset: float) -> None:
    image = phantom_3d(3, shape=(20, 20, 12)).image
    other = Image(image.array.astype(np.float64) * gain + offset, image.grid)
    np.testing.assert_allclose(describe_image(other), describe_image(image), atol=2e-3)


def test_a_blank_image_is_described_by_its_size_alone() -> None:
    blank = Image(np.full((1, 8, 8, 4), 7.0), Grid.of_spacing((8, 8, 4), (1, 1, 2)))
    found = describe_image(blank)
    assert not found[:-3].any()
    np.testing.assert_allclose(found[-3:], np.log(8), rtol=1e-6)


def test_like_cases_lie_closer_than_unlike_ones() -> None:
    a, b, c = (describe_image(phantom_3d(n, shape=(24, 24, 16)).image) for n in (1, 1, 2))
    noise = np.random.default_rng(0).normal(size=(1, 24, 24, 16))
    d = describe_image(Image(noise, Grid.of_spacing((24, 24, 16), (1, 1, 1))))
    assert np.array_equal(a, b)
    assert np.linalg.norm(a - c) < np.linalg.norm(a - d)


def test_a_thumbnail_keeps_physical_proportions() -> None:
    tall = shrink(np.ones((32, 8), dtype=np.float32), (1.0, 2.0))
    assert (tall[:, SIDE // 4 : -SIDE // 4] > 0.99).all()
    assert not tall[:, : SIDE // 4 - 1].any()


def test_shrinking_by_whole_factors_keeps_the_mean_and_enlarging_keeps_constants() -> None:
    view = np.random.default_rng(1).normal(size=(4 * SIDE, 4 * SIDE)).astype(np.float32)
    blocks = view.reshape(SIDE, 4, SIDE, 4).mean(axis=(1, 3))
    assert np.corrcoef(shrink(view, (0.25, 0.25)).ravel(), blocks.ravel())[0, 1] > 0.8
    np.testing.assert_allclose(shrink(np.full((5, 5), 3.0, dtype=np.float32), (2.0, 2.0)), 3.0, rtol=1e-6)


def test_intensities_are_scaled_as_networks_see_them() -> None:
    image = phantom_2d(5, shape=(SIDE, SIDE)).image
    np.testing.assert_allclose(thumbnail(image)[0], normalise(image.array)[0, :, :, 0], atol=1e-5)


def test_voxels_that_are_no_numbers_do_no_harm() -> None:
    array = np.random.default_rng(0).normal(size=(1, 9, 8, 7))
    array[0, 4, 4, 3] = np.nan
    assert np.isfinite(thumbnail(Image(array, Grid.of_spacing((9, 8, 7), (1, 1, 1))))).all()
    assert not thumbnail(Image(array * np.nan, Grid.of_spacing((9, 8, 7), (1, 1, 1)))).any()


@pytest.mark.parametrize(("axes", "flips"), [((2, 0, 1), (False, True, False)), ((1, 0, 2), (True, True, True))])
def test_the_order_and_direction_of_the_axes_in_the_file_do_not_matter(axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    image = phantom_3d(4, shape=(21, 17, 13)).image
    array = image.array.transpose(0, *(a + 1 for a in axes))
    affine = image.grid.affine[:, [*axes, 3]].copy()
    for n, flip in enumerate(flips):
        if flip:
            array = np.flip(array, n + 1)
            affine[:, 3] += affine[:, n] * (array.shape[n + 1] - 1)
            affine[:, n] *= -1
    moved = Image(array, Grid(array.shape[1:], affine))
    np.testing.assert_allclose(thumbnail(moved), thumbnail(image), atol=1e-5)


def test_the_channels_of_a_picture_are_its_views() -> None:
    channels = np.random.default_rng(2).normal(size=(3, SIDE, SIDE, 1)).astype(np.float32)
    views = thumbnail(Image(channels, Grid.flat(SIDE, SIDE)))
    assert len({views[n].tobytes() for n in range(3)}) == 3
    single = thumbnail(Image(channels[:1], Grid.flat(SIDE, SIDE)))
    assert np.array_equal(single[0], single[2])
