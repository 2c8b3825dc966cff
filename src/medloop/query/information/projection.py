"""Features in few dimensions: the principal axes of the pool, on one common scale."""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import SettingError, ShapeError
from medloop.query.diversity.tables import checked_table

VARIANCE_SHARE = 0.99
"""Axes are kept until they explain this much of the pool's variance; what is left is mostly noise."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A linear map to few dimensions.

    Attributes:
        middle: Mean of the pool, shape (dimensions,).
        axes: Orthonormal columns, widest first, shape (dimensions, kept); none if all cases are alike.
        scale: Divides every projected coordinate, so that their mean square over the pool is 1.
    """

    middle: FloatArray
    axes: FloatArray
    scale: float


def fit_projection(features: Features, *, most: int) -> Projection:
    """The principal axes that explain `VARIANCE_SHARE` of the variance, at most `most` of them.

    Args:
        features: Shape (cases, dimensions), at least one case.
        most: Most axes to keep, 1 or more.

    Raises:
        ShapeError: Not a table.
        InputError: NaN or infinity.
        SettingError: No axis allowed.

    Source: Pearson 1901, doi:10.1080/14786440109462720.
    """
    if most < 1:
        raise SettingError(f"A projection keeps at least 1 axis, got {most}")
    table = checked_table(features, "features").astype(np.float64, copy=False)
    middle = table.mean(axis=0)
    spreads, directions = _principal(table - middle, most)
    total = float(((table - middle) ** 2).sum())
    noise = len(table) * table.shape[1] * np.finfo(np.float64).eps * float((table**2).sum())
    kept = int(np.searchsorted(np.cumsum(spreads), VARIANCE_SHARE * total) + 1) if total > noise else 0
    axes = directions[:, : min(kept, most)]
    variance = float(spreads[: axes.shape[1]].sum()) / (len(table) * max(1, axes.shape[1]))
    return Projection(middle, axes, float(np.sqrt(variance)) if variance > 0 else 1.0)


def project(features: Features, projection: Projection) -> FloatArray:
    """The features along the axes, shape (cases, kept).

    Args:
        features: Shape (cases, dimensions).
        projection: From `fit_projection`.

    Raises:
        ShapeError: Features of other dimensions than the projection's.
        InputError: NaN or infinity.
    """
    table = checked_table(features, "features").astype(np.float64, copy=False)
    if table.shape[1] != len(projection.middle):
        raise ShapeError(f"Features to project must have {len(projection.middle)} dimensions, got {table.shape[1]}")
    return (table - projection.middle) @ projection.axes / projection.scale


def _principal(centred: FloatArray, most: int) -> tuple[FloatArray, FloatArray]:
    """Sums of squares along the widest axes, widest first, and the axes; their signs are fixed by their largest entry."""
    values, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-values, kind="stable")[:most]
    axes = vectors[:, order]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0, keepdims=True), axis=0)
    return np.maximum(values[order], 0.0), axes * np.where(largest < 0, -1.0, 1.0)
