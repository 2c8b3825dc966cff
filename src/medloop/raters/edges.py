"""How well outlines lie on edges of the image: evidence of skill that does not depend on what most annotators say.

Agreement cannot tell a careful annotator from a majority that errs alike. The image can: an outline on the border of an object runs along
voxels where the image changes much, one beside it along voxels where it changes little. The figure is relative to the other annotators
of the same case, so that a case with faint borders costs nobody.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray, MaskArray
from medloop.core.errors import ShapeError
from medloop.raters.fused import CONFIDENCE
from medloop.raters.local_fusion import grey_values
from medloop.raters.mask_skill import Rate
from medloop.raters.shape_fusion import checked_spacing
from medloop.raters.stack import stack_masks

WIDTH_VOXELS = 2.0
"""Standard deviation of the smoothing of the image, in voxels of the finest axis: an outline that is a voxel off still lies on the edge."""


def edge_strengths(
    masks: Sequence[MaskArray], labels: Sequence[int], *, image: ImageArray, spacing_mm: Sequence[float], width_mm: float | None = None
) -> FloatArray:
    """Mean change of the image along the outlines of each annotator, over that of the median annotator of the case.

    Args:
        masks: One per annotator, integer label values, equal shapes (I, J, K) or (I, J); 255 where a voxel is not annotated.
        labels: Foreground labels of the task.
        image: Intensities, shape (channels, then the axes of the masks).
        spacing_mm: Distance of neighbours along each axis, mm.
        width_mm: Standard deviation of the smoothing; by default two voxels of the finest axis.

    Returns:
        Shape (annotators,): 1 as the median, above 1 on stronger edges; NaN for one who drew nothing, or where the image is flat.

    Raises:
        ShapeError, InputError, LabelError: As for `locally_weighted`.
        SettingError: Not one positive spacing per axis.

    Source: gradient along the contour as in geodesic active contours, Caselles et al. 1997, doi:10.1023/A:1007979827043, equation 15.
    """
    from scipy import ndimage

    stack = stack_masks(masks, labels)
    spacing = checked_spacing(spacing_mm, stack.shape)
    width = WIDTH_VOXELS * min(spacing) if width_mm is None else width_mm
    widths = [width / s if n > 1 else 0.0 for s, n in zip(spacing, stack.shape, strict=True)]
    grey = grey_values(image, stack.shape)
    slopes = np.sqrt(sum(_slope(channel, widths, spacing) for channel in grey))
    cross = ndimage.generate_binary_structure(len(stack.shape), 1)
    found = np.full(len(stack.masks), np.nan)
    for n, mask in enumerate(stack.masks):
        border = np.isin(mask, stack.labels[1:]) & (ndimage.minimum_filter(mask, footprint=cross) != mask)
        found[n] = slopes[border].mean() if border.any() else np.nan
    usual = np.nanmedian(found) if np.isfinite(found).any() else 0.0
    return found / usual if usual > 0 else np.full_like(found, np.nan)


def skill_by_image(dice: Sequence[float], edges: Sequence[float]) -> Rate:
    """Skill of one annotator by both kinds of evidence, what the others drew and what the image shows.

        skill = 1 − √mean((1 − Dice)²) / mean edges

    The root of the mean square counts a gross error for more than many slight ones: somebody who now and then outlines something else
    is less skilled than somebody who is always a voxel off. Edges twice as strong stand for half the error.

    Args:
        dice: Of each case's mask with the fused one, 0..1, shape (cases,), at least one.
        edges: Of the same cases, from `edge_strengths`; NaN where there is none.

    Returns:
        0..1, with a 90 % interval from five cases on; None without any edge.

    Raises:
        ShapeError: Not one of each per case, or no case.

    Source: interval of a ratio by its linearisation (delta method), over cases.
    """
    from medloop.metrics.intervals import mean_over_cases

    if len(dice) != len(edges) or not len(dice):
        raise ShapeError(f"One Dice and one edge strength per case are needed, at least one, got {len(dice)} and {len(edges)}")
    along, known = np.asarray(edges, dtype=np.float64), np.isfinite(edges)
    if not known.any() or not along[known].mean() > 0:
        return Rate(None)
    squares, strong = (1.0 - np.asarray(dice, dtype=np.float64)) ** 2, float(along[known].mean())
    error = float(np.sqrt(squares.mean())) / strong
    bends = squares / squares.mean() if squares.any() else np.ones(len(squares))
    leans = np.where(known, along, strong) / strong
    found = mean_over_cases(1.0 - error * (1.0 + (bends - 1.0) / 2.0 - (leans - 1.0)), confidence=CONFIDENCE)
    low, high = (None if end is None else float(np.clip(end, 0.0, 1.0)) for end in (found.low, found.high))
    return Rate(max(found.mean, 0.0), low, high)


def _slope(channel: FloatArray, widths: Sequence[float], spacing: Sequence[float]) -> FloatArray:
    """Squared change per mm of the smoothed image."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(channel, widths)
    steep = [np.gradient(smooth, s, axis=a) ** 2 for a, s in enumerate(spacing) if smooth.shape[a] > 1]
    return np.asarray(sum(steep, np.zeros_like(smooth)))
