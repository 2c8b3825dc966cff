"""Drawing on masks whose labels share voxels: what a voxel becomes when one label is drawn over it, or taken from it.

Drawing a label leaves what lies inside it and what overlaps it; taking it away leaves what it lies inside of and what overlaps it.
Everything that changes a mask, by hand or by an engine, goes by these tables.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.geometry import Shape3
from medloop.core.labels import chains, held_by_value, mask_of, nested_regions, value_of
from medloop.core.overlaps import drawn, erased, may_meet
from medloop.core.records import Label


def have_overlaps(labels: Sequence[Label]) -> bool:
    """Whether a mask may hold values that several labels share."""
    return any(label.shared for label in labels)


@lru_cache(maxsize=256)
def drawn_table(labels: tuple[Label, ...], value: int) -> MaskArray:
    """Value of a voxel → its value after a label was drawn over it, shape (256,)."""
    table = np.full(256, value, dtype=np.uint8)
    for was, held in held_by_value(labels).items():
        found = value_of(labels, drawn(labels, held, value))
        table[was] = was if value in held else value if found is None else found
    table.flags.writeable = False
    return table


@lru_cache(maxsize=256)
def erased_table(labels: tuple[Label, ...], value: int) -> MaskArray:
    """Value of a voxel → its value after a label was taken from it, shape (256,); what does not belong to it stays."""
    table = np.arange(256, dtype=np.uint8)
    for was, held in held_by_value(labels).items():
        if value in held:
            table[was] = value_of(labels, erased(labels, held, value)) or 0
    table.flags.writeable = False
    return table


def keep_shared(labels: Sequence[Label], before: MaskArray, after: MaskArray, changed: Iterable[int]) -> MaskArray:
    """A mask after some labels were drawn or taken away: what may share voxels with them stays, and what is around them is left.

    Args:
        labels: Of the task.
        before: Shape (I, J, K).
        after: The same, with the labels' own values where they were drawn over, and 0 where they were taken away.
        changed: Values of the labels that were drawn or taken away.
    """
    if not nested_regions(labels):
        return after
    kept, every = after, tuple(labels)
    for value in changed:
        over = drawn_table(every, value)[before]
        kept = np.where((kept == value) & (before != value), over, kept)
        left = erased_table(every, value)[before]
        kept = np.where((kept == 0) & (left != before), left, kept)
    return np.asfortranarray(kept.astype(after.dtype))


def united(labels: Sequence[Label], one: MaskArray, other: MaskArray) -> tuple[MaskArray, BoolArray]:
    """Two masks of the same voxels, shape (I, J, K), as one, and where no value says both, since their labels must not meet."""
    every = tuple(labels)
    table = np.full((256, 256), -1, dtype=np.int16)
    table[0], table[:, 0] = np.arange(256), np.arange(256)
    np.fill_diagonal(table, np.arange(256))
    held = held_by_value(every)
    for a, of in held.items():
        for b, with_b in held.items():
            table[a, b] = _both(every, of, with_b)
    found = table[one, other]
    return np.maximum(found, 0).astype(np.uint8), found < 0


@dataclass(frozen=True, eq=False)
class Clash:
    """Where a label may not lie on those before it: which one, counted from 0, and the voxels, shape (I, J, K)."""

    at: int
    voxels: BoolArray


def combined(labels: Sequence[Label], shape: Shape3, found: Iterable[tuple[int, BoolArray]]) -> tuple[MaskArray, Clash | None]:
    """Labels as one mask, shape (I, J, K): the innermost label of a voxel, or the value that overlapping ones share.

    Args:
        labels: Of the task.
        shape: (I, J, K).
        found: Value of each label and where it is, looked at one after the other.

    Returns:
        The mask, and the first label that shares voxels which it must not, up to which the mask then goes.
    """
    mask: MaskArray = np.zeros(shape, dtype=np.uint8, order="F")
    for at, (value, here) in enumerate(found):
        more, clash = united(labels, mask, np.where(here, np.uint8(value), np.uint8(0)))
        if clash.any():
            return mask, Clash(at, clash)
        mask = np.asfortranarray(more)
    return mask, None


def _both(labels: tuple[Label, ...], one: frozenset[int], other: frozenset[int]) -> int:
    if one <= other or other <= one:
        found = value_of(labels, one | other)
    else:
        together = one
        for value in other:
            together = drawn(labels, together, value)
        found = value_of(labels, together) if together == one | other else None
    return -1 if found is None else found


def shows_locked(labels: Sequence[Label], before: MaskArray, after: MaskArray, locked: Collection[int]) -> BoolArray:
    """Where a change would give or take a locked label, by what voxels belong to; both arrays of one shape."""
    found = np.zeros(before.shape, dtype=bool)
    held = held_by_value(tuple(labels))
    for value in locked:
        has = np.array([value in held.get(n, ()) for n in range(256)])
        found |= has[before] != has[after]
    return found


def with_label(labels: Sequence[Label], mask: MaskArray, wanted: BoolArray, value: int) -> MaskArray:
    """A mask with a label exactly where it is wanted; whatever may share voxels with it stays there.

    Args:
        labels: Of the task.
        mask: Shape (I, J, K); not changed.
        wanted: Of the same shape.
        value: Of the label.
    """
    own, every = mask_of(labels, mask, value), tuple(labels)
    kept = np.where(wanted & ~own, drawn_table(every, value)[mask], mask)
    found: MaskArray = np.asfortranarray(np.where(own & ~wanted, erased_table(every, value)[mask], kept).astype(mask.dtype))
    return found


@dataclass(frozen=True, eq=False)
class Alone:
    """A mask as an engine sees it that works on one label: no voxel has a value of several labels.

    Attributes:
        labels: Of the task.
        before: The mask, shape (I, J, K).
        label: The one that is worked on.
        mask: What is seen: all voxels of the label have its value, others that of one that stands against it; what may join it is not seen.
        locked: Labels that must stay, and do not if the label is drawn over them.
        apart: Labels that overlap this one, so that what is said of them says nothing of it.
        kept: All locked labels.
    """

    labels: tuple[Label, ...]
    before: MaskArray
    label: int
    mask: MaskArray
    locked: tuple[int, ...]
    apart: frozenset[int]
    kept: tuple[int, ...]

    def closed(self, painted: BoolArray | None) -> BoolArray | None:
        """Of voxels painted by hand those that this label must not change: it may join another one that was painted there."""
        return None if painted is None else painted & ((self.before == 0) | (self.mask != 0))

    def drawn(self, after: MaskArray) -> MaskArray:
        """The mask after an engine made `after` of what it saw, shape (I, J, K); locked labels keep their voxels."""
        made, changed = self.before, after != self.mask
        gone = changed & (after != self.label)
        for was in set(np.unique(self.mask[gone]).tolist()) - {0}:
            made = np.where(gone & (self.mask == was), erased_table(self.labels, was)[self.before], made)
        for value in set(np.unique(after[changed]).tolist()) - {0}:
            made = np.where(changed & (after == value), drawn_table(self.labels, value)[made], made)
        kept: MaskArray = np.where(shows_locked(self.labels, self.before, made, self.kept), self.before, made)
        return np.asfortranarray(kept.astype(self.before.dtype))


def seen_alone(labels: Sequence[Label], mask: MaskArray, label: int, locked: Sequence[int]) -> Alone:
    """A mask as an engine is to see it that works on one label, where labels overlap; see `Alone`."""
    every = tuple(labels)
    held, around = held_by_value(every), chains(every)
    against = {one.value for one in every if not may_meet(every, one.value, label)}
    nested = {one.value for one in every if label in around[one.value] or one.value in around[label]}
    apart = {one.value for one in every} - against - nested
    table = np.zeros(256, dtype=np.uint8)
    for value, of in held.items():
        shown = sorted(of - apart, key=lambda one: (one not in against, one not in locked, -len(around[one]), one))
        table[value] = label if label in of else shown[0] if shown else 0
    fixed = tuple(one for one in locked if one == label or one in against)
    return Alone(every, mask, label, np.asfortranarray(table[mask]), fixed, frozenset(apart), tuple(locked))
