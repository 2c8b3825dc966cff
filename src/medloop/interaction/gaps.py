"""How large the mistake is that a prompt points at, as far as the mask alone tells: the scale of what may change.

A click that corrects lies among voxels that are wrong. How far it is to the nearest voxel that is already as the click says
(its depth) bounds the mistake's half width from above, and whether such voxels lie around it tells a bite or a hole from a
structure that is missing as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.geometry import Grid
from medloop.interaction.prompts import Point, Prompt, exact_voxels
from medloop.interaction.regions import Voxels, finest_mm

ENCLOSED = 0.45
"""Share of directions, of 8 in a plane, that lead into the structure: a straight border fills 3 of 8, a bite more."""

TIMES_CHORD = 2.5
"""What is no wider than so many depths of a click is a gap between two parts, if these lie on both sides of it."""

MOST_VOXELS = 64
"""A stroke is told by so many of its voxels."""


@dataclass(frozen=True, eq=False)
class Gap:
    """What a prompt that the mask disobeys points at.

    Attributes:
        voxels: The prompt's voxels that are wrong, shape (n, 3).
        depth_mm: From the deepest of them to the nearest voxel that is as the prompt says; infinite where there is none.
        enclosed: Whether such voxels lie around it, within three times the depth.
    """

    voxels: Voxels
    depth_mm: float
    enclosed: bool


def wrong_voxels(prompt: Prompt, mask: MaskArray) -> Voxels:
    """The prompt's voxels that the mask disobeys, shape (n, 3)."""
    voxels = exact_voxels(prompt, mask.shape)
    has = mask[tuple(voxels.T)] == prompt.label
    wrong: Voxels = voxels[has != getattr(prompt, "positive", True)]
    return wrong


def gap_of(prompt: Prompt, mask: MaskArray, grid: Grid) -> Gap | None:
    """What a prompt points at; None when the mask obeys it."""
    voxels = wrong_voxels(prompt, mask)
    if not len(voxels):
        return None
    positive = getattr(prompt, "positive", True)
    asked = voxels if isinstance(prompt, Point) else voxels[:: max(1, len(voxels) // MOST_VOXELS)]
    depths = nearest_mm(mask, prompt.label, positive, asked, grid)
    if not np.isfinite(depths).all():
        return Gap(voxels, np.inf, False)
    depth, deepest = float(depths.max()), asked[int(depths.argmax())]
    return Gap(voxels, depth, _enclosed(mask, prompt.label, positive, deepest, depth, grid))


def nearest_mm(mask: MaskArray, label: int, positive: bool, voxels: Voxels, grid: Grid) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Distance of each voxel to the nearest one that has (or, if not `positive`, lacks) a label; looks as far as it must."""
    from scipy.spatial import cKDTree

    spacing = np.array(grid.spacing_mm)
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    reach_mm = 6 * finest_mm(grid.shape, grid.spacing_mm)
    while True:
        steps = np.ceil(reach_mm / spacing).astype(int)
        a, z = np.maximum(low - steps, 0), np.minimum(high + steps, mask.shape)
        part = mask[tuple(slice(x, y) for x, y in zip(a, z, strict=True))]
        places = np.argwhere(_border(part == label if positive else part != label))
        whole = bool((a == 0).all() and (z == mask.shape).all())
        if len(places):
            found = cKDTree((places + a) * spacing).query(voxels * spacing)[0]
            if whole or float(found.max()) <= reach_mm:
                return np.asarray(found, dtype=np.float64)
        elif whole:
            return np.full(len(voxels), np.inf)
        reach_mm *= 3


def between_parts(has: BoolArray, chord_mm: float, spacing_mm: Sequence[float]) -> BoolArray:
    """Where what is right lies on both sides along an axis, no further apart than a chord; shape of `has`, which counts too."""
    from scipy import ndimage

    found, there = has.copy(), has.astype(np.uint8)
    for axis, mm in enumerate(spacing_mm):
        length = min(int(chord_mm / mm) + 2, 2 * has.shape[axis] - 1)
        if has.shape[axis] < 3:
            continue
        length += 1 - length % 2
        line = ndimage.maximum_filter1d(there, length, axis=axis, mode="constant")
        found |= ndimage.minimum_filter1d(line, length, axis=axis, mode="constant", cval=1) > 0
    return found


def _border(inside: BoolArray) -> BoolArray:
    """Voxels with a face to the outside: only these can be the nearest to a voxel that lies there."""
    core = inside.copy()
    for axis in (axis for axis in range(3) if inside.shape[axis] > 2):
        within, has = np.moveaxis(core, axis, 0), np.moveaxis(inside, axis, 0)
        within[1:-1] &= has[:-2] & has[2:]
        within[[0, -1]] = False
    return inside & ~core


def _enclosed(mask: MaskArray, label: int, positive: bool, voxel: Voxels, depth_mm: float, grid: Grid) -> bool:
    """Whether most directions of some plane through a voxel, or both ways across a slice, lead to what is as the prompt says."""
    spacing, reach = np.array(grid.spacing_mm), 3 * depth_mm
    ways = [way for way in product(*((-1, 0, 1) if n > 1 else (0,) for n in grid.shape)) if any(way)]
    hits = {way: _meets(mask, label, positive, voxel, np.array(way), spacing, reach) for way in ways}
    for normal in range(3):
        plane = [way for way in hits if way[normal] == 0]
        if len(plane) == 8 and np.mean([hits[way] for way in plane]) >= ENCLOSED:
            return True
    return any(hits[way] and hits[tuple(-step for step in way)] for way in ways if np.abs(way).sum() == 1)


def _meets(
    mask: MaskArray, label: int, positive: bool, voxel: Voxels, way: Voxels, spacing: Sequence[float] | Voxels, reach_mm: float
) -> bool:
    step_mm = float(np.linalg.norm(way * np.array(spacing)))
    places = voxel + np.arange(1, max(1, int(reach_mm / step_mm)) + 1)[:, None] * way
    places = places[((places >= 0) & (places < mask.shape)).all(axis=1)]
    return bool(((mask[tuple(places.T)] == label) == positive).any())
