"""A simulated expert who draws masks or mends proposals with a brush, slice by slice, and how long that takes.

People do not chase single voxels along an outline. An error counts as noticeable where it is at least two voxels thick on a
slice; then all of its patch is mended, and what is thinner stays as proposed. So answers made from proposals keep small errors,
as real ones do, and a model that learns from them is judged on the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, IntArray, MaskArray
from medloop.core.errors import InputError, ShapeError
from medloop.interaction.effort import EffortModel, boundary_length

UNKNOWN = 255
"""What nobody has looked at; training leaves it out."""


@dataclass(frozen=True, eq=False)
class Answered:
    """What the expert made of a case.

    Attributes:
        mask: Label values, shape (I, J, K), `UNKNOWN` on slices not looked at.
        seconds: Of the expert's time.
        slices: How many were looked at.
        outlined: Voxels of boundary drawn.
        clicks: Prompts given.
    """

    mask: MaskArray
    seconds: float
    slices: int
    outlined: int
    clicks: int = 0


def draw_slices(truth: MaskArray, axis: int, slices: Sequence[int], effort: EffortModel) -> Answered:
    """Draw slices by hand: each is viewed, each label on it outlined.

    Args:
        truth: Label values, shape (I, J, K).
        axis: Slices are perpendicular to it.
        slices: Which, each once.
        effort: What it costs.

    Raises:
        InputError: A slice that does not exist, or one named twice.
    """
    inside = _on_slices(truth.shape, axis, slices)
    drawn = np.where(inside, truth, np.uint8(0))
    outlined = sum(boundary_length(drawn == label, axis) for label in np.unique(drawn) if label)
    seconds = effort.slice_viewed * len(slices) + effort.outline * outlined
    return Answered(np.where(inside, truth, np.uint8(UNKNOWN)), seconds, len(slices), outlined)


def mend_slices(proposal: MaskArray, truth: MaskArray, axis: int, slices: Sequence[int], effort: EffortModel) -> Answered:
    """Look at slices of a proposal and mend what is noticeably wrong there; each patch of error is outlined once.

    A slice on which that is longer than outlining its labels afresh is drawn afresh.

    Args:
        proposal: Label values, shape (I, J, K).
        truth: Likewise.
        axis: See `draw_slices`.
        slices: Likewise.
        effort: Likewise.

    Raises:
        ShapeError: Masks of different shapes.
        InputError: A slice that does not exist, or one named twice.
    """
    inside = _on_slices(truth.shape, axis, slices)
    wrong = noticeable_errors(proposal, truth, axis) & inside
    mending, drawing = _outlines(np.where(wrong, truth, np.uint8(UNKNOWN)), axis, 0), _outlines(truth, axis, 1)
    afresh = _on_slices(truth.shape, axis, [n for n in slices if drawing[n] < mending[n]])
    outlined = int(np.minimum(mending, drawing)[list(slices)].sum())
    mended = np.where(wrong | afresh, truth, proposal)
    seconds = effort.slice_viewed * len(slices) + effort.outline * outlined
    return Answered(np.where(inside, mended, np.uint8(UNKNOWN)), seconds, len(slices), outlined)


def noticeable_errors(proposal: MaskArray, truth: MaskArray, axis: int) -> BoolArray:
    """Patches of error, connected within a slice, that hold at least one square of two by two voxels.

    Args:
        proposal: Label values, shape (I, J, K).
        truth: Likewise.
        axis: Slices are perpendicular to it.

    Raises:
        ShapeError: Masks of different shapes.
    """
    from scipy import ndimage

    if proposal.shape != truth.shape or truth.ndim != 3:
        raise ShapeError(f"Proposal and truth must be volumes of one shape, got {proposal.shape} and {truth.shape}")
    wrong = proposal != truth
    within = np.zeros((3, 3, 3), dtype=bool)
    within[tuple(1 if a == axis else slice(None) for a in range(3))] = True
    patches, _ = ndimage.label(wrong, structure=within)
    square = np.ones([1 if a == axis else min(2, n) for a, n in enumerate(truth.shape)], dtype=bool)
    thick = np.unique(patches[ndimage.binary_erosion(wrong, square)])
    kept: BoolArray = np.isin(patches, thick[thick > 0])
    return kept


def _outlines(mask: MaskArray, axis: int, least: int) -> IntArray:
    """Voxels of boundary of every label from `least` on, on each slice, shape (slices,)."""
    labels = [label for label in np.unique(mask) if least <= label < UNKNOWN]
    cut = [np.take(mask, [n], axis=axis) for n in range(mask.shape[axis])]
    return np.array([sum(boundary_length(slice_ == label, axis) for label in labels) for slice_ in cut], dtype=np.int64)


def _on_slices(shape: tuple[int, ...], axis: int, slices: Sequence[int]) -> BoolArray:
    if len(set(slices)) != len(slices) or not all(0 <= n < shape[axis] for n in slices):
        raise InputError(f"Slices are different numbers within 0..{shape[axis] - 1}, got {sorted(slices)[:8]}")
    inside = np.zeros(shape, dtype=bool)
    np.moveaxis(inside, axis, 0)[list(slices)] = True
    return inside
