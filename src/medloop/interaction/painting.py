"""Which voxels are a hand's: painted, and not hinted at since. Prompts leave them as they are."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, IntArray
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Prompt, exact_voxels

Stroke: TypeAlias = Sequence[tuple[int, int, int]]
"""Runs (start, length, value) on flat voxels, I fastest."""


def painted_voxels(said: Iterable[Prompt | Stroke], shape: Shape3) -> BoolArray | None:
    """Voxels that the last word on them painted, shape (I, J, K); None when nothing was painted.

    Args:
        said: Prompts and strokes of the brush in the order in which they count.
        shape: The image's.
    """
    painted: BoolArray | None = None
    for word in said:
        if isinstance(word, Sequence):
            painted = np.zeros(shape, dtype=bool, order="F") if painted is None else painted
            painted.reshape(-1, order="F")[covered(word)] = True
        elif painted is not None:
            painted[tuple(exact_voxels(word, shape).T)] = False
    return painted


def covered(stroke: Stroke) -> IntArray:
    """Flat indices of the voxels that runs go over, in their order."""
    table = np.asarray(stroke, dtype=np.int64).reshape(-1, 3)
    lengths = table[:, 1]
    first = np.cumsum(lengths) - lengths
    flat: IntArray = np.arange(int(lengths.sum())) + np.repeat(table[:, 0] - first, lengths)
    return flat
