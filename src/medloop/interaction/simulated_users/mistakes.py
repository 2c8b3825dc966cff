"""Mistakes of an answer as connected parts, and how deep their voxels lie."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.geometry import triple
from medloop.interaction.prompts import Voxel

Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Mistake:
    """One connected error: the first voxel of its box in the image, and its voxels within the box, shape of the box."""

    start: Voxel
    inside: BoolArray

    @property
    def size(self) -> int:
        """Voxels."""
        return int(np.count_nonzero(self.inside))

    def voxel(self, place: Places) -> Voxel:
        """A place of the box in the image."""
        return triple(np.add(place, self.start))


def wrong_voxels(truth: MaskArray, mask: MaskArray) -> BoolArray:
    """Where truth is known and the answer differs from it, shape (I, J, K)."""
    wrong: BoolArray = (truth != mask) & (truth != UNKNOWN)
    return wrong


def find_mistakes(truth: MaskArray, mask: MaskArray) -> list[Mistake]:
    """26-connected errors, in the order in which their first voxels lie in the image."""
    numbered, count = ndimage.label(wrong_voxels(truth, mask), structure=np.ones((3, 3, 3)))
    boxes = ndimage.find_objects(numbered, max_label=count)
    return [Mistake(triple(side.start for side in box), numbered[box] == number + 1) for number, box in enumerate(boxes)]


def largest_mistake(truth: MaskArray, mask: MaskArray) -> Mistake | None:
    """The error of most voxels, the first of equals; None when all is right."""
    return max(find_mistakes(truth, mask), key=lambda mistake: mistake.size, default=None)


def depths(inside: BoolArray) -> npt.NDArray[np.float64]:
    """Distance in voxels of each voxel (I, J, K) to the nearest one outside, beyond the array too, except along one-voxel axes."""
    pad = [(1, 1) if n > 1 else (0, 0) for n in inside.shape]
    if not any(before for before, _ in pad):
        return inside.astype(np.float64)
    found: npt.NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(inside, pad))
    return found[tuple(slice(before, before + n) for (before, _), n in zip(pad, inside.shape, strict=True))]
