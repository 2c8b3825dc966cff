"""One mask from several by votes at each voxel: of everybody, or of those whose masks agree with the others' (SIMPLE)."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, FloatArray, MaskArray
from medloop.core.errors import SettingError
from medloop.raters.confusion import shares
from medloop.raters.fused import choose
from medloop.raters.fused_mask import FusedMask, fuse_mask
from medloop.raters.mask_skill import label_rates
from medloop.raters.stack import Stack, stack_masks, with_agreed

SPREAD = 0.01
"""Annotators whose Dice differs by no more than this are equally good: nobody is left out."""


def majority_mask(masks: Sequence[MaskArray], labels: Sequence[int]) -> FusedMask:
    """At each voxel the label that most annotators gave; of equal ones the lowest, so background before foreground.

    Args:
        masks: One per annotator, integer label values, equal shapes (I, J, K) or (I, J); 255 where a voxel is not annotated.
        labels: Foreground labels of the task.

    Returns:
        Probabilities are shares of the annotators.

    Raises:
        ShapeError: No mask, or masks on different grids.
        InputError: Masks of fractions or NaN.
        LabelError: A value outside the task.
    """
    stack = stack_masks(masks, labels)
    return fuse_mask("majority", stack, shares(stack.patterns))


def simple_fusion(masks: Sequence[MaskArray], labels: Sequence[int], *, strictness: float = 1.0) -> FusedMask:
    """Votes weighted by agreement, without annotators who agree much less than the others (SIMPLE).

    The fused mask gives every annotator a Dice, the mean over labels. Whoever lies more than `strictness` standard deviations
    below the mean is left out, and the rest vote again with their Dice as weights, until nobody is left out. At least half of
    the annotators stay, and nobody is left out where all lie within 0.01: unlike atlases, annotators are few.

    Args:
        masks: As for `majority_mask`.
        labels: Likewise.
        strictness: Standard deviations, more than 0.

    Raises:
        ShapeError, InputError, LabelError: As for `majority_mask`.
        SettingError: A strictness of 0 or less.

    Source: Langerak et al. 2010, doi:10.1109/TMI.2010.2057442, algorithm 1.
    """
    if not strictness > 0:
        raise SettingError(f"strictness must be more than 0 standard deviations, got {strictness}")
    stack = stack_masks(masks, labels)
    weights = np.array([float((mask != UNKNOWN).any()) for mask in stack.masks])  # who annotated nothing is neither good nor left out
    given = int(weights.sum())
    while True:
        score = _dice_against(stack, shares(stack.patterns, weights))
        kept = _kept(score, weights > 0, strictness, given)
        newer = np.where(kept, np.maximum(score, 1e-6), 0.0)
        settled = np.array_equal(kept, weights > 0)
        weights = newer
        if settled:
            break
    left_out = [str(n) for n in np.flatnonzero(weights == 0) if (stack.masks[n] != UNKNOWN).any()]
    note = f"left out annotators {', '.join(left_out)}" if left_out else ""
    return fuse_mask("simple", stack, shares(stack.patterns, weights), note=note)


def _kept(score: FloatArray, kept: BoolArray, strictness: float, given: int) -> BoolArray:
    """Who stays of those still in: never fewer than half of those who annotated anything."""
    inside = score[kept]
    if not len(inside) or np.ptp(inside) <= SPREAD:
        return kept
    good = kept & (score >= inside.mean() - strictness * inside.std())
    return good if 2 * good.sum() >= given else kept


def _dice_against(stack: Stack, beliefs: FloatArray) -> FloatArray:
    """Mean Dice of each annotator with the most probable labels over those that occur, 1 where none does; shape (annotators,)."""
    votes = with_agreed(stack, stack.agreed.astype(np.float64))
    truth = np.concatenate([np.arange(votes.classes), choose(beliefs)])
    marks = np.eye(votes.classes + 1)[votes.table][..., : votes.classes]
    joint = np.einsum("k,kt,kav->atv", votes.counts, np.eye(votes.classes)[truth], marks)
    dice = np.stack([label_rates(joint, n)[2] for n in range(1, votes.classes)])
    occurs = ~np.isnan(dice)
    mean = np.where(occurs, dice, 0.0).sum(axis=0) / np.maximum(occurs.sum(axis=0), 1)
    return np.where(occurs.any(axis=0), mean, 1.0)
