"""What somebody measures on an image by hand: a length, an angle, the values within a region of one slice.

Points are voxel coordinates (i, j, k), whole numbers at the centres of voxels; the affine makes millimetres of them, so oblique,
anisotropic and sheared grids (a tilted gantry) come out right. Where the size of a voxel is not known, the affine is the identity
and the figures are pixels.
"""

import math
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import Affine, BoolArray, FloatArray

RegionShape: TypeAlias = Literal["ellipse", "rectangle"]
Figures: TypeAlias = dict[str, float]

_ON_THE_LINE = 1e-9
"""A voxel's centre on the outline is inside, whatever rounding makes of it."""


def length(points: FloatArray, affine: Affine) -> float:
    """The distance between two points, shape (2, 3), in the affine's unit."""
    return float(np.linalg.norm(affine[:3, :3] @ (points[1] - points[0])))


def angle(points: FloatArray, affine: Affine) -> float:
    """The angle at the second of three points, shape (3, 3), in degrees, 0 to 180; NaN where a leg has no length."""
    first, second = (affine[:3, :3] @ (points[n] - points[1]) for n in (0, 2))
    if not (first.any() and second.any()):
        return math.nan
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(first, second))), float(first @ second)))


def plane_axes(axis: int) -> tuple[int, int]:
    """The two voxel axes of a slice across `axis`, in order."""
    first, second = (other for other in range(3) if other != axis)
    return first, second


def pixel_area(axis: int, affine: Affine) -> float:
    """The area of one voxel in a slice across `axis`: of the parallelogram that its axes span."""
    first, second = plane_axes(axis)
    return float(np.linalg.norm(np.cross(affine[:3, first], affine[:3, second])))


def region_area(shape: RegionShape, points: FloatArray, axis: int, affine: Affine) -> float:
    """The area of an ellipse or rectangle between two opposite corners, shape (2, 3), in a slice across `axis`."""
    wide, high = (abs(points[1][other] - points[0][other]) for other in plane_axes(axis))
    return float(wide * high * (math.pi / 4 if shape == "ellipse" else 1.0)) * pixel_area(axis, affine)


def region_pixels(shape: RegionShape, points: FloatArray, axis: int, size: tuple[int, int]) -> BoolArray:
    """Which pixels of a slice have their centre within a region.

    Args:
        shape: The ellipse within the corners' box, or the box.
        points: Two opposite corners, shape (2, 3).
        axis: The voxel axis across the slice.
        size: Voxels of the slice along its two axes, in order.
    """
    away = []
    for other, count in zip(plane_axes(axis), size, strict=True):
        middle, half = (points[0][other] + points[1][other]) / 2, abs(points[1][other] - points[0][other]) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            away.append(np.abs(np.arange(count) - middle) / half)
    first, second = np.meshgrid(*away, indexing="ij")
    far = np.hypot(first, second) if shape == "ellipse" else np.maximum(first, second)
    inside: BoolArray = far <= 1 + _ON_THE_LINE
    return inside


def value_figures(values: FloatArray) -> Figures:
    """How many values there are, their mean, standard deviation (of these values, not of a sample), smallest and largest."""
    if values.size == 0:
        return {"voxels": 0.0}
    exact = values.astype(np.float64)
    return {
        "voxels": float(exact.size),
        "mean": float(exact.mean()),
        "sd": float(exact.std()),
        "min": float(exact.min()),
        "max": float(exact.max()),
    }
