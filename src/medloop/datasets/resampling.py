"""Volumes on another grid: intensities linearly, labels to the nearest voxel, slice by slice."""

from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from medloop.core.arrays import BoolArray, FloatArray, ImageArray, MaskArray
from medloop.core.geometry import Grid

EDGE = 1e-6
"""Share of a voxel by which rounding may put a place off a grid."""


def places_in(old: Grid, new: Grid, k: int) -> FloatArray:
    """Where the voxels of slice k of one grid lie in another one: its fractional voxel coordinates, shape (3, I·J), I slowest."""
    turn = np.linalg.inv(old.affine) @ new.affine
    i, j = np.meshgrid(np.arange(new.shape[0]), np.arange(new.shape[1]), indexing="ij")
    plane = np.stack([i.ravel(), j.ravel(), np.full(i.size, float(k)), np.ones(i.size)])
    places: FloatArray = (turn @ plane)[:3]
    return places


def lies_inside(places: FloatArray, grid: Grid, margin: float) -> BoolArray:
    """Which places, shape (3, n), lie within a grid's outermost voxel centres, or beyond them by at most a share of a voxel."""
    last = np.array(grid.shape, dtype=np.float64)[:, None] - 1
    inside: BoolArray = np.all((places >= -EDGE - margin) & (places <= last + EDGE + margin), axis=0)
    return inside


def resampled(array: ImageArray | MaskArray, old: Grid, new: Grid, *, order: int, outside: float) -> FloatArray:
    """One volume on another grid; `outside` where the old grid has nothing: of intensities beyond its outermost voxel centres.

    Args:
        array: Shape of `old`.
        old: Its grid.
        new: The grid wanted.
        order: 0 for the nearest voxel, 1 for linear interpolation.
        outside: The value there.
    """
    found = np.empty(new.shape, dtype=np.float64)
    stored = np.asarray(array, dtype=np.float64)
    for k in range(new.shape[2]):
        places = places_in(old, new, k)
        values = map_coordinates(stored, places, order=order, mode="nearest")
        found[..., k] = np.where(lies_inside(places, old, 0.5 * (order == 0)), values, outside).reshape(new.shape[:2])
    return found


def as_dtype(values: FloatArray, dtype: np.dtype[Any]) -> ImageArray:
    """Interpolated values in a stored dtype; whole numbers are rounded and stay within its range."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
