"""Sizes of structures in masks: volume, area, largest diameter, circumference, all in millimetres through the grid.

Any affine will do: oblong voxels, turned, mirrored or sheared axes. Diameters and circumferences run along the outline
of `medloop.metrics.outline`, half way between voxels inside and outside; a block of n voxels is n voxels long. A label
that is absent has the size 0. Sizes come in the units of `UNITS`; where an image's pixel size is not known, they are
pixels, and nothing here says millimetres (`unit_of`).
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray
from medloop.core.errors import InputError, SettingError
from medloop.core.geometry import Grid
from medloop.metrics.ellipse import Ellipse, fit_ellipse
from medloop.metrics.outline import crossing_points, cut_to_mask, in_plane_mm, require_on_grid

MeasureName: TypeAlias = Literal["volume", "area", "diameter", "in_plane_diameter", "circumference"]

UNITS: Mapping[MeasureName, tuple[str, str]] = {
    "volume": ("ml", "voxels"),
    "area": ("mm²", "pixels"),
    "diameter": ("mm", "pixels"),
    "in_plane_diameter": ("mm", "pixels"),
    "circumference": ("mm", "pixels"),
}
"""Unit of each measure, and the unit when the size of a pixel is unknown."""

FLAT: tuple[MeasureName, ...] = ("area", "diameter", "circumference")
SOLID: tuple[MeasureName, ...] = ("volume", "area", "diameter", "in_plane_diameter", "circumference")

_BLOCK = 512
"""Points whose distances to all others are held at once."""

_FLATNESS = 1e-18
"""Points spread less than a billionth of their length across a direction lie in a plane: it is rounding."""


def measure_names(grid: Grid) -> tuple[MeasureName, ...]:
    """The measures that make sense on a grid: no volume on a single slice, which has no known thickness."""
    return FLAT if grid.is_2d else SOLID


def unit_of(name: MeasureName, *, sized: bool) -> str:
    """The unit of a measure; pixels or voxels when the image's pixel size is not known.

    Raises:
        SettingError: No such measure.
    """
    if name not in UNITS:
        raise SettingError(f"A measure is one of {', '.join(UNITS)}, got {name!r}")
    return UNITS[name][0 if sized else 1]


def measure(inside: BoolArray, grid: Grid, *, sized: bool = True) -> dict[MeasureName, float]:
    """Every measure that makes sense on the grid.

    Args:
        inside: Where the structure is, shape (I, J, K) of the grid.
        grid: Of the image; must have unit spacing when the size is unknown.
        sized: Whether the grid's spacing is that of the image. Otherwise figures are in pixels and the grid's spacing
            is not used.

    Returns:
        Name → figure in its unit; NaN for the circumference of a structure too small for an ellipse.

    Raises:
        ShapeError: A mask that is not the grid's shape.
    """
    require_on_grid(inside, grid)
    used = grid if sized else Grid.of_spacing(grid.shape, (1.0, 1.0, 1.0))
    found = {name: _MEASURES[name](inside, used) for name in measure_names(grid)}
    if not sized and "volume" in found:
        found["volume"] *= 1000.0  # the formula gives millilitres of voxels that are one "millimetre" wide
    return found


def volume_ml(inside: BoolArray, grid: Grid) -> float:
    """Volume in millilitres: voxels times the volume of the parallelepiped that the affine makes of one.

    Raises:
        ShapeError: A mask that is not the grid's shape.
    """
    require_on_grid(inside, grid)
    return float(np.count_nonzero(inside) * abs(np.linalg.det(grid.affine[:3, :3])) / 1000.0)


def area_mm2(inside: BoolArray, grid: Grid, *, axis: int = 2) -> float:
    """Area in mm² on the slice where it is largest.

    Args:
        inside: Shape (I, J, K) of the grid.
        grid: Its grid.
        axis: The voxel axis that numbers the slices.

    Raises:
        ShapeError: A mask that is not the grid's shape.
        SettingError: An axis that is not 0, 1 or 2.
    """
    require_on_grid(inside, grid)
    first, second = _in_plane_axes(axis)
    pixel = float(np.linalg.norm(np.cross(grid.affine[:3, first], grid.affine[:3, second])))
    return float(inside.sum(axis=(first, second)).max()) * pixel


def diameter_mm(inside: BoolArray, grid: Grid) -> float:
    """The largest distance in mm between two points of the outline, in any direction; exact, by the convex hull.

    Source: "maximum 3D diameter" of the Image Biomarker Standardisation Initiative (L0JK), doi:10.1148/radiol.2020191145,
        on the outline of `medloop.metrics.outline`.

    Raises:
        ShapeError: A mask that is not the grid's shape.
    """
    require_on_grid(inside, grid)
    return _largest_distance(grid.to_mm(crossing_points(inside)))


def in_plane_diameter_mm(inside: BoolArray, grid: Grid, *, axis: int = 2) -> float:
    """The largest distance in mm between two points of the outline on one slice, over all slices of a direction.

    Args:
        inside: Shape (I, J, K) of the grid.
        grid: Its grid.
        axis: The voxel axis that numbers the slices.

    Raises:
        ShapeError: A mask that is not the grid's shape.
        SettingError: An axis that is not 0, 1 or 2.
    """
    require_on_grid(inside, grid)
    _in_plane_axes(axis)
    cropped, _ = cut_to_mask(inside)
    slices = (crossing_points(np.take(cropped, [n], axis=axis), across=axis) for n in range(cropped.shape[axis]))
    outlines = [in_plane_mm(points, grid, axis) for points in slices]
    extents = [float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0 for points in outlines]
    largest = 0.0
    for n in np.argsort(extents)[::-1]:
        if extents[n] <= largest:  # no slice is wider than its bounding box, so the others cannot win
            break
        largest = max(largest, _largest_distance(outlines[n]))
    return largest


def circumference_mm(inside: BoolArray, grid: Grid, *, axis: int = 2) -> float:
    """Circumference in mm of the ellipse fitted to the largest piece, on the slice where it is largest.

    The way fetal heads are measured. Holes do not matter: a drawn outline and a filled shape give the same ellipse. Where
    the image cuts a structure off, the ellipse follows what is left of its outline.

    Returns:
        0.0 for an empty mask; NaN for a structure too small or too thin for an ellipse.

    Raises:
        ShapeError: A mask that is not the grid's shape.
        SettingError: An axis that is not 0, 1 or 2.
    """
    require_on_grid(inside, grid)
    if not inside.any():
        return 0.0
    try:
        return ellipse_of(inside, grid, axis=axis).circumference
    except InputError:
        return math.nan


def ellipse_of(inside: BoolArray, grid: Grid, *, axis: int = 2) -> Ellipse:
    """The ellipse, in mm within the slice, that `circumference_mm` measures.

    Raises:
        ShapeError: A mask that is not the grid's shape, or too few points.
        InputError: Nothing there, or a line.
        SettingError: An axis that is not 0, 1 or 2.
    """
    from scipy import ndimage

    require_on_grid(inside, grid)
    first, second = _in_plane_axes(axis)
    index = int(inside.sum(axis=(first, second)).argmax())
    flat = np.take(inside, index, axis=axis)
    pieces, count = ndimage.label(flat, structure=np.ones((3, 3)))
    if count == 0:
        raise InputError("There is nothing to fit an ellipse to", remedy="mark the structure first")
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    points = crossing_points(np.expand_dims(pieces == largest, axis), across=axis)
    return fit_ellipse(in_plane_mm(_within_image(points, flat.shape, (first, second)), grid, axis))


def _within_image(points: FloatArray, shape: tuple[int, ...], axes: tuple[int, int]) -> FloatArray:
    """The points that are not on the image's border, where the image ends and not the structure; all if few remain."""
    last = np.array(shape) - 0.5
    kept = points[((points[:, axes] > -0.5) & (points[:, axes] < last)).all(axis=1)]
    return kept if 2 * len(kept) >= len(points) else points


def _in_plane_axes(axis: int) -> tuple[int, int]:
    if axis not in (0, 1, 2):
        raise SettingError(f"A voxel axis is 0, 1 or 2, got {axis}")
    first, second = (a for a in range(3) if a != axis)
    return first, second


def _largest_distance(points: FloatArray) -> float:
    """The largest distance between any two points, shape (n, dimensions)."""
    if len(points) < 2:
        return 0.0
    corners = _hull(points)
    largest = 0.0
    for start in range(0, len(corners), _BLOCK):
        gaps = corners[start : start + _BLOCK, None] - corners[None, start:]
        largest = max(largest, float(np.einsum("abd,abd->ab", gaps, gaps).max()))
    return math.sqrt(largest)


def _hull(points: FloatArray) -> FloatArray:
    """The points at the corners of the convex hull, in as many dimensions as they span."""
    from scipy.spatial import ConvexHull

    centred = points - points.mean(axis=0)
    spread, directions = np.linalg.eigh(centred.T @ centred)
    spanned = centred @ directions[:, spread > _FLATNESS * spread[-1]]
    if spanned.shape[1] < 2:
        return spanned[[int(spanned.argmin()), int(spanned.argmax())]] if spanned.size else np.zeros((1, 1))
    corners: FloatArray = spanned[ConvexHull(spanned).vertices]
    return corners


_MEASURES: Mapping[MeasureName, Callable[[BoolArray, Grid], float]] = {
    "volume": volume_ml,
    "area": area_mm2,
    "diameter": diameter_mm,
    "in_plane_diameter": in_plane_diameter_mm,
    "circumference": circumference_mm,
}
