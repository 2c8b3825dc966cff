"""Query units below the case: which slice, box or superpixel of a volume to query.

Each function ranks parts of a voxel map of scores, shape (I, J, K), highest first; `medloop.query.subvolume.planes` does the same
for planes of any orientation. Ties go to the part that comes first in file order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import SupportsInt

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray, IntArray
from medloop.core.errors import SettingError, ShapeError
from medloop.query.uncertainty.aggregation import box_means
from medloop.query.uncertainty.voxels import finite_map

SUPERPIXEL_MM, SUPERPIXEL_PIXELS, SUPERPIXEL_SHARE = 10.0, 5, 0.05
"""Width of a superpixel: half of a region's, but of enough pixels for a shape, and a twentieth of a picture without a pixel size."""


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


def rank_superpixels(
    score_map: FloatArray, image: ImageArray, count: int, *, axis: int = 2, spacing_mm: Sequence[float] = (1.0, 1.0, 1.0)
) -> list[PatchUnit]:
    """The smallest boxes around the superpixels with the highest sum: the best one, then the best one without its voxels, and so on.

    Only the `count` slices with the highest mean are cut into superpixels (SLIC), about 10 mm wide, or 5 pixels, or a twentieth of the
    slice's longer side where these are more.

    Args:
        score_map: Shape (I, J, K), not negative.
        image: What the superpixels follow, shape (C, I, J, K).
        count: How many; fewer come back where the others' sums are 0.
        axis: Which axis the slices are perpendicular to, 0..2.
        spacing_mm: Distance between voxels along I, J, K, above 0.

    Raises:
        ShapeError: Not three axes, an empty map, or an image of another shape.
        InputError: NaN.
        SettingError: A negative count, or an axis outside 0..2.

    Source: Achanta et al. 2012, doi:10.1109/TPAMI.2012.120; as units of queries, Cai et al. 2021 (CVPR).
    """
    from scipy import ndimage

    if image.shape[1:] != score_map.shape:
        raise ShapeError(f"An image (C, I, J, K) must fit the map {score_map.shape}, got {image.shape}")
    indices = [unit.index for unit in rank_slices(score_map, count, axis=axis)]
    if not indices:
        return []
    left = np.moveaxis(score_map, axis, 0)[indices].astype(np.float64)
    mm = [step for n, step in enumerate(spacing_mm) if n != axis]
    numbers = np.stack([superpixels(np.take(image, index, axis=axis + 1), mm) for index in indices])
    numbers += np.cumsum([0, *numbers.max(axis=(1, 2))[:-1]])[:, None, None]  # no two slices share one
    sums, boxes, found = np.bincount(numbers.ravel(), left.ravel()), ndimage.find_objects(numbers), list[PatchUnit]()
    while len(found) < count and sums.max() > 1e-9:  # what rounding leaves of what was taken out
        box = boxes[int(np.argmax(sums)) - 1]
        start, stop = [a.start for a in box[1:]], [a.stop for a in box[1:]]
        start.insert(axis, indices[box[0].start])
        stop.insert(axis, indices[box[0].start] + 1)
        found.append(PatchUnit(_voxel(start), _voxel(stop), float(left[box].mean())))
        sums -= np.bincount(numbers[box].ravel(), left[box].ravel(), len(sums))
        left[box] = 0.0
    return found


def superpixels(image: ImageArray, spacing_mm: Sequence[float]) -> IntArray:
    """The number of every pixel's superpixel, from 1.

    Args:
        image: A slice, shape (C, rows, columns).
        spacing_mm: Distance between its rows and its columns, above 0.
    """
    from skimage.segmentation import slic

    sides = np.array(image.shape[1:]) * spacing_mm
    edge = max(SUPERPIXEL_MM, SUPERPIXEL_PIXELS * max(spacing_mm), SUPERPIXEL_SHARE * float(sides.max()))
    low, high = np.percentile(pixels := np.nan_to_num(image.astype(np.float64)), (1, 99), axis=(1, 2), keepdims=True)
    colours = np.moveaxis(np.clip((pixels - low) / np.maximum(high - low, 1e-12), 0.0, 1.0), 0, -1)
    wanted = max(1, round(float(sides.prod()) / edge**2))
    steps = np.divide(spacing_mm, min(spacing_mm))
    found: IntArray = slic(colours, wanted, compactness=0.3, sigma=1.0, spacing=steps, channel_axis=-1, start_label=1)
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
