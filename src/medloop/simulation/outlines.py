"""How simulated annotators err: good, too large, too small, careless, at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.image import Mask
from medloop.quality.corruption import smooth_noise

THICKER = 6.0
"""Distances count slices as so many pixels apart: outlines are drawn slice by slice."""

WAVE_VOXELS = 3.0
"""Correlation length of a wrong outline: people stray over several voxels, not in single ones."""


@dataclass(frozen=True)
class Outline:
    """How one simulated annotator draws, in shares of the object's radius.

    Attributes:
        growth: How far every border is drawn outside (negative: inside).
        waver: Standard deviation of the border around that.
        random: Draws where chance says, not where the object is.
    """

    growth: float
    waver: float
    random: bool = False


def outline_depths(truth: MaskArray, labels: Sequence[int]) -> FloatArray:
    """Signed distance of each voxel to each label's border in pixels, positive inside, shape (labels, …)."""
    sampling = (1.0, 1.0, THICKER)[: truth.ndim]
    found = []
    for label in labels:
        inside = truth == label
        if not inside.any():
            found.append(np.full(truth.shape, -1e3, dtype=np.float32))
            continue
        inwards = ndimage.distance_transform_edt(inside, sampling=sampling)
        found.append((inwards - ndimage.distance_transform_edt(~inside, sampling=sampling)).astype(np.float32))
    return np.stack(found)


def draw_mask(outline: Outline, truth: MaskArray, labels: Sequence[int], depths: FloatArray, rng: np.random.Generator) -> MaskArray:
    """One mask by one annotator.

    Args:
        outline: How they draw.
        truth: Label values, shape (I, J) or (I, J, K).
        labels: Foreground labels.
        depths: Of the truth, from `outline_depths`.
        rng: Source of the waver.
    """
    radius = float(np.sqrt(np.count_nonzero(truth) / (np.pi * (truth.shape[2] if truth.ndim == 3 else 1))))
    values = np.array(labels, dtype=np.uint8)
    if outline.random:
        fields = np.stack([_smooth(rng, truth.shape) for _ in labels])
        best, share = fields.max(axis=0), np.count_nonzero(truth) / truth.size
        return np.where(best > np.quantile(best, 1 - share), values[fields.argmax(axis=0)], np.uint8(0))
    moved = np.stack([depth + radius * (outline.growth + outline.waver * _smooth(rng, truth.shape)) for depth in depths])
    return np.where(moved.max(axis=0) > 0, values[moved.argmax(axis=0)], np.uint8(0))


def _smooth(rng: np.random.Generator, shape: Sequence[int]) -> FloatArray:
    """A smooth random field of unit variance, some six waves across."""
    coarse = rng.normal(size=[min(n, 8) for n in shape])
    field = ndimage.zoom(coarse, [n / c for n, c in zip(shape, coarse.shape, strict=True)], order=1)
    return np.asarray(field / field.std(), dtype=np.float32)


def with_wrong_outlines(mask: Mask, error_mm: float, rng: np.random.Generator) -> MaskArray:
    """The mask with its outlines moved in and out by a smooth random amount.

    Every label's signed distance is shifted by noise of that standard deviation; where labels then compete, the
    deepest wins.

    Args:
        mask: The truth.
        error_mm: Standard deviation of the shift in mm; 0 gives the mask back.
        rng: Source of the noise.
    """
    labels = [value for value in mask.values() if value]
    if error_mm <= 0 or not labels:
        return mask.array
    waves = [WAVE_VOXELS] * mask.array.ndim
    depths = [
        _depth_mm(mask.array == value, mask.grid.spacing_mm) + error_mm * smooth_noise(mask.array.shape, waves, rng) for value in labels
    ]
    deepest = np.argmax(depths, axis=0)
    inside = np.max(depths, axis=0) > 0
    return np.where(inside, np.array(labels, dtype=np.uint8)[deepest], np.uint8(0))


def with_wrong_tag(tag: int, known: tuple[int, ...], error: float, rng: np.random.Generator) -> int:
    """The tag, or with the given chance another one."""
    others = [value for value in known if value != tag]
    return int(rng.choice(others)) if others and rng.random() < error else tag


def _depth_mm(inside: np.ndarray, spacing_mm: tuple[float, float, float]) -> FloatArray:
    """Distance to the outline, positive inside."""
    depth: FloatArray = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
    outside: FloatArray = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    half = half_voxel_mm(inside.shape, spacing_mm)
    return np.where(inside, depth - half, half - outside)


def half_voxel_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """How far the centres of voxels next to an outline are about away from it, in mm; an axis of one voxel has no outline across it."""
    return 0.5 * min((mm for n, mm in zip(shape, spacing_mm, strict=True) if n > 1), default=1.0)
