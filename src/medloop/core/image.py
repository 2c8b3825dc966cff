"""Images and masks as values: an array plus the grid it lies on. They know nothing of files."""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.errors import LabelError, ShapeError
from medloop.core.geometry import Grid


@dataclass(frozen=True, eq=False)
class Image:
    """Intensities on a grid.

    Args:
        array: Shape (channels, I, J, K), a real dtype; stored intensities after rescale, not normalised.
        grid: Its grid; the last three axes of the array must match.

    Raises:
        ShapeError: When array and grid do not fit.
    """

    array: ImageArray
    grid: Grid

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or self.array.shape[0] < 1:
            raise ShapeError(f"An image array has axes (C, I, J, K) and at least one channel, got {self.array.shape}")
        if self.array.shape[1:] != self.grid.shape:
            raise ShapeError(f"Image array {self.array.shape[1:]} does not fit its grid {self.grid.shape}")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.array.shape[0])


def label_values(array: MaskArray) -> tuple[int, ...]:
    """Values of a mask of any shape, ascending, background included when present; as quick for either order in memory."""
    flat = array.ravel(order="K")
    labelled = flat[flat != 0]  # mostly background: what is counted is small
    return (*((0,) if len(labelled) < len(flat) else ()), *np.flatnonzero(np.bincount(labelled)).tolist())


@dataclass(frozen=True, eq=False)
class Mask:
    """Label values on a grid; 0 is background.

    Args:
        array: Shape (I, J, K), uint8.
        grid: Its grid, equal in shape.

    Raises:
        ShapeError: When array and grid do not fit, or the dtype is not uint8.
    """

    array: MaskArray
    grid: Grid

    def __post_init__(self) -> None:
        if self.array.dtype != np.uint8:
            raise ShapeError(f"A mask holds uint8 label values, got {self.array.dtype}")
        if self.array.shape != self.grid.shape:
            raise ShapeError(f"Mask array {self.array.shape} does not fit its grid {self.grid.shape}")

    def values(self) -> tuple[int, ...]:
        """Label values present, ascending, background included when present."""
        return label_values(self.array)

    def require_labels(self, known: tuple[int, ...], what: str = "mask") -> None:
        """Raise unless every value is background or known.

        Raises:
            LabelError: Naming the values the task does not have.
        """
        unknown = sorted(set(self.values()) - {0, *known})
        if unknown:
            raise LabelError(
                f"{what} may hold 0 and the task's labels {list(known)}, got also {unknown[:8]}",
                remedy="remove or map these values, or add the labels to the task",
            )
