"""Overlap by hand, against MONAI, and for masks that lack a label."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import DiceMetric

from medloop.core.errors import ShapeError
from medloop.metrics.overlap import dice

masks = hnp.arrays(np.uint8, (3, 4, 2), elements=st.integers(0, 2))


def mask(*values) -> np.ndarray:
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1)


def test_half_overlap_worked_out_by_hand():
    a, b = mask(1, 1, 0, 2), mask(0, 1, 1, 2)
    assert dice(a, b, [1, 2]) == {1: 0.5, 2: 1.0}


def test_a_label_absent_from_both_scores_one_and_from_one_scores_zero():
    a, b = mask(1, 0), mask(0, 0)
    assert dice(a, b, [1, 2]) == {1: 0.0, 2: 1.0}


@given(masks)
def test_identical_masks_score_one(a):
    assert set(dice(a, a, [1, 2]).values()) == {1.0}


@given(masks, masks)
def test_dice_is_symmetric_bounded(a, b):
    scores = dice(a, b, [1, 2])
    assert scores == dice(b, a, [1, 2])
    assert all(0.0 <= d <= 1.0 for d in scores.values())


@given(masks, masks)
def test_dice_matches_monai_where_the_truth_has_the_label(a, b):
    def one_hot(m: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([m == n for n in range(3)])[None])

    reference = DiceMetric(include_background=False)(one_hot(a), one_hot(b))[0].tolist()
    for label, expected in zip((1, 2), reference, strict=True):
        if (b == label).any():
            assert dice(a, b, [label])[label] == pytest.approx(expected)


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ShapeError, match="same shape"):
        dice(mask(1), mask(1, 1), [1])
