"""Learning from masks in which only some classes are annotated: marginal probabilities and the exclusion loss.

Where a class was not annotated, its structure lies in the background of the mask. So background and such classes are one: their
probabilities are added before the loss looks at them, which then can push none of them towards another. What the annotated structures
say all the same is where the others are not: two structures do not share a voxel.

Source: Shi et al. 2021, Marginal loss and exclusion loss for partially supervised multi-organ segmentation, arXiv:2007.03868, section 3.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from medloop.core.arrays import UNKNOWN

Regions: TypeAlias = Sequence[Sequence[int]]
"""Of each foreground class, in order, itself and the classes inside it; empty where each stands alone."""

EXCLUSION_WEIGHT = 1.0
"""How much exclusion counts beside the marginal loss, whose own terms count 1 each."""


def marginal_logits(logits: Tensor, known: Tensor | None, regions: Regions = ()) -> Tensor:
    """Logits with the classes that were not annotated counted as background, which may be any of them.

    One that lies inside an annotated class counts as that class, whose voxels may be any of it.

    Args:
        logits: Shape (B, classes, …).
        known: Which classes are annotated in each sample, bool, shape (B, classes), background always; None is all of them.
        regions: As `Recipe.regions`.

    Source: section 3.1 of the paper above.
    """
    if known is None or known.all():
        return logits
    counted = _counted_as(known, regions)
    gathered = [logits.masked_fill(~_along(counted == place, logits), -math.inf).logsumexp(1) for place in range(logits.shape[1])]
    return torch.stack(gathered, dim=1)


def marginal_chances(chances: Tensor, known: Tensor | None, regions: Regions = ()) -> Tensor:
    """Class probabilities, shape (B, classes, …), with those of classes that were not annotated added to what they count as."""
    if known is None or known.all():
        return chances
    counted = _counted_as(known, regions)
    return torch.stack([(chances * _along(counted == place, chances)).sum(1) for place in range(chances.shape[1])], dim=1)


def exclusion_loss(logits: Tensor, masks: Tensor, known: Tensor | None, regions: Regions = ()) -> Tensor:
    """How much of the annotated structures is claimed by classes that were not annotated; 0 where all are.

    For every such class n with probability p, and e = 1 inside the annotated structures: the Dice of p and e, plus the mean of
    e log(1 + p). Of the Dice, the size of p counts as given: else a network could lower it by finding the class elsewhere. A structure
    that the class lies inside of is none of these e.

    Args:
        logits: Shape (B, classes, …).
        masks: Shape (B, …), whole numbers below `classes`, or `UNKNOWN`.
        known: As for `marginal_logits`.
        regions: As `Recipe.regions`.

    Source: section 3.2 of the paper above.
    """
    if known is None or known.all():
        return logits.new_zeros(())
    counted = _counted_as(known, regions)
    flat = masks.flatten(1).unsqueeze(1)
    inside = ((flat > 0) & (flat != UNKNOWN) & (flat != counted.unsqueeze(-1))).float()
    claimed = logits.float().softmax(1).flatten(2) * (~known).unsqueeze(-1) * (flat != UNKNOWN)
    sizes = claimed.detach().sum(-1) + inside.sum(-1)
    overlap = 2 * (claimed * inside).sum(-1) / sizes.clamp(min=1)
    entropy = (inside * claimed.log1p()).sum() / (masks != UNKNOWN).sum().clamp(min=1)
    return overlap.sum() / len(masks) + entropy


def _counted_as(known: Tensor, regions: Regions) -> Tensor:
    """What each class counts as, shape (B, classes): itself if annotated, else the innermost annotated one around it, else background."""
    places = torch.arange(known.shape[1], device=known.device)
    counted = torch.where(known, places, 0)
    around = sorted(((len(held), outer) for outer, held in enumerate(regions, start=1)), reverse=True)  # the innermost one comes last
    for _, outer in around:
        for inner in regions[outer - 1][1:]:
            counted[:, inner] = torch.where(~known[:, inner] & known[:, outer], outer, counted[:, inner])
    return counted


def allowed_classes(logits: Tensor, known: Tensor | None) -> Tensor:
    """Which classes could be chosen, shape (B, classes)."""
    return torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device) if known is None else known


def known_classes(known: tuple[int, ...], classes: int) -> Tensor:
    """Which classes are known, bool, shape (classes,); () is all of them."""
    if not known:
        return torch.ones(classes, dtype=torch.bool)
    return functional.one_hot(torch.tensor(known), classes).any(0)


def _along(classes: Tensor, like: Tensor) -> Tensor:
    return classes.reshape(*classes.shape, *[1] * (like.ndim - 2))
