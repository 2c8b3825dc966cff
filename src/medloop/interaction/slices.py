"""From slices that are done to slices that are not: filling in between, and going on to the next one.

Between two slices the signed distance to each label's outline is interpolated; beyond the last one, the same distance, shifted by what
the grey values inside and around the label say, is cut along the edges of the image.

Source: Raya and Udupa 1990, doi:10.1109/42.52980, for interpolation by distance.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, MaskArray
from medloop.core.errors import InputError, ShapeError
from medloop.core.image import Image
from medloop.interaction.mincut import cut_labels
from medloop.interaction.prompts import HintedVoxels

FAR_MM = 6.0
"""How far beyond the outline before the next slice is sure not to hold the label, when nothing else is known."""

BAND_MM = 2.0
"""Around the outline, grey values decide; elsewhere the neighbouring slice does."""

GREY = 0.5
"""Weight of the grey values against the distance: neighbouring voxels say much the same thing. Chosen on hippocampus MR."""

SMOOTHNESS = 0.3
"""Of the cut; less than for a whole mask, because the distance is smooth already. Chosen likewise."""


def interpolate_slices(mask: MaskArray, axis: int, done: Sequence[int], *, spacing_mm: Sequence[float] = (1.0, 1.0, 1.0)) -> MaskArray:
    """Fill the slices between those that are done; a label that ends in between shrinks to nothing halfway.

    Args:
        mask: Label values, shape (I, J, K); only the slices that are done are read.
        axis: The one slices are perpendicular to.
        done: Numbers of these slices, at least one.
        spacing_mm: Of the voxels.

    Returns:
        The mask with the slices in between filled, those done as they are, and those beyond the first and last untouched.

    Raises:
        InputError: No slice, or one that does not exist.
    """
    _require_slices(mask, axis, done)
    filled, known = np.moveaxis(mask.copy(), axis, 0), sorted(set(done))
    flat_mm = [mm for a, mm in enumerate(spacing_mm) if a != axis]
    for first, last in pairwise(known):
        if last - first > 1:
            _fill(filled, first, last, flat_mm)
    return np.moveaxis(filled, 0, axis)


def propagate_slice(image: Image, mask: MaskArray, axis: int, index: int, towards: int) -> MaskArray:
    """Carry a slice that is done on to a neighbour.

    Args:
        image: The case.
        mask: Label values, shape (I, J, K); only slice `index` is read.
        axis: The one slices are perpendicular to.
        index: The slice that is done.
        towards: The slice to fill; usually `index` + 1 or - 1.

    Returns:
        The mask with that slice filled; empty where the slice that is done is empty.

    Raises:
        InputError: A slice that does not exist, or the same one twice.
        ShapeError: Image and mask of different shapes.
    """
    if image.array.shape[1:] != mask.shape:
        raise ShapeError(f"The mask must have the image's shape {image.array.shape[1:]}, got {mask.shape}")
    _require_slices(mask, axis, (index, towards))
    if index == towards:
        raise InputError(f"A slice is carried on to another one, got slice {index} twice")
    spacing = image.grid.spacing_mm
    flat_mm = [mm for a, mm in enumerate(spacing) if a != axis]
    source = np.take(mask, index, axis=axis)
    labels = [int(label) for label in np.unique(source) if label]
    found = np.zeros_like(source)
    if labels:
        here, there = (np.take(image.array, [n], axis=axis + 1).astype(np.float64) for n in (index, towards))
        probabilities = _guess(source, labels, np.squeeze(here, axis + 1), np.squeeze(there, axis + 1), flat_mm)
        nothing = HintedVoxels(np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3), dtype=np.int64))
        expanded = np.expand_dims(probabilities, axis + 1).astype(np.float32)
        chosen = cut_labels(expanded, _normalised(there), [nothing] * len(labels), spacing, smoothness=SMOOTHNESS)
        found = np.array([0, *labels], dtype=np.uint8)[np.squeeze(chosen, axis)]
    filled = np.moveaxis(mask.copy(), axis, 0)
    filled[towards] = found
    return np.moveaxis(filled, 0, axis)


def depth_mm(inside: BoolArray, spacing_mm: Sequence[float]) -> FloatArray:
    """Distance of each pixel's centre to the outline, positive inside; half a pixel beside it.

    Args:
        inside: Shape (A, B), not empty.
        spacing_mm: Of the pixels.
    """
    from scipy import ndimage

    half = 0.5 * min(spacing_mm)
    within: FloatArray = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing_mm)[1:-1, 1:-1]
    without: FloatArray = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    return np.where(inside, within - half, half - without)


def _fill(filled: MaskArray, first: int, last: int, flat_mm: Sequence[float]) -> None:
    labels = [int(label) for label in np.union1d(filled[first], filled[last]) if label]
    if not labels:
        filled[first + 1 : last] = 0
        return
    pairs = [_both(filled[first] == label, filled[last] == label, flat_mm) for label in labels]
    for n in range(first + 1, last):
        share = (n - first) / (last - first)
        depths = np.stack([(1 - share) * one + share * other for one, other in pairs])
        values = np.array(labels, dtype=np.uint8)[depths.argmax(axis=0)]
        filled[n] = np.where(depths.max(axis=0) > 0, values, np.uint8(0))


def _both(one: BoolArray, other: BoolArray, flat_mm: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Depths at both ends; where a label is missing at one, it is as far outside there as it is deep at the other."""
    if not one.any():
        depth = depth_mm(other, flat_mm)
        return np.full_like(depth, -depth.max()), depth
    if not other.any():
        depth = depth_mm(one, flat_mm)
        return depth, np.full_like(depth, -depth.max())
    return depth_mm(one, flat_mm), depth_mm(other, flat_mm)


def _guess(source: MaskArray, labels: Sequence[int], here: FloatArray, there: FloatArray, flat_mm: Sequence[float]) -> FloatArray:
    """Probabilities of background and each label on the next slice, shape (1 + labels, A, B)."""
    logits = []
    for label in labels:
        inside = source == label
        depth = depth_mm(inside, flat_mm)
        near = np.abs(depth) <= BAND_MM
        logits.append(np.where(near, depth + GREY * _grey(here, there, inside, near & ~inside), depth * FAR_MM / BAND_MM))
    weights = np.exp(np.clip(np.stack([np.zeros(source.shape), *logits]), -20, 20))
    shares: FloatArray = weights / weights.sum(axis=0)
    return shares


def _grey(here: FloatArray, there: FloatArray, inside: BoolArray, around: BoolArray) -> FloatArray:
    """Log likelihood ratio of inside to around, summed over channels, from their means and spreads on the slice that is done."""
    if around.sum() < 2 or inside.sum() < 2:
        return np.zeros(inside.shape)
    total = np.zeros(inside.shape)
    for before, now in zip(here, there, strict=True):
        total += _log_normal(now, before[inside]) - _log_normal(now, before[around])
    return np.clip(total, -4, 4)


def _log_normal(values: FloatArray, seen: FloatArray) -> FloatArray:
    spread = max(float(seen.std()), 1e-3 * max(float(np.abs(seen).max()), 1e-6))
    density: FloatArray = -0.5 * ((values - seen.mean()) / spread) ** 2 - np.log(spread)
    return density


def _normalised(values: FloatArray) -> npt.NDArray[np.float32]:
    axes = tuple(range(1, values.ndim))
    spread = np.maximum(values.std(axis=axes, keepdims=True), 1e-6)
    scaled: npt.NDArray[np.float32] = ((values - values.mean(axis=axes, keepdims=True)) / spread).astype(np.float32)
    return scaled


def _require_slices(mask: MaskArray, axis: int, slices: Sequence[int]) -> None:
    if not len(slices) or not all(0 <= n < mask.shape[axis] for n in slices):
        raise InputError(f"Slices across axis {axis} are numbered 0..{mask.shape[axis] - 1}, got {list(slices)[:8]}")
