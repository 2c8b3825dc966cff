"""Soft targets: how probable each class is, where several readings leave that open, in place of one class.

The mask or class stays beside them: it is what is validated, evaluated and what patches are drawn by.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray, IntArray, MaskArray
from medloop.core.geometry import Shape3
from medloop.models.foundation.resample import resample

MOST = 255
"""A probability of 1 in a file of `prepare_soft`."""


@dataclass(frozen=True, eq=False)
class SoftTarget:
    """Class probabilities where they are not certain.

    Attributes:
        chances: By class value, shape (classes, places); columns sum to 1. Classes that came later may be missing.
        places: Flat positions of the voxels in the mask, in C order, shape (places,); one place, 0, for a classification.
    """

    chances: FloatArray
    places: IntArray

    def draw(self, mask: MaskArray, rng: np.random.Generator) -> MaskArray:
        """The mask as one reader might draw it: at each uncertain voxel a class by its probability."""
        drawn = mask.copy()
        level = rng.random(len(self.places)) * self.chances.sum(axis=0)
        drawn.reshape(-1)[self.places] = np.minimum((np.cumsum(self.chances, axis=0) <= level).sum(axis=0), len(self.chances) - 1)
        return drawn


def prepare_soft(soft: SoftTarget, mask: MaskArray | None, *, classes: int, shape: Shape3, file: Path) -> Path | None:
    """Write the probabilities as a network's batches read them; None where nothing is uncertain.

    The file is an array uint8, 255 = 1, of shape (classes, I, J, K) at the working shape, or (classes,) without a mask. Voxels that
    nobody annotated (255) have 0 throughout.
    """
    if not len(soft.places):
        return None
    chances = np.zeros((classes, len(soft.places)), dtype=np.float32)
    chances[: len(soft.chances)] = soft.chances
    if mask is None:
        np.save(file, _bytes(chances[:, 0]))
        return file
    found = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(classes, *shape))
    for value in range(classes):
        plane = (mask == value).astype(np.float32, order="C")
        plane.reshape(-1)[soft.places] = chances[value]
        found[value] = _bytes(resample(plane[None], shape)[0])
    found.flush()
    return file


def _bytes(chances: FloatArray) -> MaskArray:
    scaled: MaskArray = np.rint(np.clip(chances, 0.0, 1.0) * MOST).astype(np.uint8)
    return scaled
