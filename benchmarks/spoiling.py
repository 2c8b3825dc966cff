"""Single mistakes in a true mask, and the one click that points each out: what a correction must never make worse.

Each kind of mistake is made on one label; the click lies in the middle of it (deepest voxel), anywhere in it, or at its edge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.geometry import Grid
from medloop.interaction.prompts import Point

WHERE = ("centre", "random", "edge")
"""Where in the mistake the click lies."""


@dataclass(frozen=True, eq=False)
class Spoilt:
    """A good mask with one mistake.

    Attributes:
        mask: Label values, shape (I, J, K).
        click: A correct click on the mistake; on something right where there is none.
        kind: One of `KINDS`.
    """

    mask: MaskArray
    click: Point
    kind: str


_Made: TypeAlias = tuple[BoolArray, int] | None
"""The voxels that are wrong, and the label they get."""


def spoil(truth: MaskArray, grid: Grid, kind: str, rng: np.random.Generator, *, where: str = "centre") -> Spoilt | None:
    """Make one mistake; None where the mask has no place for it.

    Args:
        truth: Label values, shape (I, J, K), with foreground.
        grid: The image's.
        kind: One of `KINDS`.
        rng: All chance comes from it.
        where: One of `WHERE`.
    """
    label = int(rng.choice(np.unique(truth[truth > 0])))
    has = truth == label
    made = KINDS[kind](has, truth, grid, rng)
    if made is None or not made[0].any():
        return None
    wrong, value = made
    mask = truth.copy(order="K")
    if kind == "nothing":
        return Spoilt(mask, Point(_voxel(wrong, grid, where, rng), label), kind)
    mask[wrong] = value * label
    return Spoilt(mask, Point(_voxel(wrong, grid, where, rng), label, positive=value == 0), kind)


def _bite(has: BoolArray, _truth: MaskArray, grid: Grid, rng: np.random.Generator) -> _Made:
    depth = _depth(has, grid)
    rim = np.argwhere(has & (depth <= 1.5 * _finest(grid)))
    radius = float(rng.uniform(0.3, 0.9)) * max(float(depth.max()), 3 * _finest(grid))
    wrong = has & _ball(rim[int(rng.integers(len(rim)))], radius, grid)
    return (wrong, 0) if has.sum() > 2 * wrong.sum() else None


def _hole(has: BoolArray, _truth: MaskArray, grid: Grid, rng: np.random.Generator) -> _Made:
    depth = _depth(has, grid)
    deep = np.argwhere(depth >= max(0.6 * depth.max(), 3 * _finest(grid)))
    if not len(deep):
        return None
    at = deep[int(rng.integers(len(deep)))]
    return has & _ball(at, float(rng.uniform(0.3, 0.7)) * float(depth[tuple(at)]), grid), 0


def _object(has: BoolArray, _truth: MaskArray, _grid: Grid, rng: np.random.Generator) -> _Made:
    from scipy import ndimage

    parts, count = ndimage.label(has)
    sizes = np.bincount(parts.ravel())[1:]
    whole = np.flatnonzero((sizes >= 12) & (sizes < 0.6 * sizes.sum()))
    return (parts == 1 + int(rng.choice(whole)), 0) if count > 1 and len(whole) else None


def _slice(has: BoolArray, _truth: MaskArray, grid: Grid, rng: np.random.Generator) -> _Made:
    axis = int(np.argmax([mm if n > 1 else 0 for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]))
    along = np.flatnonzero(has.any(axis=tuple(a for a in range(3) if a != axis)))
    if grid.is_2d or len(along) < 4:
        return None
    plane = np.zeros_like(has)
    plane[tuple(int(rng.choice(along[1:-1])) if a == axis else slice(None) for a in range(3))] = True
    return has & plane, 0


def _blob(has: BoolArray, truth: MaskArray, grid: Grid, rng: np.random.Generator) -> _Made:
    away = _depth(truth == 0, grid)
    radius = float(rng.uniform(0.4, 0.9)) * max(float(_depth(has, grid).max()), 3 * _finest(grid))
    places = np.argwhere(away >= radius + 3 * _finest(grid))
    return (_ball(places[int(rng.integers(len(places)))], radius, grid), 1) if len(places) else None


def _bump(has: BoolArray, truth: MaskArray, grid: Grid, rng: np.random.Generator) -> _Made:
    rim = np.argwhere(has & (_depth(has, grid) <= 1.5 * _finest(grid)))
    radius = float(rng.uniform(0.3, 0.8)) * max(float(_depth(has, grid).max()), 3 * _finest(grid))
    wrong = (truth == 0) & _ball(rim[int(rng.integers(len(rim)))], radius, grid)
    return (wrong, 1) if wrong.sum() >= 4 and wrong.sum() < has.sum() else None


def _nothing(has: BoolArray, _truth: MaskArray, _grid: Grid, _rng: np.random.Generator) -> _Made:
    return has, 1


KINDS: Mapping[str, Callable[[BoolArray, MaskArray, Grid, np.random.Generator], _Made]] = {
    "bite": _bite,
    "hole": _hole,
    "object": _object,
    "slice": _slice,
    "blob": _blob,
    "bump": _bump,
    "nothing": _nothing,
}
"""A bite out of the border, a hole, a whole object or slice missing, a false blob, a false bump at the border, no mistake at all."""


def _voxel(wrong: BoolArray, grid: Grid, where: str, rng: np.random.Generator) -> tuple[int, int, int]:
    depth = _depth(wrong, grid)
    wished = {"centre": depth >= depth.max() - 1e-9, "random": wrong, "edge": wrong & (depth <= depth[wrong].min() + 1e-9)}[where]
    places = np.argwhere(wished)
    i, j, k = places[int(rng.integers(len(places)))].tolist()
    return i, j, k


def _depth(inside: BoolArray, grid: Grid) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    from scipy import ndimage

    depth: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = ndimage.distance_transform_edt(inside, sampling=grid.spacing_mm)
    return depth


def _ball(at: np.ndarray[tuple[int], np.dtype[np.int64]], radius_mm: float, grid: Grid) -> BoolArray:
    away = [np.square((np.arange(n) - a) * mm) for n, a, mm in zip(grid.shape, at, grid.spacing_mm, strict=True)]
    ball: BoolArray = away[0][:, None, None] + away[1][:, None] + away[2] <= radius_mm**2
    return ball


def _finest(grid: Grid) -> float:
    return min(mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True) if n > 1)
