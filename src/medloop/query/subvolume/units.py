"""Query units below the case: which slice or box of a volume to query.

Each function ranks parts of a voxel map of scores, shape (I, J, K), highest first; `medloop.query.subvolume.planes` does the same
for planes of any orientation. Ties go to the part that comes first in file order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import SupportsInt

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError, ShapeError
from medloop.query.uncertainty.aggregation import box_means
from medloop.query.uncertainty.voxels import finite_map


@dataclass(frozen=True)
class SliceUnit:
    """One slice.

    Attributes:
        axis: 0, 1 or 2: the axis the slice is perpendicular to.
        index: Its place along that axis.
        score: Mean of the map over the slice.
    """

    axis: int
    index: int
    score: float


@dataclass(frozen=True)
class PatchUnit:
    """One box.

    Attributes:
        start: First voxel along I, J, K.
        stop: One past the last voxel along I, J, K.
        score: Mean of the map over the box.
    """

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    score: float


def rank_slices(score_map: FloatArray, count: int, *, axis: int = 2) -> list[SliceUnit]:
    """The slices with the highest mean.

    Args:
        score_map: Shape (I, J, K).
        count: How many; at most all along that axis.
        axis: Which axis the slices are perpendicular to, 0..2.

    Raises:
        ShapeError: Not three axes, or an empty map.
        InputError: NaN.
        SettingError: A negative count, or an axis outside 0..2.
    """
    values = checked_map(score_map, count)
    if axis not in (0, 1, 2):
        raise SettingError(f"An axis of a volume is 0, 1 or 2, got {axis}")
    means = values.mean(axis=tuple(n for n in range(3) if n != axis), dtype=np.float64)
    return [SliceUnit(axis, int(n), float(means[n])) for n in np.argsort(-means, kind="stable")[:count]]


def rank_patches(score_map: FloatArray, count: int, *, box: Sequence[int]) -> list[PatchUnit]:
    """Boxes with the highest mean that do not overlap: the best one, then the best one clear of it, and so on.

    Args:
        score_map: Shape (I, J, K).
        count: How many; fewer come back when no further box fits.
        box: Voxels along I, J, K, at least 1; cut to the map.

    Raises:
        ShapeError: Not three axes, or an empty map.
        InputError: NaN.
        SettingError: A negative count, or a box without voxels.

    Source: Lüth et al. 2025 (nnActive), arXiv:2511.19183, greedy choice of patches.
    """
    means = box_means(checked_map(score_map, count), box)
    sizes = [min(int(b), n) for b, n in zip(box, score_map.shape, strict=True)]
    found: list[PatchUnit] = []
    while len(found) < count and np.isfinite(means).any():
        start = np.unravel_index(int(np.argmax(means)), means.shape)
        stop = [int(a) + size for a, size in zip(start, sizes, strict=True)]
        found.append(PatchUnit(_voxel(start), _voxel(stop), float(means[start])))
        means[tuple(slice(max(int(a) - size + 1, 0), int(a) + size) for a, size in zip(start, sizes, strict=True))] = -np.inf
    return found


def checked_map(score_map: FloatArray, count: int = 0) -> FloatArray:
    """The map, if it is one of a volume.

    Raises:
        ShapeError: Not three axes, or an empty map.
        InputError: NaN.
        SettingError: A negative count.
    """
    if score_map.ndim != 3 or not score_map.size:
        raise ShapeError(f"A map of a volume has axes (I, J, K) and at least one voxel, got shape {score_map.shape}")
    if count < 0:
        raise SettingError(f"The number of units to choose must be 0 or more, got {count}")
    return finite_map(score_map)


def _voxel(numbers: Iterable[SupportsInt]) -> tuple[int, int, int]:
    i, j, k = (int(n) for n in numbers)
    return i, j, k
