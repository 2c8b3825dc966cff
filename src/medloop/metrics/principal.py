"""The two directions along which rows differ most, from rows that are seen once, piece by piece.

Exact: the mean and the scatter of all rows are kept, not the rows, so that a pool of any size costs dimensions² numbers.

Sources: Pearson 1901, doi:10.1080/14786440109462720 (the directions); Chan, Golub and LeVeque 1979, Stanford STAN-CS-79-773 (adding up
the scatter of pieces).
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import ShapeError

AXES = 2

MOST_DIMENSIONS = 8192
"""The scatter of wider rows would take more than half a gigabyte."""


class Moments:
    """Count, mean and scatter of the rows seen so far.

    Args:
        dimensions: Numbers in each row.

    Raises:
        ShapeError: More than `MOST_DIMENSIONS`, or none.
    """

    def __init__(self, dimensions: int) -> None:
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise ShapeError(f"Rows must have 1 to {MOST_DIMENSIONS} numbers, got {dimensions}")
        self.count = 0
        self.mean = np.zeros(dimensions)
        self.scatter = np.zeros((dimensions, dimensions))

    def add(self, rows: Features) -> None:
        """Take in more rows, shape (rows, dimensions); order and pieces do not matter.

        Raises:
            ShapeError: Rows of another length.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise ShapeError(f"Rows must have {len(self.mean)} numbers each, got shape {rows.shape}")
        if not len(rows):
            return
        own = np.asarray(rows, dtype=np.float64)
        mean, total = own.mean(axis=0), self.count + len(own)
        away, apart = own - mean, mean - self.mean
        self.scatter += away.T @ away + np.outer(apart, apart) * (self.count * len(own) / total)
        self.mean += apart * (len(own) / total)
        self.count = total


@dataclass(frozen=True, eq=False)
class Plane:
    """Where rows are laid out flat.

    Attributes:
        centre: Shape (dimensions,).
        axes: Of length 1, shape (2, dimensions); the largest part of each is positive, so that the same rows give the same picture.
        explained: Share of all variance along each axis; (0, 0) for rows that are all alike.
    """

    centre: FloatArray
    axes: FloatArray
    explained: tuple[float, float]

    def __call__(self, rows: Features) -> FloatArray:
        """Place of each row, shape (rows, 2)."""
        found: FloatArray = (np.asarray(rows, dtype=np.float64) - self.centre) @ self.axes.T
        return found


def plane_of(moments: Moments) -> Plane:
    """The plane of greatest variance of the rows seen.

    Raises:
        ShapeError: Fewer than two rows.
    """
    if moments.count < 2:
        raise ShapeError(f"A plane needs at least two rows, got {moments.count}")
    values, vectors = np.linalg.eigh(moments.scatter)
    values = np.clip(values, 0.0, None)
    axes = np.zeros((AXES, len(moments.mean)))
    found = vectors[:, ::-1][:, :AXES].T
    axes[: len(found)] = found * np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])[:, None]
    shares = np.zeros(AXES)
    total = float(values.sum())
    if total > 0:
        shares[: len(found)] = values[::-1][:AXES] / total
    return Plane(moments.mean.copy(), axes, (float(shares[0]), float(shares[1])))
