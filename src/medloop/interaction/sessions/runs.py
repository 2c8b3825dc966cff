"""Differences between masks as runs of voxels, I fastest: what a session stores instead of whole masks."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, LabelError

Run: TypeAlias = tuple[int, int, int]
"""(start, length, value): `length` voxels from flat index `start` (I fastest) become `value`."""

Delta: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
"""Shape (runs, 4): start, length, value before, value after; goes both ways."""

Triple: TypeAlias = tuple[int, int, int]


def delta_within(before: MaskArray, start: Triple, after: MaskArray) -> Delta:
    """What a mask must change so that the box from `start` on looks like `after`.

    Args:
        before: The whole mask, shape (I, J, K).
        start: First voxel of the box.
        after: The box's new content.
    """
    old = before[box_slices(start, end_of(start, after.shape))]
    places = np.nonzero(old != after)
    voxels = [p + s for p, s in zip(places, start, strict=True)]
    flat = np.ravel_multi_index(tuple(voxels), before.shape, order="F").astype(np.int64)
    order = np.argsort(flat, kind="stable")
    return _runs(flat[order], old[places][order], after[places][order])


def delta_of_runs(mask: MaskArray, runs: Sequence[Run]) -> Delta:
    """What runs, applied in order, change in a mask."""
    flat = flat_view(mask)
    touched = flat_indices(runs)
    values = np.repeat([r[2] for r in runs], [r[1] for r in runs]).astype(np.uint8)
    kept, last = np.unique(touched[::-1], return_index=True)
    after = values[::-1][last]
    changed = flat[kept] != after
    return _runs(kept[changed], flat[kept][changed], after[changed])


def apply_delta(mask: MaskArray, delta: Delta, *, backwards: bool = False) -> None:
    """Make (or take back) a change, in place; the mask is in Fortran order."""
    flat = flat_view(mask)
    for start, length, before, after in delta.tolist():
        flat[start : start + length] = before if backwards else after


def net_delta(mask: MaskArray, taken_back: Sequence[Delta], made: Sequence[Delta]) -> Delta:
    """Take changes back, make others, in place and in order; what that changed in all."""
    touched = _touched([*taken_back, *made])
    flat = flat_view(mask)
    before = flat[touched]
    for delta in taken_back:
        apply_delta(mask, delta, backwards=True)
    for delta in made:
        apply_delta(mask, delta)
    after = flat[touched]
    changed = before != after
    return _runs(touched[changed], before[changed], after[changed])


def _touched(deltas: Sequence[Delta]) -> Delta:
    """Every flat index that changes cover, ascending, each once."""
    spans = np.concatenate([np.zeros((0, 2), dtype=np.int64), *(delta[:, :2] for delta in deltas)])
    if not len(spans):
        return np.zeros(0, dtype=np.int64)
    first = int(spans[:, 0].min())
    covered = np.zeros(int(spans.sum(axis=1).max()) - first, dtype=bool)
    for start, length in (spans - (first, 0)).tolist():
        covered[start : start + length] = True
    return np.flatnonzero(covered) + first


def box_of(delta: Delta, shape: Sequence[int]) -> tuple[Triple, Triple]:
    """Box of the voxels that a change touches; (0, 0, 0) twice when there are none."""
    if not len(delta):
        return (0, 0, 0), (0, 0, 0)
    places = np.unravel_index(flat_indices([(s, n, 0) for s, n, _, _ in delta.tolist()]), tuple(shape), order="F")
    low, high = [int(p.min()) for p in places], [int(p.max()) + 1 for p in places]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def plain_runs(delta: Delta) -> tuple[Run, ...]:
    """A change as runs to the values after it."""
    return tuple((s, n, v) for s, n, _, v in delta.tolist())


def check_runs(runs: Sequence[Run], voxels: int, *, labels: Sequence[int]) -> None:
    """Refuse runs that leave the image or name unknown labels.

    Raises:
        InputError: No runs, runs that are not three whole numbers, or one outside the image.
        LabelError: A value that is neither 0 nor a label.
    """
    table = np.array(runs, dtype=np.int64) if runs else np.zeros((0, 3), dtype=np.int64)
    if table.ndim != 2 or table.shape[1] != 3 or not len(table):
        raise InputError("A manual edit is at least one run (start, length, value)", remedy="draw again")
    starts, lengths, values = table.T
    if starts.min() < 0 or lengths.min() < 1 or (starts > voxels - lengths).any():
        raise InputError(f"Runs must lie within the image's {voxels} voxels", remedy="send them for this image's own shape")
    unknown = sorted(set(values.tolist()) - {0, *labels})
    if unknown:
        raise LabelError(f"An edit may use 0 and the labels {list(labels)}, got {unknown[:8]}")


def flat_view(mask: MaskArray) -> MaskArray:
    """The mask's voxels, I fastest; a view of a mask in Fortran order."""
    return mask.reshape(-1, order="F")


def flat_indices(runs: Sequence[Run]) -> Delta:
    """Every flat index that runs cover, in their order."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(s, s + n) for s, n, _ in runs)])


def box_slices(start: Sequence[int], stop: Sequence[int]) -> tuple[slice, slice, slice]:
    """Index of a box in an array (I, J, K)."""
    return slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2])


def end_of(start: Triple, shape: Sequence[int]) -> Triple:
    """One past the last voxel of a box."""
    return start[0] + shape[0], start[1] + shape[1], start[2] + shape[2]


def _runs(flat: Delta, before: MaskArray, after: MaskArray) -> Delta:
    """Runs of neighbouring ascending indices with equal values."""
    if not len(flat):
        return np.zeros((0, 4), dtype=np.int64)
    parted = (np.diff(flat) != 1) | (np.diff(before.astype(np.int16)) != 0) | (np.diff(after.astype(np.int16)) != 0)
    first = np.concatenate([[0], np.flatnonzero(parted) + 1])
    lengths = np.diff(np.concatenate([first, [len(flat)]]))
    return np.stack([flat[first], lengths, before[first], after[first]], axis=1).astype(np.int64)
