"""Maps to numbers: worked out by hand, and against scipy and plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.uncertainty import aggregation

maps = hnp.arrays(np.float64, st.tuples(*[st.integers(1, 5)] * 3), elements=st.floats(0, 1))


def test_contour_weights_fall_with_the_distance_in_millimetres():
    predicted = np.zeros((1, 1, 6), dtype=np.uint8)
    predicted[..., 3:] = 2
    weights = aggregation.contour_weights(predicted, sigma_mm=2.0, spacing_mm=(1.0, 1.0, 2.0))
    far, near = math.exp(-0.5 * 4), math.exp(-0.5)
    assert weights.ravel() == pytest.approx([far, near, 1, 1, near, far])


def test_without_a_border_every_voxel_weighs_alike():
    assert (aggregation.contour_weights(np.ones((2, 3, 4), dtype=np.uint8)) == 1).all()
    with pytest.raises(SettingError, match="above 0 mm"):
        aggregation.contour_weights(np.ones((2, 2, 2), dtype=np.uint8), sigma_mm=0.0)


def test_far_from_every_border_weights_stay_usable():
    predicted = np.zeros((1, 1, 200), dtype=np.uint8)
    predicted[..., 0] = 1
    weights = aggregation.contour_weights(predicted, sigma_mm=0.5)
    assert weights.min() > 0
    assert aggregation.aggregate(np.ones(weights.shape), weights) == pytest.approx(1.0)


def test_classes_count_alike_whatever_their_size():
    score_map, predicted = np.array([1.0, 1.0, 1.0, 5.0]), np.array([0, 0, 0, 2], dtype=np.uint8)
    assert aggregation.class_balanced_mean(score_map, predicted) == 3.0
    with pytest.raises(ShapeError, match="shape of a map"):
        aggregation.class_balanced_mean(score_map, predicted[:2])


@given(maps, st.integers(0, 2**31))
def test_one_class_alone_gives_the_plain_mean(score_map, seed):
    assert aggregation.class_balanced_mean(score_map, np.full(score_map.shape, 3, dtype=np.uint8)) == pytest.approx(score_map.mean())


@given(maps, st.tuples(*[st.integers(1, 6)] * 3))
def test_box_means_are_those_of_a_plain_loop(score_map, box):
    sizes = [min(b, n) for b, n in zip(box, score_map.shape, strict=True)]
    starts = [range(n - s + 1) for n, s in zip(score_map.shape, sizes, strict=True)]
    plain = [score_map[tuple(slice(a, a + s) for a, s in zip(first, sizes, strict=True))].mean() for first in itertools.product(*starts)]
    assert aggregation.box_means(score_map, box).ravel() == pytest.approx(plain)
    assert aggregation.box_means(score_map, box).max() == pytest.approx(max(plain))


def test_one_bad_spot_counts_wherever_it_is():
    score_map = np.zeros((6, 6, 6))
    score_map[4:, 4:, 4:] = 0.5
    assert aggregation.box_means(score_map, (2, 2, 2)).max() == pytest.approx(0.5)


def test_bad_boxes_are_refused():
    with pytest.raises(ShapeError, match="one size per axis"):
        aggregation.box_means(np.ones((2, 2)), (1,))
    with pytest.raises(SettingError, match="at least 1 voxel"):
        aggregation.box_means(np.ones(2), (0,))
    with pytest.raises(InputError, match="NaN"):
        aggregation.box_means(np.array([np.nan]), (1,))


def test_the_top_hundredth_is_rounded_and_not_cut_off():
    """Of 160 voxels a hundredth is 1.6: the two highest count, not the highest alone."""
    values = np.zeros((160, 1, 1))
    values[[3, 70], 0, 0] = (1.0, 0.5)
    assert aggregation.aggregate(values, None, how="top") == pytest.approx(0.75)
