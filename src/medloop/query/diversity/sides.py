"""Rows in order of neighbourhood, cut into sides, and how far apart two sides are at least.

On the line through the means of two sides, every row has a place; the gap between the last of one side and the
first of the other is a lower bound of every distance between them. In many dimensions it is far tighter than one
from radii, as rows spread little along any single line.
"""

import numpy as np

from medloop.core.arrays import Features, FloatArray, IntArray
from medloop.query.diversity.kcentre import k_centre
from medloop.query.diversity.tables import BLOCK_NUMBERS, squared_distances, squared_lengths

SIDE = 256
"""Most rows of a side."""

_SAMPLE = 4096
"""Rows among which pivots are looked for."""

_MOST_PIVOTS = 400


def neighbourhoods(table: Features) -> IntArray:
    """Number of the nearest pivot of each row; pivots are rows far from each other, about one per 128 rows.

    Args:
        table: Shape (cases, dimensions).
    """
    sample = table[:: -(-len(table) // _SAMPLE)] if len(table) else table
    pivots = sample[k_centre(sample, None, min(_MOST_PIVOTS, len(table) // 128))]
    labels = np.zeros(len(table), dtype=np.intp)
    block = max(1, BLOCK_NUMBERS // max(table.shape[1], 1))
    for start in range(0, len(table) if len(pivots) > 1 else 0, block):
        labels[start : start + block] = squared_distances(table[start : start + block], pivots).argmin(axis=1)
    return labels


def cut(labels: IntArray) -> list[slice]:
    """Sides of rows that follow each other and have the same label, `SIDE` rows at most."""
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    stops = np.append(starts[1:], len(labels))
    return [slice(n, min(n + SIDE, stop)) for start, stop in zip(starts, stops, strict=True) for n in range(int(start), int(stop), SIDE)]


def gaps(points: Features, sides: list[slice]) -> FloatArray:
    """Least distance between the rows of every two sides, or less; shape (sides, sides).

    Args:
        points: Shape (cases, dimensions), in the order in which they are cut.
        sides: Of `cut`.
    """
    means = np.stack([points[side].mean(axis=0) for side in sides])
    least = np.empty((len(sides), len(sides)))
    for n, side in enumerate(sides):
        places = points[side] @ means.T
        least[n] = (places[:, n : n + 1] - places).min(axis=0)
    rounding = (points.shape[1] + 8) * np.finfo(points.dtype).eps * float(squared_lengths(points).max())
    apart = np.sqrt(squared_distances(means, means).astype(np.float64))
    between: FloatArray = (least + least.T - 4.0 * rounding) / np.maximum(apart, 1e-30)
    return np.maximum(between, 0.0)


def runs(chosen: IntArray, sides: list[slice]) -> list[slice]:
    """Sides that follow each other as one, at most a few thousand rows long."""
    joined: list[slice] = []
    for n in chosen:
        side = sides[n]
        if joined and joined[-1].stop == side.start and side.stop - joined[-1].start <= 16 * SIDE:
            joined[-1] = slice(joined[-1].start, side.stop)
        else:
            joined.append(side)
    return joined
