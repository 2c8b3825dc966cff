"""Runs: the one form in which an edit travels and is kept."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Prompt, exact_voxels

Run: TypeAlias = tuple[int, int, int]
"""(start, length, value): `length` voxels from flat index `start` (I fastest) become `value`."""


def runs_between(before: MaskArray, after: MaskArray, *, start: Shape3 = (0, 0, 0), stop: Shape3 | None = None) -> tuple[Run, ...]:
    """The runs that turn one mask into another, shape (I, J, K) each, in file order; looked for in the box from `start` to `stop` only."""
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


def apply_runs(mask: MaskArray, runs: Sequence[Run]) -> MaskArray:
    """A copy of the mask with runs applied in order, in file order in memory."""
    flat = mask.ravel(order="F").copy()
    put_runs(flat, runs)
    return flat.reshape(mask.shape, order="F")


def put_runs(flat: npt.NDArray[Any], runs: Sequence[Run], value: int | None = None) -> None:
    """Set the voxels that runs go over to the runs' values, or all to one; in place, flat with I fastest."""
    for start, length, own in runs:
        flat[start : start + length] = own if value is None else value


def painted_voxels(said: Iterable[Prompt | Sequence[Run]], shape: Shape3) -> BoolArray | None:
    """Voxels, shape (I, J, K), that the brush painted and no prompt hints at since; None when nothing was painted.

    Prompts and strokes of the brush come in the order in which they count.
    """
    painted: BoolArray | None = None
    for word in said:
        if isinstance(word, Sequence):
            painted = np.zeros(shape, dtype=bool, order="F") if painted is None else painted
            put_runs(painted.reshape(-1, order="F"), word, 1)
        elif painted is not None:
            painted[tuple(exact_voxels(word, shape).T)] = False
    return painted


def covered(runs: Sequence[Run]) -> IntArray:
    """Flat indices of the voxels that runs go over, in their order."""
    table = np.asarray(runs, dtype=np.int64).reshape(-1, 3)
    lengths = table[:, 1]
    first = np.cumsum(lengths) - lengths
    flat: IntArray = np.arange(int(lengths.sum())) + np.repeat(table[:, 0] - first, lengths)
    return flat
