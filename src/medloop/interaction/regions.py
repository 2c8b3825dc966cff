"""Where prompts speak: the box that each spans, and how far voxels lie from it."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Box, Lasso, Prompt, exact_voxels

VoxelBox: TypeAlias = tuple[tuple[int, int, int], tuple[int, int, int]]
"""First voxel, and one past the last."""

Voxels: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""Shape (n, 3)."""


def prompt_box(prompt: Prompt, shape: Shape3) -> VoxelBox:
    """The smallest box around a prompt, within the image; a click's is its voxel."""
    if isinstance(prompt, Box):
        return prompt.start, prompt.stop
    if isinstance(prompt, Lasso):
        return _lasso_box(prompt, shape)
    voxels = exact_voxels(prompt, shape)
    return _triple(voxels.min(axis=0)), _triple(voxels.max(axis=0) + 1)


def union(boxes: Sequence[VoxelBox]) -> VoxelBox:
    """The smallest box around boxes that hold voxels; an empty one is (0, 0, 0) twice."""
    full = [b for b in boxes if all(a < z for a, z in zip(*b, strict=True))]
    if not full:
        return (0, 0, 0), (0, 0, 0)
    return _triple(np.min([b[0] for b in full], axis=0)), _triple(np.max([b[1] for b in full], axis=0))


def slices_of(box: VoxelBox) -> tuple[slice, slice, slice]:
    """A box as an index."""
    (a, b, c), (x, y, z) = box
    return slice(a, x), slice(b, y), slice(c, z)


def grown(box: VoxelBox, margin_mm: float, *, spacing_mm: Sequence[float], shape: Shape3) -> VoxelBox:
    """A box with a margin on every side, within the image."""
    steps = np.ceil(margin_mm / np.array(spacing_mm)).astype(np.int64)
    low = np.maximum(np.array(box[0]) - steps, 0)
    return _triple(low), _triple(np.minimum(np.array(box[1]) + steps, shape))


def distance_mm(voxels: Voxels, box: VoxelBox, *, spacing_mm: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far voxel centres lie from the voxel centres of a box, shape (n,); 0 within."""
    gaps: np.ndarray[Any, np.dtype[np.float64]] = np.sqrt(np.square(_beyond_mm(voxels, box, spacing_mm)).sum(axis=1))
    return gaps


def within_reach(region: VoxelBox, box: VoxelBox, *, reach_mm: float, spacing_mm: Sequence[float]) -> BoolArray:
    """The voxels of a region that lie at most so far from a box, by `distance_mm`; shape of the region."""
    sides = [np.arange(a, z) for a, z in zip(*region, strict=True)]
    longest = max(len(side) for side in sides)
    along = _beyond_mm(np.stack([np.resize(side, longest) for side in sides], axis=1), box, spacing_mm)
    i, j, k = (np.square(along[: len(side), axis]) for axis, side in enumerate(sides))
    return i[:, None, None] + j[:, None] + k <= reach_mm**2


def _beyond_mm(voxels: Voxels, box: VoxelBox, spacing_mm: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far each coordinate lies beyond a box, shape (n, 3)."""
    low, high = np.array(box[0]), np.array(box[1]) - 1
    beyond: np.ndarray[Any, np.dtype[np.float64]] = np.maximum(np.maximum(low - voxels, voxels - high), 0) * np.array(spacing_mm)
    return beyond


def _lasso_box(lasso: Lasso, shape: Shape3) -> VoxelBox:
    corners = np.insert(np.array(lasso.corners, dtype=np.float64), lasso.axis, lasso.index, axis=1)
    low = np.floor(corners.min(axis=0) + 0.5).astype(np.int64)
    high = np.floor(corners.max(axis=0) + 0.5).astype(np.int64) + 1
    low = np.clip(low, 0, np.array(shape) - 1)
    return _triple(low), _triple(np.clip(high, low + 1, shape))


def _triple(values: Any) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])
