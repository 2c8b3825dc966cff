"""Several masks of one case, told apart only where they differ.

Where all annotators gave the same label there is nothing to decide. Elsewhere many voxels share one pattern of labels (3 of 7
said 1): a pattern is decided once, however many voxels have it. So the cost of a fusion hardly depends on the volume.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, FloatArray, IntArray, MaskArray
from medloop.core.errors import GeometryError, InputError, LabelError, ShapeError
from medloop.core.image import Mask
from medloop.raters.votes import NONE, Votes

FEW_CODES = 1 << 20
"""Patterns are found by counting up to here, by sorting above."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Masks of one case.

    Attributes:
        masks: One per annotator, equal shapes.
        labels: Label values, background first; a class is a position here.
        disputed: Flat positions of voxels on which not all agree, shape (disputed,).
        patterns: Each different row of classes once, -1 where `UNKNOWN`; its counts are voxels.
        pattern_of: The pattern of each disputed voxel, shape (disputed,).
        agreed: Voxels of each class on which all agree, shape (classes,).
    """

    masks: tuple[MaskArray, ...]
    labels: tuple[int, ...]
    disputed: IntArray
    patterns: Votes
    pattern_of: IntArray
    agreed: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Of every mask."""
        return self.masks[0].shape

    @cached_property
    def box(self) -> tuple[slice, ...]:
        """The smallest box that holds every voxel that somebody called foreground."""
        used = self.masks[0] != 0
        used.reshape(-1)[self.disputed] = True
        found = [np.flatnonzero(used.any(axis=tuple(a for a in range(used.ndim) if a != axis))) for axis in range(used.ndim)]
        return tuple(slice(int(f[0]), int(f[-1]) + 1) if len(f) else slice(0, 0) for f in found)

    def unanimous(self, label: int) -> BoolArray:
        """Voxels that all call so."""
        same = self.masks[0] == label
        same.reshape(-1)[self.disputed] = False
        return np.asarray(same)


def stack_masks(masks: Sequence[MaskArray], labels: Sequence[int]) -> Stack:
    """Check masks and find the patterns in which they differ.

    Args:
        masks: One per annotator, integer label values, equal shapes; `UNKNOWN` (255) where a voxel is not annotated.
        labels: Foreground labels of the task.

    Raises:
        ShapeError: No mask, or shapes that differ.
        InputError: Masks of fractions or NaN.
        LabelError: A value that is neither background nor one of the labels, or labels that are not.
    """
    known = _checked_labels(labels)
    found = tuple(_checked_mask(n, mask, masks[0]) for n, mask in enumerate(masks))
    if not found:
        raise ShapeError("Masks of at least one annotator are needed, got none")
    differ = np.zeros(found[0].shape, dtype=bool)
    for mask in found[1:]:
        differ |= mask != found[0]
    disputed = np.flatnonzero(differ)
    patterns, pattern_of = _patterns(found, disputed, known)
    whole = np.array([np.count_nonzero(found[0] == label) for label in (*known, UNKNOWN)])
    if whole.sum() != found[0].size:
        _refuse(found[0], known)
    first = patterns.table[:, 0]
    inside = np.array([patterns.counts[first == n].sum() for n in range(len(known))])
    return Stack(found, known, disputed, patterns, pattern_of, (whole[:-1] - inside).astype(np.int64))


def arrays_on_one_grid(masks: Sequence[Mask]) -> list[MaskArray]:
    """The arrays of masks that lie on one grid, as the functions here take them.

    Raises:
        GeometryError: Grids that differ, naming the first difference.
    """
    for n, mask in enumerate(masks[1:], start=1):
        if difference := masks[0].grid.differs_from(mask.grid):
            raise GeometryError(
                f"Masks to fuse must lie on one grid, mask {n} differs from mask 0: {difference}", remedy="resample it first"
            )
    return [mask.array for mask in masks]


def _checked_labels(labels: Sequence[int]) -> tuple[int, ...]:
    known = (0, *(int(label) for label in labels))
    if len(known) < 2 or len(set(known)) < len(known) or not all(0 <= label < UNKNOWN for label in known):
        raise LabelError(f"Foreground labels must be different numbers from 1 to {UNKNOWN - 1}, at least one, got {list(labels)}")
    return known


def _checked_mask(n: int, mask: MaskArray, first: MaskArray) -> MaskArray:
    if not np.issubdtype(mask.dtype, np.integer) and mask.dtype != np.bool_:
        raise InputError(f"Masks must hold whole label values, mask {n} holds {mask.dtype}", remedy="round it, and write 255 for NaN")
    if mask.shape != first.shape:
        raise ShapeError(f"Masks to fuse must lie on one grid, mask {n} has shape {mask.shape} and mask 0 {first.shape}")
    if mask.dtype == np.uint8:
        return np.ascontiguousarray(mask)
    if mask.size and (mask.min() < 0 or mask.max() > UNKNOWN):
        raise LabelError(f"Label values must lie within 0..{UNKNOWN}, mask {n} holds {int(mask.min())}..{int(mask.max())}")
    return np.ascontiguousarray(mask, dtype=np.uint8)


def _patterns(masks: Sequence[MaskArray], disputed: IntArray, labels: tuple[int, ...]) -> tuple[Votes, IntArray]:
    """Different rows of classes, and the row of each disputed voxel."""
    digit_of = np.full(256, NONE - 1, dtype=np.int64)  # what no annotation can be
    digit_of[UNKNOWN] = 0
    digit_of[list(labels)] = 1 + np.arange(len(labels))
    base = len(labels) + 1
    columns = [mask.reshape(-1)[disputed] for mask in masks]
    for column in columns:
        if len(column) and digit_of[column].min() < 0:
            _refuse(column, labels)
    if base ** len(masks) >= 1 << 62:
        rows, of = _unique_rows(np.stack([digit_of[c] for c in columns], axis=1))
    else:
        codes = np.zeros(len(disputed), dtype=np.int64)
        for n, column in enumerate(columns):
            codes += (digit_of * base**n)[column]
        used, of = ranked(codes, base ** len(masks))
        rows = used[:, None] // base ** np.arange(len(masks)) % base
    counts = np.bincount(of.reshape(-1), minlength=len(rows)).astype(np.float64)
    return Votes(rows - 1, len(labels), counts), of.reshape(-1)


def _unique_rows(rows: IntArray) -> tuple[IntArray, IntArray]:
    used, of = np.unique(rows, axis=0, return_inverse=True)
    return used, of


def ranked(codes: IntArray, most: int) -> tuple[IntArray, IntArray]:
    """Different codes in ascending order, and the place of each code among them."""
    if most > FEW_CODES:
        used, of = np.unique(codes, return_inverse=True)
        return used, of
    used = np.flatnonzero(np.bincount(codes, minlength=1))
    place = np.zeros(most, dtype=np.int64)
    place[used] = np.arange(len(used))
    return used, place[codes]


def _refuse(values: MaskArray, labels: tuple[int, ...]) -> None:
    unknown = sorted(set(np.unique(values).tolist()) - {*labels, UNKNOWN})
    raise LabelError(f"Masks may hold 0 and the task's labels {list(labels[1:])}, got also {unknown[:8]}", remedy="map these values first")


def with_agreed(stack: Stack, agreed: FloatArray) -> Votes:
    """The patterns after one row per class on which all agree, counted as often as given, shape (classes,)."""
    rows = np.repeat(np.arange(len(stack.labels))[:, None], len(stack.masks), axis=1)
    return Votes(np.concatenate([rows, stack.patterns.table]), len(stack.labels), np.concatenate([agreed, stack.patterns.counts]))
