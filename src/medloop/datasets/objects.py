"""Objects of one label told apart: those that were drawn one by one, and every separate part that nobody drew so.

The mask decides which voxels belong to a label. Numbers of drawn objects only divide them: what was painted beside a drawn object belongs
to the nearest one of the same connected part (26 neighbours), and a part without any is an object itself.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, MaskArray, ObjectNumbers

Divided: TypeAlias = npt.NDArray[np.uint32]
"""Which object each voxel belongs to, 1, 2, … without a gap, 0 for none."""


@dataclass(frozen=True, eq=False)
class DrawnObjects:
    """Objects of one case that were drawn one by one.

    Attributes:
        numbers: Where they are, shape (I, J, K).
        labels: The label value of object 1, 2, ….
    """

    numbers: ObjectNumbers
    labels: tuple[int, ...] = ()

    def of_label(self, value: int) -> ObjectNumbers | None:
        """The objects of one label alone; of none where nobody drew any."""
        if value not in self.labels:
            return None
        table = np.zeros(len(self.labels) + 1, dtype=np.uint16)
        for number, label in enumerate(self.labels, start=1):
            table[number] = number if label == value else 0
        found: ObjectNumbers = table[self.numbers]
        return found

    def with_label(self, other: "DrawnObjects", value: int) -> "DrawnObjects":
        """These objects, with those of one label taken from elsewhere; where both are, the latter are."""
        kept = [number for number, label in enumerate(self.labels, start=1) if label != value]
        taken = [number for number, label in enumerate(other.labels, start=1) if label == value]
        old, new = np.zeros(len(self.labels) + 1, dtype=np.uint16), np.zeros(len(other.labels) + 1, dtype=np.uint16)
        old[kept], new[taken] = np.arange(1, len(kept) + 1), np.arange(1, len(taken) + 1) + len(kept)
        theirs = new[other.numbers]
        labels = (*(self.labels[number - 1] for number in kept), *[value] * len(taken))
        return DrawnObjects(np.where(theirs > 0, theirs, old[self.numbers]), labels)


def divided(there: BoolArray, drawn: ObjectNumbers | None = None, spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Divided:
    """The voxels of a label as objects, the drawn ones first, in their order.

    Args:
        there: Where the label is, shape (I, J, K).
        drawn: Objects of it that were drawn one by one, same shape; voxels outside of `there` count for nothing.
        spacing_mm: Of the voxels.
    """
    from scipy import ndimage

    parts, _ = ndimage.label(there, structure=np.ones((3,) * there.ndim))
    known = np.zeros(there.shape, dtype=np.int64) if drawn is None else np.where(there, drawn, 0).astype(np.int64)
    fresh = int(known.max(initial=0))
    for number, at in enumerate(ndimage.find_objects(parts), start=1):
        inside = parts[at] == number
        own = np.where(inside, known[at], 0)
        if own.any():
            nearest = ndimage.distance_transform_edt(own == 0, sampling=spacing_mm, return_distances=False, return_indices=True)
            known[at][inside] = own[tuple(nearest)][inside]
        else:
            known[at][inside] = fresh + number
    values, flat = np.unique(known, return_inverse=True)
    found: Divided = np.asarray(flat.reshape(there.shape) + int(values[0] != 0), dtype=np.uint32)
    return found


@dataclass(frozen=True)
class ObjectRow:
    """One object: its number in the map of its case, its label's value, and its voxels."""

    number: int
    label: int
    voxels: int


def object_map(
    mask: MaskArray, drawn: DrawnObjects, spacing_mm: tuple[float, ...]
) -> tuple[npt.NDArray[np.unsignedinteger], list[ObjectRow]]:
    """The objects of every value of a mask in one map, numbered on from value to value, and a row for each.

    Args:
        mask: Shape (I, J, K).
        drawn: See `divided`.
        spacing_mm: Of the voxels.
    """
    found, rows, last = np.zeros(mask.shape, dtype=np.uint32), list[ObjectRow](), 0
    for value in (int(v) for v in np.unique(mask) if v):
        own = divided(mask == value, drawn.of_label(value), spacing_mm)
        counts = np.bincount(own.ravel())[1:]
        rows += [ObjectRow(last + n, value, int(count)) for n, count in enumerate(counts, start=1)]
        found = np.where(own > 0, own + np.uint32(last), found)
        last += len(counts)
    return found.astype(np.uint16 if last <= np.iinfo(np.uint16).max else np.uint32), rows
