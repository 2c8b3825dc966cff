"""Runs: the one form in which an edit travels and is kept."""

from typing import TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.geometry import Shape3

Run: TypeAlias = tuple[int, int, int]
"""(start, length, value): `length` voxels from flat index `start` (I fastest) become `value`."""


def runs_between(before: MaskArray, after: MaskArray, *, start: Shape3 = (0, 0, 0), stop: Shape3 | None = None) -> tuple[Run, ...]:
    """The runs that turn one mask into another, in file order.

    Args:
        before: Shape (I, J, K).
        after: Likewise.
        start: First voxel of the box to look at.
        stop: One past its last; None looks to the end.
    """
    box = tuple(slice(a, b) for a, b in zip(start, stop or before.shape, strict=True))
    old, new = before[box], after[box]
    k, j, i = np.nonzero((old != new).T)
    if not len(i):
        return ()
    values = new[i, j, k]
    wide, high = before.shape[:2]
    flat = (i + start[0]) + wide * ((j + start[1]) + high * (k + start[2]))
    first = np.flatnonzero(np.r_[True, (np.diff(flat) != 1) | (np.diff(values.astype(np.int16)) != 0)])
    lengths = np.diff(np.r_[first, len(flat)])
    return tuple(zip(flat[first].tolist(), lengths.tolist(), values[first].tolist(), strict=True))


def apply_runs(mask: MaskArray, runs: tuple[Run, ...]) -> MaskArray:
    """A copy of the mask with runs applied in order, in file order in memory."""
    flat = mask.ravel(order="F").copy()
    for start, length, value in runs:
        flat[start : start + length] = value
    return flat.reshape(mask.shape, order="F")
