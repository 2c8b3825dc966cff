"""Bring voxels into the order that a network wants, and its answer back. Nothing is resampled: axes change places and direction only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.geometry import Grid
from medloop.models.foundation.plans import Spacing

_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}


@dataclass(frozen=True)
class Turn:
    """Which of a grid's axes each new one is, and which of the new ones run the other way."""

    order: tuple[int, int, int]
    flips: tuple[int, ...]

    def forth(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(channels, I, J, K) of the grid to the new order."""
        turned = array.transpose(0, *(axis + 1 for axis in self.order))
        return np.flip(turned, tuple(axis + 1 for axis in self.flips))

    def back(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Inverse of `forth`."""
        turned = np.flip(array, tuple(axis + 1 for axis in self.flips))
        return turned.transpose(0, *(int(axis) + 1 for axis in np.argsort(self.order)))

    def spacing(self, spacing_mm: Spacing) -> Spacing:
        """A grid's spacing in the new order."""
        i, j, k = (spacing_mm[axis] for axis in self.order)
        return i, j, k


def turn_to(grid: Grid, orientation: str) -> Turn:
    """What brings a grid to the orientation whose letters are given (RAS: towards right, anterior, superior); "" leaves it as it is."""
    if not orientation:
        return Turn((0, 1, 2), ())
    codes = grid.axis_codes
    i, j, k = (next(axis for axis, code in enumerate(codes) if _AXIS[code] == _AXIS[letter]) for letter in orientation)
    order = (i, j, k)
    return Turn(order, tuple(n for n, axis in enumerate(order) if codes[axis] != orientation[n]))
