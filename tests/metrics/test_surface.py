"""Surface distances in millimetres: shifted boxes by hand, MONAI as the reference."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.metrics.surface import hd95_mm, surface_dice

monai_warns = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")

GRID = Grid.of_spacing((12, 12, 12), (1.0, 2.0, 3.0))


def box(low, high, grid: Grid = GRID) -> np.ndarray:
    mask = np.zeros(grid.shape, dtype=np.uint8)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return mask


def batch(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([mask != 1, mask == 1])[None].astype(np.float32))


def blobs(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 5, 3)
    return box(low, low + rng.integers(2, 7, 3)) | box(low + 1, low + 4)


def test_single_voxels_are_their_distance_apart():
    a, b = box((2, 2, 2), (3, 3, 3)), box((4, 3, 2), (5, 4, 3))
    assert hd95_mm(a, b, GRID, 1) == pytest.approx(math.hypot(2 * 1.0, 1 * 2.0))


def test_a_box_moved_one_slice_is_one_slice_spacing_away():
    a, b = box((2, 2, 2), (8, 8, 6)), box((2, 2, 3), (8, 8, 7))
    assert hd95_mm(a, b, GRID, 1) == pytest.approx(3.0)


def test_equal_masks_are_zero_away():
    assert hd95_mm(blobs(1), blobs(1), GRID, 1) == 0.0
    assert surface_dice(blobs(1), blobs(1), GRID, 1, tolerance_mm=0.0) == 1.0


def test_missing_labels():
    empty, full = np.zeros(GRID.shape, dtype=np.uint8), blobs(2)
    assert (hd95_mm(empty, empty, GRID, 1), hd95_mm(full, empty, GRID, 1)) == (0.0, math.inf)
    assert surface_dice(empty, empty, GRID, 1, tolerance_mm=1) == 1.0
    assert surface_dice(empty, full, GRID, 1, tolerance_mm=1) == 0.0


def test_a_flat_image_has_an_outline_not_a_filled_surface():
    grid = Grid.flat(20, 20, 0.5)
    a, b = box((2, 2, 0), (12, 12, 1), grid), box((2, 2, 0), (12, 14, 1), grid)
    assert hd95_mm(a, b, grid, 1) == pytest.approx(1.0)
    shared = surface_dice(a, b, grid, 1, tolerance_mm=0.0)
    assert shared == pytest.approx((2 * (36 - 8) + 2) / (36 + 40), abs=0.1)


@monai_warns
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_hd95_matches_monai(one, other):
    a, b = blobs(one), blobs(other)
    expected = compute_hausdorff_distance(batch(a), batch(b), percentile=95, spacing=GRID.spacing_mm).item()
    assert hd95_mm(a, b, GRID, 1) == pytest.approx(expected, abs=1e-5)


@monai_warns
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 2.5]))
def test_surface_dice_matches_monai(one, other, tolerance):
    a, b = blobs(one), blobs(other)
    expected = compute_surface_dice(batch(a), batch(b), class_thresholds=[tolerance], spacing=GRID.spacing_mm).item()
    assert surface_dice(a, b, GRID, 1, tolerance_mm=tolerance) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_both_measures_are_symmetric(one, other):
    a, b = blobs(one), blobs(other)
    assert hd95_mm(a, b, GRID, 1) == hd95_mm(b, a, GRID, 1)
    assert surface_dice(a, b, GRID, 1, tolerance_mm=1.5) == surface_dice(b, a, GRID, 1, tolerance_mm=1.5)


def test_wrong_shapes_and_tolerances_are_refused():
    with pytest.raises(ShapeError, match="grid's shape"):
        hd95_mm(np.zeros((2, 2, 2), dtype=np.uint8), blobs(1), GRID, 1)
    with pytest.raises(SettingError, match="tolerance_mm"):
        surface_dice(blobs(1), blobs(1), GRID, 1, tolerance_mm=-1.0)
