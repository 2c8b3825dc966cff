"""Polygons filled by pixel centres, many on one slice combined by exclusive or."""

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray


def toggle(plane: BoolArray, points: npt.NDArray[np.float64]) -> None:
    """Flip, in every row that an edge of a closed polygon crosses, the first pixel behind it; their running exclusive or is the inside.

    An edge has its upper end and not its lower one, so that polygons that share an edge neither overlap nor leave a gap.

    Args:
        plane: (columns, rows), changed in place.
        points: (points, 2), in pixels.
    """
    columns, rows = plane.shape
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        first, last = sorted((y0, y1))
        crossed = np.arange(max(int(np.ceil(first)), 0), min(int(np.ceil(last)), rows))
        if len(crossed) == 0:
            continue
        at = np.ceil(x0 + (crossed - y0) * (x1 - x0) / (y1 - y0)).clip(0, columns).astype(np.int64)
        inside = at < columns
        plane[at[inside], crossed[inside]] ^= True
