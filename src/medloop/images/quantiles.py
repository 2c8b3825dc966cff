"""Percentiles of intensities, exact and without sorting where they are whole numbers of at most 16 bits."""

from collections.abc import Callable, Sequence

import numpy as np

from medloop.core.arrays import ImageArray

_AT_ONCE = 1 << 20
"""Voxels that are counted at once: `bincount` takes them as 64-bit numbers."""


def percentiles(values: ImageArray, percents: Sequence[float]) -> list[float]:
    """What `numpy.percentile` finds by linear interpolation.

    Args:
        values: At least one finite number, any shape and real dtype.
        percents: 0 to 100 each.
    """
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 2:
        return [float(one) for one in np.percentile(values, percents)]
    least = int(np.iinfo(values.dtype).min)
    flat = values.ravel(order="K")
    counts = np.zeros(1 << (8 * values.dtype.itemsize), np.int64)
    for start in range(0, flat.size, _AT_ONCE):
        counts += np.bincount(flat[start : start + _AT_ONCE].astype(np.int64) - least, minlength=counts.size)
    last_places = np.cumsum(counts)  # how many voxels are at most each value

    def at(place: int) -> int:
        return int(np.searchsorted(last_places, place, side="right")) + least

    return [_between(at, percent / 100 * (flat.size - 1), flat.size - 1) for percent in percents]


def _between(at: Callable[[int], int], place: float, last: int) -> float:
    """The value at a place between two of the sorted ones, rounded as numpy rounds it."""
    below = min(int(place), last)
    low, high, share = at(below), at(min(below + 1, last)), place - below
    return low + (high - low) * share if share < 0.5 else high - (high - low) * (1 - share)
