import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.interpolate import interpolate_slices, propagate_slice


def cone(shape=(24, 24, 9)):
    """A disc that shrinks by one voxel of radius per slice along K."""
    i, j, k = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    return (np.hypot(i - 11.5, j - 11.5) < 10 - k).astype(np.uint8)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def turned(array, axis):
    """The same with slices along another axis."""
    return np.moveaxis(array, 2, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_between_two_slices_of_a_cone_lies_a_cone(axis):
    truth = cone()
    known = truth.copy()
    known[:, :, 1:8] = 0
    spacing = np.insert([1.0, 1.0], axis, 4.0)
    found = interpolate_slices(turned(known, axis).copy(), axis=axis, answered=[0, 8], label=1, spacing_mm=spacing)
    assert dice(found == 1, turned(truth, axis) == 1) > 0.95


def test_a_shape_that_moves_is_halfway_in_between():
    mask = np.zeros((30, 10, 3), dtype=np.uint8)
    mask[5:15, 2:8, 0] = mask[9:19, 2:8, 2] = 1
    found = interpolate_slices(mask, axis=2, answered=[0, 2], label=1, spacing_mm=(1, 1, 1))
    assert np.flatnonzero(found[:, 5, 1]).tolist() == list(range(7, 17))


@settings(max_examples=30)
@given(st.integers(0, 2), st.integers(0, 10**6), st.sets(st.integers(0, 5), min_size=2))
def test_answered_slices_other_labels_and_slices_outside_stay(axis, seed, answered):
    mask = np.random.default_rng(seed).choice(np.array([0, 0, 1, 2], dtype=np.uint8), size=(6, 6, 6))
    found = interpolate_slices(mask, axis=axis, answered=sorted(answered), label=1, spacing_mm=(1, 2, 3))
    planes, given_ = np.moveaxis(found, axis, 0), np.moveaxis(mask, axis, 0)
    for n in range(6):
        if n in answered or n < min(answered) or n > max(answered):
            assert np.array_equal(planes[n], given_[n])
    assert np.array_equal(found[mask > 0], mask[mask > 0])


def test_nothing_grows_between_slices_without_the_label():
    mask = np.zeros((5, 5, 4), dtype=np.uint8)
    assert not interpolate_slices(mask, axis=2, answered=[0, 3], label=1, spacing_mm=(1, 1, 1)).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_carried_along_what_looks_the_same(axis):
    truth = cone()
    noise = np.random.default_rng(0).normal(0, 10, truth.shape)
    image = Image(turned(100.0 * truth + noise, axis)[np.newaxis].copy(), Grid.of_spacing(turned(truth, axis).shape, (1, 1, 1)))
    known = turned(truth, axis).copy()
    np.moveaxis(known, axis, 0)[1:] = 0
    found = propagate_slice(image, known, axis=axis, source=0, target=6, label=1)
    planes, true = np.moveaxis(found, axis, 0), np.moveaxis(turned(truth, axis), axis, 0)
    assert min(dice(planes[n] == 1, true[n] == 1) for n in range(1, 7)) > 0.9
    assert not planes[7:].any()
    back = propagate_slice(image, turned(truth, axis), axis=axis, source=6, target=4, label=1)
    assert np.array_equal(np.moveaxis(back, axis, 0)[:4], true[:4])


def test_what_is_carried_stops_at_other_labels_and_where_it_ends():
    array = np.zeros((1, 20, 20, 5))
    array[:, 5:15, 5:15, :3] = 100
    mask = np.zeros((20, 20, 5), dtype=np.uint8)
    mask[5:15, 5:15, 0] = 1
    mask[5:15, 5:10, 1] = 2
    image = Image(array, Grid.of_spacing((20, 20, 5), (1, 1, 1)))
    found = propagate_slice(image, mask, axis=2, source=0, target=4, label=1)
    assert np.array_equal(found == 2, mask == 2)
    assert np.array_equal(found[:, :, 1] == 1, (array[0, :, :, 1] > 0) & (mask[:, :, 1] == 0))
    assert not found[:, :, 3:].any()


def test_slices_that_are_not_there_are_refused():
    mask, image = np.zeros((4, 4, 4), dtype=np.uint8), Image(np.zeros((1, 4, 4, 4)), Grid.of_spacing((4, 4, 4), (1, 1, 1)))
    for answered in ([1], [0, 4], [-1, 2]):
        with pytest.raises(InputError, match="annotated slices"):
            interpolate_slices(mask, axis=2, answered=answered, label=1, spacing_mm=(1, 1, 1))
    with pytest.raises(InputError, match="axis 0, 1 or 2"):
        interpolate_slices(mask, axis=3, answered=[0, 1], label=1, spacing_mm=(1, 1, 1))
    with pytest.raises(InputError, match="must hold the label"):
        propagate_slice(image, mask, axis=2, source=0, target=3, label=1)
    mask[1, 1, 0] = 1
    with pytest.raises(CancelledError):
        propagate_slice(image, mask, axis=2, source=0, target=3, label=1, wanted=lambda: False)
