"""Marks as a careful person would give them of a case whose truth is known, and the seconds they take by a stated model.

Sources of the seconds: `medloop.interaction.simulated_users.effort`; a tag is 1 s a label (Bearman et al. 2016, arXiv:1506.02106), and a
free-form scribble 10.9 s an object (the same). Every slice that is marked is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np

from medloop.core.arrays import BoolArray, ImageArray, IntArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Grid, triple
from medloop.core.settings import GivenKind as GivenKind
from medloop.interaction.prompts import Box, ExtremePoints, Point, Scribble
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.weak.marks import Mark, Tag
from medloop.interaction.weak.superpixels import superpixel_mark, superpixels_of

GIVEN_KINDS: tuple[GivenKind, ...] = get_args(GivenKind)

TAG_SECONDS, SCRIBBLE_SECONDS, FURTHER_POINT_SECONDS = 1.0, 10.9, 0.9
"""Of one label of an image, of one object, and of each point after the first of its kind on a slice (arXiv:1506.02106)."""

BACKGROUND_POINTS = 4
"""Points of background per slice, where points are given."""

PURE = 0.9
"""Share of a superpixel that is of a label where a person gives it to that label."""

FEWEST = 4
"""Smaller patches of a label on a slice get no mark, as nobody sees them at a glance."""


@dataclass(frozen=True)
class GivenMarks:
    """Marks of one case and the seconds that they took."""

    marks: tuple[Mark, ...]
    seconds: float


def simulated_marks(
    truth: MaskArray,
    grid: Grid,
    kind: GivenKind,
    labels: tuple[int, ...],
    rng: np.random.Generator,
    *,
    effort: EffortModel | None = None,
    image: ImageArray | None = None,
) -> GivenMarks:
    """Marks of one kind on every slice across the axis of the widest spacing; for tags of the whole image.

    Args:
        truth: Label values, shape (I, J, K).
        grid: Of the image.
        kind: Any but "mask".
        labels: The task's label values.
        rng: Draws where points lie.
        effort: Of the seconds; None takes the stated model.
        image: Of the case, shape (C, I, J, K); superpixels follow it, and cannot be given without.

    Raises:
        InputError: Superpixels without an image.
    """
    model = effort or EffortModel()
    if kind == "tags":
        return GivenMarks(tuple(Tag(label, bool((truth == label).any())) for label in labels), TAG_SECONDS * len(labels))
    if kind == "superpixels":
        return _superpixels(truth, grid, image, labels, model)
    marks, slices = list[Mark](), 0
    for axis, index, plane in _slices(truth, grid):
        own = [mark for label in labels for mark in _of_label(plane == label, label, axis, index, kind, rng)]
        if kind in ("scribbles", "points"):
            own += _background(plane, axis, index, kind, rng)
        marks += own
        slices += 1
    if kind in ("boxes", "extreme-points"):
        marks += [Tag(label, False) for label in labels if not (truth == label).any()]
    marks = marks or [Tag(label, False) for label in labels]
    quicker = (BACKGROUND_POINTS - 1) * slices * (model.click - FURTHER_POINT_SECONDS) if kind == "points" else 0.0
    return GivenMarks(tuple(marks), sum(_seconds(mark, model) for mark in marks) + model.slice_viewed * slices - quicker)


def _superpixels(truth: MaskArray, grid: Grid, image: ImageArray | None, labels: tuple[int, ...], model: EffortModel) -> GivenMarks:
    """Clicks on the superpixels that are all but wholly of one label or of none, on every slice that holds a label."""
    if image is None:
        raise InputError("Superpixels follow an image, got none", remedy="give the case's image")
    marks, clicks, slices = list[Mark](), 0.0, 0
    for axis, index, plane in _slices(truth, grid):
        slices += 1
        if not np.isin(plane, labels).any():
            continue
        numbers, n = superpixels_of(image, grid, axis=axis, index=index), 0
        for label in (0, *labels):
            for number in _pure(numbers, plane == label) if label else _beside(numbers, plane):
                marks.append(superpixel_mark(numbers, number, label, shape=truth.shape, axis=axis, index=index))
                n += 1
        clicks += model.click + max(0, n - 1) * FURTHER_POINT_SECONDS if n else 0.0
    absent = [Tag(label, False) for label in labels if not (truth == label).any()]
    found = (*marks, *absent) if marks or absent else tuple(Tag(label, True) for label in labels)
    tags = TAG_SECONDS * (len(found) - len(marks))
    return GivenMarks(found, clicks + tags + model.slice_viewed * slices)


def _pure(numbers: IntArray, own: BoolArray) -> list[int]:
    """Numbers of the superpixels that a person would give a label: nearly all of each is of it."""
    inside, all_of = np.bincount(numbers[own], minlength=numbers.max() + 1), np.bincount(numbers.ravel())
    return [int(n) for n in np.flatnonzero(inside >= PURE * np.maximum(all_of, 1))]


def _beside(numbers: IntArray, plane: MaskArray) -> list[int]:
    """Some superpixels of background, the nearest to structures: as many as there are points of background on a slice."""
    from scipy import ndimage

    gap = ndimage.distance_transform_edt(plane == 0)
    empty = [n for n in _pure(numbers, plane == 0) if not plane[numbers == n].any()]
    return sorted(empty, key=lambda n: (float(gap[numbers == n].mean()), n))[:BACKGROUND_POINTS]


def _seconds(mark: Mark, model: EffortModel) -> float:
    if isinstance(mark, Tag):
        return TAG_SECONDS
    return SCRIBBLE_SECONDS if isinstance(mark, Scribble) else model.prompt_seconds(mark)  # type: ignore[arg-type]  # superpixels are clicks


def mask_seconds(truth: MaskArray, grid: Grid, model: EffortModel | None = None) -> float:
    """Seconds of drawing every outline of a mask freely, by the same model."""
    model, total = model or EffortModel(), 0.0
    for _, _, plane in _slices(truth, grid):
        total += model.slice_viewed
        for label in np.unique(plane[plane > 0]):
            total += model.outline * int((_own(plane == label) & ~_eroded(plane == label, 1)).sum())
    return total


def _slices(truth: MaskArray, grid: Grid) -> Iterator[tuple[int, int, MaskArray]]:
    """The slices across the axis of the widest spacing (of a picture: its only one): axis, index and plane."""
    axis = 2 if grid.shape[2] == 1 else int(np.argmax(grid.spacing_mm))
    for index in range(truth.shape[axis]):
        yield axis, index, np.take(truth, index, axis=axis)


def _of_label(plane: BoolArray, label: int, axis: int, index: int, kind: GivenKind, rng: np.random.Generator) -> Iterator[Mark]:
    from scipy import ndimage

    patches, count = ndimage.label(plane, structure=np.ones((3, 3)))
    for n in range(1, count + 1):
        patch = patches == n
        if kind in ("boxes", "extreme-points"):
            yield _box(patch, label, axis, index) if kind == "boxes" else _extremes(patch, label, axis, index)
        elif patch.sum() >= FEWEST:
            yield _scribble(patch, label, axis, index) if kind == "scribbles" else _point(patch, label, axis, index, rng)


def _background(plane: MaskArray, axis: int, index: int, kind: GivenKind, rng: np.random.Generator) -> Iterator[Mark]:
    """Background: a stroke around everything, at some distance, or some points."""
    from scipy import ndimage

    nothing = plane == 0
    if not nothing.any():
        return
    if kind == "points":
        places = np.argwhere(_eroded(nothing, 2)) if _eroded(nothing, 2).any() else np.argwhere(nothing)
        for place in rng.permutation(places)[:BACKGROUND_POINTS]:
            yield Point(_voxel(place, axis, index), 0)
        return
    if nothing.all():
        place = np.argwhere(nothing)
        rows = place[place[:, 0] == plane.shape[0] // 2]
        yield Scribble(tuple(_voxel(p, axis, index) for p in rows), 0)
        return
    gap = ndimage.distance_transform_edt(nothing)
    far = max(2.0, 0.08 * max(plane.shape))
    ring = (gap >= min(far, gap.max() * 0.6)) & (gap < min(far, gap.max() * 0.6) + 1)
    yield Scribble(tuple(_voxel(p, axis, index) for p in np.argwhere(ring)), 0)


def _scribble(patch: BoolArray, label: int, axis: int, index: int) -> Scribble:
    """A stroke along the middle of a structure; it stops short of its ends."""
    from skimage.morphology import skeletonize

    line = skeletonize(patch) & _own(_eroded(patch, 1))  # type: ignore[no-untyped-call]  # skimage has no types here
    line = line if line.any() else _deepest(patch)
    return Scribble(tuple(_voxel(p, axis, index) for p in np.argwhere(line)), label)


def _point(patch: BoolArray, label: int, axis: int, index: int, rng: np.random.Generator) -> Point:
    """A click well inside."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(patch, 1))[1:-1, 1:-1]
    inner = np.argwhere(depth >= 0.7 * depth.max())
    return Point(_voxel(inner[int(rng.integers(len(inner)))], axis, index), label)


def _box(patch: BoolArray, label: int, axis: int, index: int) -> Box:
    places = np.argwhere(patch)
    return Box(_voxel(places.min(axis=0), axis, index), _voxel(places.max(axis=0) + 1, axis, index + 1), label)


def _extremes(patch: BoolArray, label: int, axis: int, index: int) -> Mark:
    places = np.argwhere(patch)
    ends = [places[int(pick(places[:, a]))] for a in (0, 1) for pick in (np.argmin, np.argmax)]
    voxels = tuple(dict.fromkeys(_voxel(p, axis, index) for p in ends))
    return ExtremePoints(voxels, label) if len(voxels) > 1 else _box(patch, label, axis, index)


def _deepest(patch: BoolArray) -> BoolArray:
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(patch, 1))[1:-1, 1:-1]
    found: BoolArray = depth >= depth.max()
    return found


def _eroded(plane: BoolArray, steps: int) -> BoolArray:
    from scipy import ndimage

    found: BoolArray = ndimage.binary_erosion(plane, iterations=steps)
    return found


def _own(plane: BoolArray) -> BoolArray:
    """Itself where it holds anything, else everything: an erosion that left nothing rules nothing out."""
    return plane if plane.any() else np.ones_like(plane)


def _voxel(place: np.ndarray[tuple[int, ...], np.dtype[np.int64]], axis: int, index: int) -> tuple[int, int, int]:
    return triple(np.insert(place, axis, index))
