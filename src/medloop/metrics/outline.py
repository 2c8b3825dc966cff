"""The outline of a mask as points in millimetres: where its surface cuts the lines between voxel centres.

Between a voxel inside and its neighbour outside, the surface is taken to pass half way, as marching cubes does with a
binary volume. Only the first and the last crossing of every line of voxels are kept: holes do not count, and a drawn
outline has the same points as the filled shape.
"""

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray
from medloop.core.errors import ShapeError
from medloop.core.geometry import Grid


def require_on_grid(inside: BoolArray, grid: Grid) -> None:
    """Raise unless the mask has the grid's shape.

    Raises:
        ShapeError: Then.
    """
    if inside.shape != grid.shape:
        raise ShapeError(f"A mask to measure must have its grid's shape {grid.shape}, got {inside.shape}")


def crossing_points(inside: BoolArray, *, across: int | None = None) -> FloatArray:
    """Where lines of voxels enter and leave a mask for the first and the last time.

    Args:
        inside: Shape (I, J, K).
        across: An axis whose lines do not count, for the outline within slices. None leaves out K of a single slice.

    Returns:
        Voxel coordinates, shape (n, 3), half way between voxel centres along one axis each; none for an empty mask.
    """
    cropped, start = cut_to_mask(inside)
    left_out = 2 if across is None and inside.shape[2] == 1 else across
    found = [_along(cropped, axis) for axis in range(3) if axis != left_out]
    return np.concatenate([*found, np.zeros((0, 3))]) + start


def cut_to_mask(inside: BoolArray) -> tuple[BoolArray, npt.NDArray[np.int64]]:
    """The smallest box around a mask, and its first voxel; an empty mask gives an empty box."""
    box, start = [], []
    for axis in range(inside.ndim):
        used = np.flatnonzero(inside.any(axis=tuple(a for a in range(inside.ndim) if a != axis)))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        box.append(slice(low, high))
        start.append(low)
    return inside[tuple(box)], np.array(start, dtype=np.int64)


def _along(inside: BoolArray, axis: int) -> FloatArray:
    """First and last crossings of the lines along one axis."""
    lines = np.argwhere(inside.any(axis=axis))
    if not len(lines):
        return np.zeros((0, 3))
    moved = np.moveaxis(inside, axis, -1)[tuple(lines.T)]
    first = moved.argmax(axis=1) - 0.5
    last = moved.shape[1] - 1 - moved[:, ::-1].argmax(axis=1) + 0.5
    ends = [np.insert(lines.astype(np.float64), axis, ends, axis=1) for ends in (first, last)]
    return np.concatenate(ends)


def in_plane_mm(points: FloatArray, grid: Grid, axis: int) -> FloatArray:
    """Voxel coordinates, shape (n, 3), as millimetres (n, 2) within the slices perpendicular to a voxel axis.

    Args:
        points: Of one slice.
        grid: Theirs; its axes may be sheared.
        axis: The voxel axis that numbers the slices.
    """
    first, second = (a for a in range(3) if a != axis)
    x = grid.affine[:3, first] / np.linalg.norm(grid.affine[:3, first])
    across = grid.affine[:3, second] - (grid.affine[:3, second] @ x) * x
    frame = np.stack([x, across / np.linalg.norm(across)])
    moved: FloatArray = grid.to_mm(points) @ frame.T
    return moved
