"""A mask as closed contours along the edges of its pixels: whoever fills them by pixel centres has the very mask again.

A contour of DICOM has no holes of its own, and readers disagree on contours within contours. So an area with a hole is cut in two through
the hole, until no part has one; parts meet along an edge that belongs to one of them only.

Source: DICOM PS3.3 C.8.8.6.3 (representing inner and outer contours).
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, find_objects, label

from medloop.core.arrays import BoolArray

Vector = npt.NDArray[np.float64]

_AROUND = np.ones((3, 3), dtype=np.bool_)
"""What surrounds an area touches across corners, too, as the area itself does not."""

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def contours_of(plane: BoolArray) -> list[Vector]:
    """The closed contours of a slice, each (points, 2) in pixels: column and row, edges at halves.

    Args:
        plane: Shape (columns, rows).
    """
    parts, count = label(plane)
    found: list[Vector] = []
    for number, box in enumerate(find_objects(parts, count), start=1):
        origin = np.array([box[0].start, box[1].start], dtype=np.float64)
        found += [outline + origin for outline in _without_holes(parts[box] == number)]
    return found


def _without_holes(area: BoolArray) -> list[Vector]:
    """The outlines of one connected area, cut where it has holes."""
    holes = binary_fill_holes(area, structure=_AROUND) & ~area
    if not holes.any():
        return [_outline(area)]
    columns = np.flatnonzero(holes.any(axis=1))
    cut = int(columns[len(columns) // 2])
    before, after = area.copy(), area.copy()
    before[cut:] = False
    after[:cut] = False
    return [*contours_of(before), *contours_of(after)]


def _outline(area: BoolArray) -> Vector:
    """The corners of a connected area without holes, walked around with the area on the right.

    Points are those where the direction changes. At a corner where two pixels touch, the walk stays with the pixel that it came along.
    """
    held = np.pad(area, 1)
    column = int(np.flatnonzero(held.any(axis=1))[0])
    row = int(np.flatnonzero(held[column])[0])
    start = at = (column, row)  # the upper left corner of pixel (column, row) is the corner (column, row)
    heading, points = 0, [start]
    while True:
        at = (at[0] + _STEPS[heading][0], at[1] + _STEPS[heading][1])
        turned = _turn(held, at, heading)
        if turned != heading:
            points.append(at)
        heading = turned
        if at == start:
            break
    corners = np.array(points[:-1] if points[-1] == start and len(points) > 1 else points, dtype=np.float64)
    return corners - 1.5  # the padding, and that pixel centres are whole numbers


def _turn(held: BoolArray, at: tuple[int, int], heading: int) -> int:
    """Where the walk goes on from a corner: to the right where it can, else on, else to the left."""
    for turn in (1, 0, 3):
        step = (heading + turn) % 4
        if _is_edge(held, at, step):
            return step
    return (heading + 2) % 4


def _is_edge(held: BoolArray, at: tuple[int, int], step: int) -> bool:
    """Whether the edge that leaves a corner has the area on its right and none on its left."""
    x, y = at
    right, left = (
        ((x, y), (x, y - 1)),
        ((x - 1, y), (x, y)),
        ((x - 1, y - 1), (x - 1, y)),
        ((x, y - 1), (x - 1, y - 1)),
    )[step]
    return bool(held[right]) and not bool(held[left])
