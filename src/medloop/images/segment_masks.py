"""The label map of a file with named segments, by their names; what was cut to its content is put back on its image's grid."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.geometry import GRID_TOLERANCE, Grid
from medloop.core.image import Image
from medloop.core.names import folded
from medloop.images.result import ReadImage
from medloop.images.segments import Naming, merged_segments


@dataclass(frozen=True)
class NamedMask:
    """Label values of the task, shape (I, J, K), the values that the file names, and notes."""

    array: MaskArray
    named: tuple[int, ...]
    notes: tuple[str, ...]


def named_mask(file: str, read: ReadImage, naming: Naming) -> NamedMask:
    """What a file's segments say in the labels of a task.

    Raises:
        LabelError: Segments that are no label, or that share voxels without one lying inside the other.
    """
    values, notes = naming.of(file, read.segments)
    array = merged_segments(file, read.image.array, read.segments, values, naming.labels)
    return NamedMask(array, tuple(sorted(values.values())), notes)


def without_segments(read: ReadImage, names: Collection[str]) -> ReadImage:
    """A segmentation without the segments of these names, whatever their letter case, and without their voxels."""
    gone = [one for one in read.segments if folded(one.name) in {folded(name) for name in names}]
    if not gone:
        return read
    layers = read.image.array.copy()
    for one in gone:
        layers[one.layer][layers[one.layer] == one.value] = 0
    return replace(read, image=Image(layers, read.image.grid), segments=tuple(one for one in read.segments if one not in gone))


def uncropped(read: ReadImage, grid: Grid) -> ReadImage:
    """A segmentation on its image's grid, where it is a box of whole voxels of it; as it is, where it is not.

    3D Slicer saves the part that holds segments when asked to crop (Segmentation_ReferenceImageExtentOffset).
    """
    stored = read.image.grid
    between = np.linalg.inv(grid.affine) @ stored.affine
    start = np.round(between[:3, 3]).astype(int)
    moved = Grid(stored.shape, grid.affine @ _shift(start))
    ends = start + np.array(stored.shape)
    if stored.shape == grid.shape or start.min() < 0 or (ends > grid.shape).any() or moved.gap_to(stored)[1] > GRID_TOLERANCE:
        return read
    whole = np.zeros((read.image.channels, *grid.shape), dtype=read.image.array.dtype)
    (i, j, k), (ie, je, ke) = start, ends
    whole[:, i:ie, j:je, k:ke] = read.image.array
    return replace(read, image=Image(whole, grid))


def _shift(start: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    moved = np.eye(4)
    moved[:3, 3] = start
    return moved
