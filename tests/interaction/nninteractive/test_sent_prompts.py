import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import binary_fill_holes

from medloop.core.errors import InputError
from medloop.interaction.nninteractive.sent_prompts import (
    MAX_VOXELS,
    AxisOrder,
    box_prompts,
    lasso_prompts,
    point_prompt,
    scribble_prompt,
    without_contradicted,
)
from medloop.interaction.prompts import Box, Point, Scribble, check_prompts, exact_voxels

SHAPE = (12, 10, 8)
PLANES = arrays.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7)))


def drawn_by(prompts, shape=SHAPE) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    for prompt in prompts:
        mask[tuple(exact_voxels(prompt, shape).T)] = True
    return mask


@given(PLANES.filter(np.any), st.integers(0, 2))
def test_outlines_enclose_exactly_what_was_drawn_and_its_holes(plane: np.ndarray, axis: int):
    crop = np.expand_dims(plane, axis)
    thin = np.argmin([len(np.unique(n)) for n in np.nonzero(crop)])
    prompts = lasso_prompts(crop, (0, 0, 0), label=1, positive=True)
    check_prompts(prompts, crop.shape, labels=[1])
    filled = np.stack([binary_fill_holes(p) for p in np.moveaxis(crop, thin, 0)])
    assert np.array_equal(drawn_by(prompts, crop.shape), np.moveaxis(filled, 0, thin))


def test_a_ring_is_filled_where_it_lies():
    ring = np.ones((4, 5, 1), dtype=bool)
    ring[1:-1, 1:-1] = False
    (lasso,) = lasso_prompts(ring, (3, 2, 6), label=2, positive=False)
    assert (lasso.axis, lasso.index, lasso.label, lasso.positive) == (2, 6, 2, False)
    expected = np.zeros(SHAPE, dtype=bool)
    expected[3:7, 2:7, 6] = True
    assert np.array_equal(drawn_by([lasso]), expected)


def test_a_negative_box_speaks_of_every_voxel_in_it():
    prompts = box_prompts(((2, 5), (-1, 3), (6, 20)), SHAPE, label=1, positive=False)
    check_prompts(prompts, SHAPE, labels=[1])
    expected = np.zeros(SHAPE, dtype=bool)
    expected[2:5, :3, 6:] = True
    assert np.array_equal(drawn_by(prompts), expected)
    assert not any(p.positive for p in prompts)


def test_a_positive_box_is_cut_to_the_image():
    assert box_prompts(((-4, 5), (0, 3), (6, 20)), SHAPE, label=1, positive=True) == (Box((0, 0, 6), (5, 3, 8)),)


@given(PLANES.filter(np.any))
def test_a_scribble_holds_its_voxels(plane: np.ndarray):
    prompt = scribble_prompt(plane[..., None], (1, 2, 3), label=1, positive=True)
    assert np.array_equal(drawn_by([prompt])[1 : 1 + plane.shape[0], 2 : 2 + plane.shape[1], 3], plane)
    assert len(prompt.voxels) == plane.sum()


def test_a_whole_volume_is_no_scribble():
    with pytest.raises(InputError, match="send a whole mask as initial segmentation"):
        scribble_prompt(np.ones((1, 1, MAX_VOXELS + 1), dtype=bool), (0, 0, 0), label=1, positive=True)


def test_a_click_goes_to_the_nearest_voxel():
    assert point_prompt((2.6, 0.2, 7.4), label=3, positive=False) == Point((3, 0, 7), 3, False)


@given(st.lists(st.tuples(st.tuples(*[st.integers(0, 2)] * 3), st.booleans()), max_size=12))
def test_a_later_click_wins_over_earlier_ones(clicks):
    kept: tuple = ()
    for voxel, positive in clicks:
        new = Point(voxel, positive=positive) if voxel[0] else Scribble((voxel, (0, 0, 0)), positive=positive)
        kept = (*without_contradicted(kept, [new]), new)
    check_prompts(kept, (3, 3, 3), labels=[1])
    said = {}
    for voxel, positive in clicks:
        said[voxel] = positive
        if not voxel[0]:
            said[0, 0, 0] = positive
    assert {v: p.positive for p in kept for v in map(tuple, exact_voxels(p, (3, 3, 3)).tolist())} == said


def test_turning_axes_twice_changes_nothing():
    order = AxisOrder()
    array = np.arange(24).reshape(1, 2, 3, 4)
    assert order.array(array).shape == (1, 4, 3, 2)
    assert np.array_equal(order.array(order.array(array)), array)
    assert order.triple(order.triple((1, 2, 3))) == (1, 2, 3)
    assert order.array(array)[(0, *order.triple((1, 2, 3)))] == array[0, 1, 2, 3]
