"""One mask from several by votes that weigh differently from place to place: who fits the image around a voxel counts more there.

The published method compares the image with that of each atlas. Annotators of one case share its image; what differs is what each mask
says of it: one grey value per label, around the voxel. The squared distance of the image to that takes the place of the distance of
two images, so a border on the edge weighs more than one beside it. Without an image the mean label of the other annotators takes its
place. Only the box around the foreground is looked at.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import UNKNOWN, FloatArray, ImageArray, MaskArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.raters.fused_mask import FusedMask, fuse_mask
from medloop.raters.shape_fusion import checked_spacing
from medloop.raters.stack import Stack, stack_masks

RADIUS_VOXELS = 3
"""Half the window, along the axis with the smallest spacing: what is nearer than that to a voxel is about its border."""

GAIN = 2.0
"""Exponent of the weights: votes are squared, inverse distances."""

LEAST_DISTANCE = 0.02
"""Added to distances, which lie within 0..1: nobody who fits perfectly by chance decides alone."""


def locally_weighted(
    masks: Sequence[MaskArray],
    labels: Sequence[int],
    *,
    spacing_mm: Sequence[float],
    image: ImageArray | None = None,
    radius_mm: float | None = None,
    gain: float = GAIN,
) -> FusedMask:
    """At each voxel the label with the most weight behind it; of equal ones the lowest.

    Args:
        masks: One per annotator, integer label values, equal shapes (I, J, K) or (I, J); 255 where a voxel is not annotated.
        labels: Foreground labels of the task.
        spacing_mm: Distance of neighbours along each axis, mm.
        image: Intensities, shape (channels, then the axes of the masks); None compares annotators with each other alone.
        radius_mm: Half the edge of the window around a voxel; by default three voxels along the finest axis.
        gain: Exponent of the weights, 0 or more; 0 makes it a majority.

    Returns:
        Probabilities are shares of the weights.

    Raises:
        ShapeError, InputError, LabelError: As for `majority_mask`, or an image of another shape or not finite.
        SettingError: Not one positive spacing per axis, a radius that is not positive, or a negative gain.

    Source: Artaechevarria et al. 2009, doi:10.1109/TMI.2009.2014372, section II-C: weights of locally weighted voting; the idea
        of a local weight per voter also in Sabuncu et al. 2010, doi:10.1109/TMI.2010.2050897.
    """
    stack = stack_masks(masks, labels)
    spacing = checked_spacing(spacing_mm, stack.shape)
    radius = RADIUS_VOXELS * min(spacing) if radius_mm is None else radius_mm
    if not (radius > 0 and gain >= 0):
        raise SettingError(f"radius_mm must be more than 0 and gain 0 or more, got {radius} and {gain}")
    if not len(stack.disputed):
        return fuse_mask("locally_weighted", stack, np.zeros((0, len(stack.labels))))
    window = [2 * max(int(radius / s), 0) + 1 for s in spacing]
    box = tuple(slice(max(b.start - w, 0), b.stop + w) for b, w in zip(stack.box, window, strict=True))
    places = np.stack(np.unravel_index(stack.disputed, stack.shape)) - np.array([[b.start] for b in box])
    grey = None if image is None else grey_values(image, stack.shape)[(slice(None), *box)]
    distances = _to_image(stack, box, window, grey) if grey is not None else _to_others(stack, box, window)
    weights = (np.stack([d[tuple(places)] for d in distances], axis=1) + LEAST_DISTANCE) ** -gain
    rows = _shares(stack, weights)
    return fuse_mask("locally_weighted", stack, rows, row_of=np.arange(len(rows)))


def _shares(stack: Stack, weights: FloatArray) -> FloatArray:
    """Share of each label's votes at each disputed voxel; weights of shape (disputed, annotators)."""
    given = stack.patterns.table[stack.pattern_of]
    found = np.stack([np.where(given == n, weights, 0.0).sum(axis=1) for n in range(len(stack.labels))], axis=1)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _to_image(stack: Stack, box: tuple[slice, ...], window: list[int], grey: FloatArray) -> list[FloatArray]:
    """Of each annotator the share of the variance around each voxel that one grey value per label leaves unexplained, 0..1."""

    def explained(inside: FloatArray) -> FloatArray:
        share = np.maximum(_mean(inside, window), 1e-9)
        return np.asarray(sum(_mean(channel * inside, window) ** 2 for channel in grey) / share)

    found: list[FloatArray] = []
    for mask in stack.masks:
        given = (mask[box] != UNKNOWN).astype(np.float64)
        power = sum(_mean(channel**2 * given, window) for channel in grey)
        left = power - sum(explained((mask[box] == label).astype(np.float64)) for label in stack.labels)
        found.append(np.clip(left / np.maximum(power - explained(given), 1e-12), 0.0, 1.0))
    return found


def _to_others(stack: Stack, box: tuple[slice, ...], window: list[int]) -> list[FloatArray]:
    """Of each annotator half the squared distance of the label to the mean label of the others around each voxel, 0..1."""
    marks = [np.stack([(mask[box] == label).astype(np.float64) for label in stack.labels]) for mask in stack.masks]
    total = np.sum(marks, axis=0)
    each = total.sum(axis=0)
    found: list[FloatArray] = []
    for own in marks:
        given = own.sum(axis=0)
        others = (total - own) / np.maximum(each - given, 1.0)
        both = ((given > 0) & (each > given)).astype(np.float64)
        apart = ((own - others) ** 2).sum(axis=0) / 2.0 * both
        found.append(_mean(apart, window) / np.maximum(_mean(both, window), 1e-9))
    return found


def _mean(values: FloatArray, window: list[int]) -> FloatArray:
    from scipy import ndimage

    return np.asarray(ndimage.uniform_filter(values, window, mode="nearest"))


def grey_values(image: ImageArray, shape: tuple[int, ...]) -> FloatArray:
    """The image, shape (channels, *shape), with channels of mean 0 and unit variance, so that none decides by its unit.

    Raises:
        ShapeError: Another shape.
        InputError: Intensities that are not finite.
    """
    if image.shape[1:] != shape:
        raise ShapeError(f"An image must lie on the grid of the masks, {shape}, got {image.shape[1:]}")
    found = image.astype(np.float64)
    if not np.isfinite(found).all():
        raise InputError("Intensities must be finite", remedy="write a number where there is NaN or infinity")
    axes = tuple(range(1, found.ndim))
    spread = found.std(axis=axes, keepdims=True)
    return np.asarray((found - found.mean(axis=axes, keepdims=True)) / np.where(spread > 0, spread, 1.0))
