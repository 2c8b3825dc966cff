"""Where prompts speak: the box that each spans, and how far voxels lie from it."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Grid, Shape3, triple
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
        corners = np.insert(np.array(prompt.corners, dtype=np.float64), prompt.axis, prompt.index, axis=1)
        low, high = (np.floor(end + 0.5).astype(np.int64) for end in (corners.min(axis=0), corners.max(axis=0) + 1))
        low = np.clip(low, 0, np.array(shape) - 1)
        return triple(low), triple(np.clip(high, low + 1, shape))
    return box_of(exact_voxels(prompt, shape))


def box_of(voxels: Voxels) -> VoxelBox:
    """The smallest box around voxels; at least one."""
    return triple(voxels.min(axis=0)), triple(voxels.max(axis=0) + 1)


def placed(box: VoxelBox, start: Shape3) -> VoxelBox:
    """A box of a part as one of the whole, in which the part begins at `start`; an empty one stays (0, 0, 0) twice."""
    return box if box[0] == box[1] else (triple(np.add(box[0], start)), triple(np.add(box[1], start)))


def finest_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """The finest spacing among the axes of more than one voxel; of all where there is none."""
    return min([mm for n, mm in zip(shape, spacing_mm, strict=True) if n > 1] or spacing_mm)


def union(boxes: Sequence[VoxelBox]) -> VoxelBox:
    """The smallest box around boxes that hold voxels; an empty one is (0, 0, 0) twice."""
    full = [b for b in boxes if all(a < z for a, z in zip(*b, strict=True))]
    if not full:
        return (0, 0, 0), (0, 0, 0)
    return triple(np.min([b[0] for b in full], axis=0)), triple(np.max([b[1] for b in full], axis=0))


def slices_of(box: VoxelBox) -> tuple[slice, slice, slice]:
    """A box as an index."""
    (a, b, c), (x, y, z) = box
    return slice(a, x), slice(b, y), slice(c, z)


def grown(box: VoxelBox, margin_mm: float, *, spacing_mm: Sequence[float], shape: Shape3) -> VoxelBox:
    """A box with a margin on every side, within the image."""
    steps = np.minimum(np.ceil(margin_mm / np.array(spacing_mm)), shape).astype(np.int64)
    return triple(np.maximum(np.array(box[0]) - steps, 0)), triple(np.minimum(np.array(box[1]) + steps, shape))


def within_reach(region: VoxelBox, box: VoxelBox, *, reach_mm: float, spacing_mm: Sequence[float]) -> BoolArray:
    """The voxels of a region whose centres lie at most so far from those of a box, in mm; shape of the region."""
    squares = []
    for start, stop, low, high, mm in zip(*region, *box, spacing_mm, strict=True):
        places = np.arange(start, stop)
        squares.append(np.square(np.maximum(np.maximum(low - places, places - high + 1), 0) * mm))
    i, j, k = squares
    return i[:, None, None] + j[:, None] + k <= reach_mm**2


def allowed_by_boxes(prompts: Sequence[Prompt], grid: Grid, *, label: int) -> BoolArray:
    """Where boxes let a label be, shape of the image's grid: within a 3D box, and on the slice of a flat one within that."""
    boxes = [p for p in prompts if isinstance(p, Box) and p.label == label]
    deep = [box for box in boxes if grid.is_2d or not is_flat(box)]
    allowed = np.full(grid.shape, not deep)
    for box in deep:
        allowed[slices_of((box.start, box.stop))] = True
    flat = [box for box in boxes if box not in deep]
    for axis, index in {slice_of(box) for box in flat}:
        plane = np.zeros(grid.shape, dtype=bool)
        for box in (b for b in flat if slice_of(b) == (axis, index)):
            plane[slices_of((box.start, box.stop))] = True
        at = tuple(slice(index, index + 1) if n == axis else slice(None) for n in range(3))
        allowed[at] &= plane[at]
    return allowed


def is_flat(box: Box) -> bool:
    """Whether a box is one voxel thick along an axis."""
    return bool(min(np.subtract(box.stop, box.start)) == 1)


def slice_of(box: Box) -> tuple[int, int]:
    """A flat box's axis and its place along it."""
    axis = int(np.argmin(np.subtract(box.stop, box.start)))
    return axis, box.start[axis]
