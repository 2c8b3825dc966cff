"""Votes that weigh by how well each annotator fits the image, or the others, around a voxel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.raters import locally_weighted, majority_mask

ONE = (1.0, 1.0)


def line(*values: int) -> MaskArray:
    return np.array(values, dtype=np.uint8)[:, None]


def test_weights_of_annotators_among_each_other_by_hand() -> None:
    """Window of three voxels: A is 1/3 from the others, B and C 1/12 each."""
    fused = locally_weighted([line(1, 1, 0), line(1, 0, 0), line(1, 0, 0)], [1], spacing_mm=ONE, radius_mm=1.0)
    alone, two = (1 / 3 + 0.02) ** -2, 2 * (1 / 12 + 0.02) ** -2
    np.testing.assert_allclose(fused.soft(1)[:, 0], [1.0, alone / (alone + two), 0.0], rtol=1e-6)
    assert fused.mask[:, 0].tolist() == [1, 0, 0]


def test_weights_by_the_image_by_hand() -> None:
    """Around voxel 1 the first annotator leaves none of the variance of 0, 0, 3 unexplained, the second 1.5 of 2."""
    image = np.array([0.0, 0.0, 3.0, 3.0, 3.0])[None, :, None]
    fused = locally_weighted([line(0, 0, 1, 1, 1), line(0, 1, 1, 1, 1)], [1], spacing_mm=ONE, image=image, radius_mm=1.0)
    right, wrong = 0.02**-2, (0.75 + 0.02) ** -2
    np.testing.assert_allclose(fused.soft(1)[:, 0], [0, wrong / (right + wrong), 1, 1, 1], rtol=1e-6)


def test_one_who_follows_the_edge_outvotes_two_who_do_not() -> None:
    image = np.zeros((1, 20, 20))
    image[:, 5:15, 5:15] = 1.0
    truth = (image[0] > 0).astype(np.uint8)
    larger = np.zeros_like(truth)
    larger[3:17, 3:17] = 1
    masks = [truth, larger, larger]
    assert (majority_mask(masks, [1]).mask == larger).all()
    fused = locally_weighted(masks, [1], spacing_mm=ONE, image=image)
    assert (fused.mask == truth).all()
    assert fused.skills[0].dice > fused.skills[1].dice
    assert fused.skills[1].labels[1].dice.low is not None


def test_without_gain_everybody_counts_alike() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 3, (6, 5)).astype(np.uint8) for _ in range(4)]
    fused = locally_weighted(masks, [1, 2], spacing_mm=ONE, gain=0.0)
    np.testing.assert_array_equal(fused.mask, majority_mask(masks, [1, 2]).mask)
    np.testing.assert_allclose(fused.soft(2), majority_mask(masks, [1, 2]).soft(2), atol=1e-6)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25, deadline=None)
def test_neither_the_order_of_annotators_nor_the_unit_of_the_image_matters(seed: int, with_image: bool) -> None:
    rng = np.random.default_rng(seed)
    masks = [np.where(rng.random((7, 6)) < 0.1, UNKNOWN, rng.integers(0, 3, (7, 6))).astype(np.uint8) for _ in range(3)]
    image = rng.normal(size=(2, 7, 6)) if with_image else None
    fused = locally_weighted(masks, [1, 2], spacing_mm=(1.0, 2.0), image=image)
    scaled = None if image is None else 40.0 * image + 7.0
    turned = locally_weighted([masks[2], masks[0], masks[1]], [1, 2], spacing_mm=(1.0, 2.0), image=scaled)
    for label in (0, 1, 2):
        np.testing.assert_allclose(fused.soft(label), turned.soft(label), atol=1e-5)
    known = fused.mask != UNKNOWN
    np.testing.assert_allclose(sum(fused.soft(label) for label in (0, 1, 2))[known], 1.0, atol=1e-5)


def test_the_window_is_in_millimetres() -> None:
    """Along an axis of thick slices the window is one slice: what lies in the next one does not count."""
    rng = np.random.default_rng(1)
    masks = [rng.integers(0, 2, (8, 8, 2)).astype(np.uint8) for _ in range(3)]
    thick = locally_weighted(masks, [1], spacing_mm=(1.0, 1.0, 10.0), radius_mm=3.0)
    alone = [locally_weighted([m[..., k] for m in masks], [1], spacing_mm=ONE, radius_mm=3.0).soft(1) for k in range(2)]
    np.testing.assert_allclose(thick.soft(1), np.stack(alone, axis=-1), atol=1e-6)


def test_bad_input_is_refused() -> None:
    masks = [line(0, 1), line(1, 1)]
    with pytest.raises(ShapeError, match="on the grid of the masks"):
        locally_weighted(masks, [1], spacing_mm=ONE, image=np.zeros((1, 3, 1)))
    with pytest.raises(InputError, match="finite"):
        locally_weighted(masks, [1], spacing_mm=ONE, image=np.full((1, 2, 1), np.nan))
    with pytest.raises(SettingError, match="positive spacing"):
        locally_weighted(masks, [1], spacing_mm=(1.0,))
    for wrong in ({"radius_mm": 0.0}, {"gain": -1.0}):
        with pytest.raises(SettingError, match="radius_mm must be more than 0"):
            locally_weighted(masks, [1], spacing_mm=ONE, **wrong)
    assert not locally_weighted([line(0, 0)] * 2, [1], spacing_mm=ONE).mask.any()
