"""How simulated annotators err: good, too large, too small, careless, at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medloop.core.arrays import FloatArray, MaskArray

THICKER = 6.0
"""Distances count slices as so many pixels apart: outlines are drawn slice by slice."""


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
