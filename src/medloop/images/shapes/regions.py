"""What people draw on a picture, as pixels: polygons, ellipses and run lengths, each added to the plane of its label.

Coordinates are pixels with the picture's upper left corner at (0, 0), so that a pixel's centre lies at one half; a pixel
belongs to a shape when its centre does. Planes have axes (columns, rows).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError
from medloop.images.polygons import toggle

Paint: TypeAlias = Callable[[BoolArray], None]
"""Adds a shape to a plane (columns, rows) in C order; raises `FormatError` where it is damaged."""

Points: TypeAlias = npt.NDArray[np.float64]
"""Shape (points, 2): x to the right and y down, in pixels."""

FEWEST_POINTS = 3
MOST_POINTS = 100_000
FURTHEST = 1e6
"""Pixels from the picture's corner; what lies further out is no place in a picture."""


@dataclass(frozen=True)
class Region:
    """One drawn shape.

    Attributes:
        value: Of its label, among the source's label values.
        label: The label's name in the source.
        what: How messages call it, such as "annotation 12".
        paint: Adds its pixels.
        layer: Shapes of a higher layer lie over those of lower ones.
    """

    value: int
    label: str
    what: str
    paint: Paint
    layer: int = 0


@dataclass(frozen=True)
class PictureMark:
    """A box or a point: where a label is, without saying where it ends.

    Attributes:
        value: Of its label, among the source's label values.
        what: How messages call it.
        at: (x, y) of a point, or (left, top, right, bottom), in pixels.
    """

    value: int
    what: str
    at: tuple[float, ...]


@dataclass(frozen=True)
class Drawing:
    """What a source draws on one picture.

    Attributes:
        file: That holds it, for messages.
        regions: In the order of the file; () where somebody found nothing.
        size: Columns and rows of the picture as the file has them; None when it does not say.
    """

    file: str
    regions: tuple[Region, ...]
    size: tuple[int, int] | None = None


def points_of(numbers: Sequence[Any], what: str = "a polygon") -> Points:
    """Points from x, y, x, y, ….

    Raises:
        FormatError: Fewer than three, too many, half a point, or numbers that are no places.
    """
    try:
        flat = np.asarray(numbers, dtype=np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"{what} is a list of numbers, got others") from None
    if len(flat) % 2 or not FEWEST_POINTS <= len(flat) // 2 <= MOST_POINTS:
        raise FormatError(f"{what} has {FEWEST_POINTS} to {MOST_POINTS} points, got {len(flat) / 2:g}")
    require_places(flat, what)
    return flat.reshape(-1, 2)


def require_places(numbers: Points, what: str) -> None:
    """Raise for numbers that cannot be places in a picture.

    Raises:
        FormatError: NaN, infinite or far away.
    """
    bad = numbers[~(np.abs(numbers) <= FURTHEST)]
    if len(bad):
        raise FormatError(f"{what} lies at finite pixels, at most {FURTHEST:.0f} away, got {bad[0]:g}")


def fill(plane: BoolArray, points: Points) -> None:
    """Add the pixels whose centres lie within a closed polygon, by the even-odd rule."""
    columns, rows = plane.shape
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, (columns, rows))
    high = np.clip(np.ceil(points.max(axis=0)).astype(int), 0, (columns, rows))
    if (high <= low).any():
        return
    box = np.zeros(tuple(high - low), dtype=bool)
    toggle(box, points - low - 0.5)
    plane[low[0] : high[0], low[1] : high[1]] |= np.logical_xor.accumulate(box, axis=0)


def polygons(parts: Sequence[Sequence[Any]]) -> Paint:
    """A shape of one polygon or several, which add up, each as x, y, x, y, …."""
    return partial(_polygons, parts)


def _polygons(parts: Sequence[Sequence[Any]], plane: BoolArray) -> None:
    for part in parts:
        fill(plane, points_of(part))


def ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float) -> Paint:
    """An ellipse, turned clockwise as seen on the screen."""
    return partial(_ellipse, np.array([*centre, *radii, degrees], dtype=np.float64))


def _ellipse(numbers: Points, plane: BoolArray) -> None:
    require_places(numbers, "an ellipse")
    x, y, wide, high, degrees = numbers.tolist()
    if min(wide, high) <= 0:
        raise FormatError(f"the radii of an ellipse are above 0, got {min(wide, high):g}")
    reach, (columns, rows) = max(wide, high) + 1, plane.shape
    left, top = (int(np.clip(np.floor(at - reach), 0, most)) for at, most in ((x, columns), (y, rows)))
    right, bottom = (int(np.clip(np.ceil(at + reach), 0, most)) for at, most in ((x, columns), (y, rows)))
    across = (np.arange(left, right) + 0.5 - x)[:, None]
    down = (np.arange(top, bottom) + 0.5 - y)[None, :]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    plane[left:right, top:bottom] |= ((across * cos + down * sin) / wide) ** 2 + ((down * cos - across * sin) / high) ** 2 <= 1


def runs(decode: Callable[[int, int], BoolArray]) -> Paint:
    """A shape of run lengths, decoded for as many columns and rows as the picture has."""
    return partial(_runs, decode)


def _runs(decode: Callable[[int, int], BoolArray], plane: BoolArray) -> None:
    columns, rows = plane.shape
    plane |= decode(columns, rows)


def pixel_box(mark: PictureMark, columns: int, rows: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last-but-one pixel that a box or a point covers, within the picture.

    Raises:
        FormatError: It lies outside, or covers nothing.
    """
    numbers = np.asarray(mark.at, dtype=np.float64)
    require_places(numbers, mark.what)
    near = 1e-3  # of a pixel: what percent leave of a whole number
    low, high = np.floor(numbers[:2] + near), np.ceil(numbers[-2:] - near)
    if len(numbers) == 2:
        low, high = np.floor(numbers), np.floor(numbers) + 1
    first, last = np.maximum(low, 0).astype(int), np.minimum(high, (columns, rows)).astype(int)
    if (last <= first).any():
        raise FormatError(f"{mark.what} covers a pixel of its picture of {columns}×{rows}, this lies outside")
    return (int(first[0]), int(first[1])), (int(last[0]), int(last[1]))
