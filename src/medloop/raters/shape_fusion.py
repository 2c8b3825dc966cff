"""One mask from several by averaging shapes: at each voxel the label whose border, on average, lies deepest inside.

A vote counts heads and loses thin parts on which the annotators agree but for a voxel; distances in millimetres keep them.
"""

import math
from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, MaskArray
from medloop.core.errors import SettingError
from medloop.raters.fused_mask import FusedMask, fuse_mask
from medloop.raters.stack import Stack, stack_masks


def shape_based(masks: Sequence[MaskArray], labels: Sequence[int], *, spacing_mm: Sequence[float]) -> FusedMask:
    """The label with the smallest mean signed distance over the annotators; of equal ones the lowest.

    Args:
        masks: One per annotator, integer label values, equal shapes (I, J, K) or (I, J). A voxel that is not annotated (255)
            lies outside every label of that annotator.
        labels: Foreground labels of the task.
        spacing_mm: Distance of neighbours along each axis, mm.

    Returns:
        Probabilities take the border for normally distributed around the mean distance, with the standard deviation of the
        annotators' distances at that voxel, at least half a voxel; the mask does not depend on that.

    Raises:
        ShapeError, InputError, LabelError: As for `majority_mask`.
        SettingError: Not one positive spacing per axis.

    Source: Rohlfing and Maurer 2007, doi:10.1109/TIP.2006.884936, section II; a label that an annotator lacks counts as far
        away as the box of all foreground is wide.
    """
    from scipy import special

    stack = stack_masks(masks, labels)
    spacing = checked_spacing(spacing_mm, stack.shape)
    if not len(stack.disputed):
        return fuse_mask("shape_based", stack, np.zeros((0, len(stack.labels))))
    distances = _distances(stack, spacing)
    spread = np.maximum(distances.std(axis=0).max(axis=1, keepdims=True), min(spacing) / 2)
    chances = special.ndtr(-distances.mean(axis=0) / spread) + np.finfo(np.float64).tiny
    rows = chances / chances.sum(axis=1, keepdims=True)
    return fuse_mask("shape_based", stack, rows, row_of=np.arange(len(rows)))


def checked_spacing(spacing_mm: Sequence[float], shape: Sequence[int]) -> list[float]:
    """One distance of neighbours per axis, mm.

    Raises:
        SettingError: More or fewer, or one that is not positive.
    """
    spacing = [float(s) for s in spacing_mm]
    if len(spacing) != len(shape) or not all(math.isfinite(s) and s > 0 for s in spacing):
        raise SettingError(f"One positive spacing per axis is needed, {len(shape)} in all, got {list(spacing_mm)}")
    return spacing


def _distances(stack: Stack, spacing: list[float]) -> FloatArray:
    """Signed distance of each disputed voxel to the border of each label in mm, negative inside, shape (annotators, disputed, labels)."""
    box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in stack.box)
    places = tuple(p - s.start for p, s in zip(np.unravel_index(stack.disputed, stack.shape), box, strict=True))
    far = math.dist([0.0] * len(spacing), [s * (b.stop - b.start) for s, b in zip(spacing, box, strict=True)])
    found = np.empty((len(stack.masks), len(stack.disputed), len(stack.labels)), dtype=np.float32)
    for a, mask in enumerate(stack.masks):
        for n, label in enumerate(stack.labels[1:], start=1):
            found[a, :, n] = _signed(mask[box] == label, spacing, far)[places]
        binary = len(stack.labels) == 2  # then the background is what lies outside the one label
        found[a, :, 0] = -found[a, :, 1] if binary else _signed(mask[box] == 0, spacing, far)[places]
    return found


def _signed(inside: BoolArray, spacing: list[float], far: float) -> FloatArray:
    """Distance to the border, negative inside; `far` where there is none."""
    from scipy import ndimage

    if not inside.any() or inside.all():
        return np.full(inside.shape, -far if inside.all() else far)
    outwards = ndimage.distance_transform_edt(~inside, sampling=spacing)
    inwards = ndimage.distance_transform_edt(inside, sampling=spacing)
    return np.asarray(outwards - inwards)
