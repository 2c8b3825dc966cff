"""What boxes say about where a label may be."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Grid
from medloop.interaction.prompts import Box, Prompt
from medloop.interaction.regions import slices_of


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
