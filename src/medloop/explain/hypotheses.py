"""Distinct answers of an unsure model: its samples gathered into a few masks that a person can choose from or mix.

Samples that overlap well tell the same story. They are clustered by Dice distance into k groups; each group is shown as
its medoid, the sample most like all others of the group, so that every hypothesis is an answer the model really gave.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray, MaskArray, ProbabilitySamples
from medloop.core.errors import InputError, SettingError, ShapeError

SAME = 0.02
"""Samples closer than this in Dice distance are the same answer to a person's eye."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One distinct answer.

    Attributes:
        mask: Label values, shape (I, J, K), uint8.
        weight: Share of the samples that say so; the weights of all hypotheses sum to 1.
        sample: Which sample it is.
        members: All samples of the group.
        spread: Largest Dice distance within the group.
    """

    mask: MaskArray
    weight: float
    sample: int
    members: tuple[int, ...]
    spread: float


def distinct_hypotheses(samples: ProbabilitySamples, *, most: int = 4) -> list[Hypothesis]:
    """Gather a model's samples into a few distinct masks, the likeliest first.

    Args:
        samples: Shape (samples, classes, I, J, K).
        most: At most so many hypotheses; groups closer than `SAME` in mean Dice distance become one.

    Returns:
        Between 1 and `most` hypotheses.

    Raises:
        ShapeError: Samples that are not of a segmentation, or none.
        SettingError: `most` below 1.

    Source: multiple plausible outputs, Kohl et al. 2018, A Probabilistic U-Net, arXiv:1806.05034; medoids of average-linkage
        clusters, Kaufman & Rousseeuw 1990, Finding Groups in Data, doi:10.1002/9780470316801.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if samples.ndim != 5 or not len(samples):
        raise ShapeError(f"Hypotheses need samples of shape (samples, classes, I, J, K), got {samples.shape}")
    if most < 1:
        raise SettingError(f"Request at least one hypothesis, got {most}")
    masks: MaskArray = samples.argmax(axis=1).astype(np.uint8)
    if len(masks) == 1:
        return [Hypothesis(masks[0], 1.0, 0, (0,), 0.0)]
    distances = dice_distances(masks, classes=samples.shape[1])
    tree = linkage(squareform(distances, checks=False), method="average")
    groups = fcluster(tree, SAME, criterion="distance")
    if groups.max() > most:
        groups = fcluster(tree, most, criterion="maxclust")
    found = [_hypothesis(masks, distances, np.flatnonzero(groups == group)) for group in np.unique(groups)]
    return sorted(found, key=lambda h: (-h.weight, h.sample))


def dice_distances(masks: IntArray, *, classes: int) -> FloatArray:
    """One minus the mean Dice over the labels that either of two masks has, for all pairs.

    Args:
        masks: Label values, shape (masks, …).
        classes: Labels run from 1 below this.

    Returns:
        Shape (masks, masks), symmetric, within 0..1; 0 for two empty masks.
    """
    flat = masks.reshape(len(masks), -1)
    summed, present = np.zeros((2, len(masks), len(masks)))
    for label in range(1, classes):
        inside = (flat == label).astype(np.float32)
        both, sizes = inside @ inside.T, inside.sum(axis=1, dtype=np.float64)
        total = sizes[:, None] + sizes[None]
        summed += np.divide(2.0 * both, total, out=np.zeros_like(total), where=total > 0)
        present += total > 0
    distances = np.where(present > 0, 1.0 - summed / np.maximum(present, 1), 0.0)
    np.fill_diagonal(distances, 0.0)
    return np.clip((distances + distances.T) / 2, 0.0, 1.0)


def mix(base: MaskArray, others: Sequence[tuple[MaskArray, BoolArray]]) -> MaskArray:
    """A mask that takes one hypothesis as it is, and others within regions.

    Args:
        base: Label values, shape (I, J, K): what counts where nothing else is chosen.
        others: Hypotheses and the voxels where each counts, both of that shape; a later one wins.

    Raises:
        InputError: A mask or region of another shape.
    """
    mixed = base.copy()
    for mask, region in others:
        if mask.shape != base.shape or region.shape != base.shape:
            raise InputError(f"Masks and regions to mix must have the shape {base.shape}, got {mask.shape} and {region.shape}")
        mixed[region] = mask[region]
    return mixed


def differing_regions(masks: Sequence[MaskArray], *, smallest: int = 2) -> IntArray:
    """The connected places where hypotheses differ, numbered by size: what a person has to decide.

    Args:
        masks: Of one shape (I, J, K).
        smallest: Places of fewer voxels are left out.

    Returns:
        Shape (I, J, K): 0 where all agree, 1 for the largest place, and so on.
    """
    from scipy import ndimage

    differs = np.any([mask != masks[0] for mask in masks], axis=0)
    places, count = ndimage.label(differs, structure=np.ones((3,) * differs.ndim))
    sizes = np.bincount(places.ravel(), minlength=count + 1)
    order = [place for place in np.argsort(-sizes[1:], kind="stable") + 1 if sizes[place] >= smallest]
    renamed = np.zeros(count + 1, dtype=np.int32)
    renamed[order] = np.arange(1, len(order) + 1)
    numbered: IntArray = renamed[places]
    return numbered


def _hypothesis(masks: MaskArray, distances: FloatArray, members: IntArray) -> Hypothesis:
    within = distances[np.ix_(members, members)]
    medoid = int(members[int(within.sum(axis=1).argmin())])
    return Hypothesis(masks[medoid], len(members) / len(masks), medoid, tuple(int(m) for m in members), float(within.max()))
