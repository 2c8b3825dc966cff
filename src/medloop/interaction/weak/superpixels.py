"""Superpixels of a slice, of which a person marks those of a label: cut in one place, so that page, studies and files mean the same ones.

They follow from the image, the slice and the spacing alone.
"""

import numpy as np

from medloop.core.arrays import ImageArray, IntArray
from medloop.core.errors import InputError
from medloop.core.geometry import Grid, Shape3
from medloop.interaction.weak.marks import Superpixel
from medloop.query.subvolume.units import superpixels


def superpixels_of(image: ImageArray, grid: Grid, *, axis: int, index: int) -> IntArray:
    """The number of every voxel's superpixel on one slice, from 1, with the other two axes in their order.

    Args:
        image: Shape (C, I, J, K).
        grid: Of the image; superpixels are about 10 mm wide, or more where voxels are coarse.
        axis: Which axis the slice is perpendicular to, 0..2.
        index: Of the slice along that axis.

    Raises:
        InputError: No such slice.
    """
    if axis not in (0, 1, 2) or not 0 <= index < grid.shape[axis]:
        raise InputError(f"A slice is within the image's {grid.shape} voxels, got {index} along axis {axis}", remedy="count slices from 0")
    mm = [step for n, step in enumerate(grid.spacing_mm) if n != axis]
    return superpixels(np.take(image, index, axis=axis + 1), mm)


def superpixel_mark(numbers: IntArray, number: int, label: int, *, shape: Shape3, axis: int, index: int) -> Superpixel:
    """One superpixel of a slice as a mark.

    Args:
        numbers: As `superpixels_of` gives them.
        number: Which one.
        label: Of the mark, 0 is background.
        shape: Of the image.
        axis: Of the slice.
        index: Of the slice.

    Raises:
        InputError: No superpixel has that number.
    """
    places = np.insert(np.argwhere(numbers == number), axis, index, axis=1)
    if not len(places):
        raise InputError(f"A superpixel of the slice has a number from 1 to {int(numbers.max())}, got {number}")
    flat = np.sort(np.ravel_multi_index(tuple(places.T), shape, order="F"))
    begins = np.flatnonzero(np.diff(flat, prepend=flat[0] - 2) != 1)
    lengths = np.diff(begins, append=len(flat))
    return Superpixel(tuple((int(flat[at]), int(n)) for at, n in zip(begins, lengths, strict=True)), label)
