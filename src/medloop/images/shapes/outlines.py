"""The outline of a region as polygons along the edges of its pixels: filled again, they give the very same pixels.

Holes are joined to the outline around them by a level edge that is gone along twice, there and back, as formats without holes need it;
a level edge crosses no row of pixel centres, so that it changes nothing.
"""

from collections import defaultdict
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medloop.core.arrays import BoolArray

Corner: TypeAlias = tuple[int, int]
Corners: TypeAlias = npt.NDArray[np.int64]
"""Shape (corners, 2): x and y of a closed chain, without repeating the first."""

_STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], dtype=np.int64)
"""Right, down, left, up: the edges around a pixel clockwise as seen on the screen, the region on the right hand."""


def parts_of(plane: BoolArray) -> list[tuple[BoolArray, Corner]]:
    """The separate parts of a region, each cut out, with its first column and row; pixels that touch at a corner are one part.

    Args:
        plane: (columns, rows).
    """
    numbered, _ = ndimage.label(plane, structure=np.ones((3, 3), dtype=int))
    found = ndimage.find_objects(numbered)
    return [(numbered[at] == n, (int(at[0].start), int(at[1].start))) for n, at in enumerate(found, start=1) if at is not None]


def outline(part: BoolArray) -> list[list[Corner]]:
    """Polygons around the pixels of a part (columns, rows), corners (x, y) in pixels; they share no pixel, and holes are cut out.

    Pixels that touch at a corner only lie in polygons of their own.
    """
    rings = _rings(part)
    holes = [n for n, ring in enumerate(rings) if _area(ring) < 0]
    starts = {n: _leftmost(rings[n]) for n in holes}
    hung = _hung(rings, starts)
    drawn: dict[int, list[Corner]] = {}
    for n in sorted(holes, key=lambda n: -int(rings[n][starts[n], 0])):  # what hangs on a hole lies to its right
        drawn[n] = _chain(np.roll(rings[n], -starts[n], axis=0), starts[n], hung[n], drawn)
    return [_chain(ring, 0, hung[n], drawn) for n, ring in enumerate(rings) if n not in starts]


def _rings(part: BoolArray) -> list[Corners]:
    """Closed chains of edges; where two pixels touch at a corner, a chain stays with its own pixel by turning right."""
    inside = np.pad(part, 1)
    at = inside[1:-1, 1:-1]
    bare = (~inside[1:-1, :-2], ~inside[2:, 1:-1], ~inside[1:-1, 2:], ~inside[:-2, 1:-1])
    shifts = ((0, 0), (1, 0), (1, 1), (0, 1))
    corners = [np.argwhere(at & open_) + shift for open_, shift in zip(bare, shifts, strict=True)]
    number = np.full((4, part.shape[0] + 1, part.shape[1] + 1), -1, dtype=np.int64)
    first = np.concatenate(corners)
    way = np.repeat(np.arange(4), [len(one) for one in corners])
    number[way, first[:, 0], first[:, 1]] = np.arange(len(first))
    x, y = (first + _STEPS[way]).T
    turns = [number[(way + turn) % 4, x, y] for turn in (1, 0, 3)]
    after = np.where(turns[0] >= 0, turns[0], np.where(turns[1] >= 0, turns[1], turns[2]))
    return [_bends(first[chain], way[chain]) for chain in _cycles(after.tolist())]


def _cycles(after: list[int]) -> list[list[int]]:
    met, found = bytearray(len(after)), []
    for begin in range(len(after)):
        if met[begin]:
            continue
        chain, at = [], begin
        while not met[at]:
            met[at] = 1
            chain.append(at)
            at = after[at]
        found.append(chain)
    return found


def _bends(corners: Corners, way: npt.NDArray[np.int64]) -> Corners:
    bent: Corners = corners[way != np.roll(way, 1)]
    return bent


def _area(ring: Corners) -> float:
    """Twice the area within; below 0 for a hole."""
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _leftmost(ring: Corners) -> int:
    """Which corner is the upper one of the leftmost."""
    return int(np.lexsort((ring[:, 1], ring[:, 0]))[0])


def _hung(rings: list[Corners], starts: dict[int, int]) -> dict[int, dict[int, list[tuple[int, int]]]]:
    """Ring → which of its edges → the holes that hang on it, each with its level: the next upright edge to the left of a hole."""
    hung: dict[int, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    if not starts:
        return hung
    ends = np.concatenate([np.hstack((ring, np.roll(ring, -1, axis=0))) for ring in rings])
    of = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    edge = np.concatenate([np.arange(len(ring)) for ring in rings])
    upright = ends[:, 0] == ends[:, 2]
    ends, of, edge = ends[upright], of[upright], edge[upright]
    low, high = np.minimum(ends[:, 1], ends[:, 3]), np.maximum(ends[:, 1], ends[:, 3])
    for hole, start in starts.items():
        x, y = rings[hole][start]
        left = np.flatnonzero((ends[:, 0] < x) & (low <= y) & (y < high))
        nearest = left[np.argmax(ends[left, 0])]
        hung[int(of[nearest])][int(edge[nearest])].append((int(y), hole))
    return hung


def _chain(ring: Corners, rolled: int, hung: dict[int, list[tuple[int, int]]], drawn: dict[int, list[Corner]]) -> list[Corner]:
    """The corners of a ring, and where a hole hangs on an edge the way to it, around it and back."""
    found: list[Corner] = []
    corners: list[Corner] = [(int(x), int(y)) for x, y in ring]
    for n, (x, y) in enumerate(corners):
        found.append((x, y))
        down = corners[(n + 1) % len(corners)][1] > y
        for level, hole in sorted(hung.get((n + rolled) % len(corners), ()), reverse=not down):
            found += [(x, level), *drawn[hole], drawn[hole][0], (x, level)]
    return found
