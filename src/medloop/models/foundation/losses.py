"""Losses: Dice plus cross-entropy for masks, cross-entropy for classes."""

import math
from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn import functional

from medloop.core.arrays import UNKNOWN
from medloop.models.foundation.confusions import Annotated, Confusions
from medloop.models.foundation.partial_labels import (
    EXCLUSION_WEIGHT,
    Regions,
    allowed_classes,
    exclusion_loss,
    marginal_chances,
    marginal_logits,
)
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.robust_losses import generalised_cross_entropy, noise_robust_dice

IGNORE = UNKNOWN
"""Voxels with this value teach nothing: they were not answered."""

LABEL_SMOOTHING = 0.05
"""Share of the answer spread over the other classes: bedside labels of whole images are often wrong."""


def loss_of(recipe: Recipe, logits: Tensor, targets: Tensor, *, known: Tensor | None = None, soft: Tensor | None = None) -> Tensor:
    """The loss of a batch; see `segmentation_loss` and `classification_loss`.

    Args:
        recipe: What is trained.
        logits: Of the network, shape (B, classes, …).
        targets: From `draw_batch`.
        known: Which classes each annotation knows, bool, shape (B, classes); None is all of them.
        soft: From `draw_soft`.
    """
    robust = recipe.robust == "robust-loss"
    if recipe.kind == "classification":
        return classification_loss(logits, targets, known=known, soft=soft, robust=robust)
    masks = plain_masks(targets, recipe.classes)
    soft = None if soft is None else marginal_chances(soft, known, recipe.regions)
    seen = marginal_logits(logits.float(), known, recipe.regions)
    loss = segmentation_loss(seen, masks, weights=_weights(recipe, targets, masks), soft=soft, regions=recipe.regions, robust=robust)
    return loss + EXCLUSION_WEIGHT * exclusion_loss(logits, masks, known, recipe.regions)


def loss_as_annotated(
    recipe: Recipe,
    logits: Tensor,
    targets: Tensor,
    confusions: Confusions,
    whose: Tensor,
    features: Tensor | None = None,
    *,
    known: Tensor | None = None,
) -> Tensor:
    """The loss of a batch through what is learned of its annotators: of what they would annotate, beside the matrices' penalty.

    Args:
        recipe: What is trained.
        logits: Of the network, shape (B, classes, …).
        targets: From `draw_batch`.
        confusions: Of the annotators.
        whose: The annotator of each sample, shape (B,).
        features: What the network's head sees, shape (B, width, …), for confusions per voxel.
        known: As for `loss_of`.
    """
    found: Annotated
    if recipe.kind == "classification":
        found = confusions(logits, targets, whose, features)
        return classification_loss(found.logits, targets, known=known) + found.penalty
    masks = plain_masks(targets, recipe.classes)
    found = confusions(marginal_logits(logits.float(), known, recipe.regions), masks, whose, features)
    seen = marginal_logits(found.logits, known, recipe.regions)
    loss = segmentation_loss(seen, masks, weights=_weights(recipe, targets, masks), regions=recipe.regions) + found.penalty
    return loss + EXCLUSION_WEIGHT * exclusion_loss(logits, masks, known, recipe.regions)


def _weights(recipe: Recipe, targets: Tensor, masks: Tensor) -> Tensor | None:
    """How much each voxel counts in the cross-entropy; None counts all alike."""
    return None if recipe.touched_weight == 1 else 1 + (recipe.touched_weight - 1) * (masks != targets)


def plain_masks(targets: Tensor, classes: int) -> Tensor:
    """Masks without the marks of touched voxels, which hold `classes` more than their label; `IGNORE` stays."""
    return torch.where((targets >= classes) & (targets != IGNORE), targets - classes, targets)


def segmentation_loss(
    logits: Tensor,
    masks: Tensor,
    *,
    weights: Tensor | None = None,
    soft: Tensor | None = None,
    regions: Regions = (),
    robust: bool = False,
) -> Tensor:
    """Dice loss over the foreground classes of the whole batch, plus cross-entropy over all voxels.

    Where labels lie inside others, Dice is of regions: of a label with everything inside it, its probability the sum of theirs, as in the
    region-based training of nnU-Net; the cross-entropy stays that of the classes, which part the image.

    Against probabilities the usual Dice loss is least where a network is sure of the likelier class; its semimetric form is the same
    for labels and least where the network says what the target says.

    Args:
        logits: Shape (B, classes, …).
        masks: Shape (B, …), whole numbers below `classes`, or `IGNORE`.
        weights: How much each voxel counts in the cross-entropy, shape (B, …); None counts all alike. Dice has no weights:
            it is about the structure as a whole.
        soft: Probabilities in place of the masks, shape of `logits`; what they leave of 1 at a voxel is the mask's. None: masks alone.
        robust: Takes the losses of `robust_losses` in place of both.
        regions: As `Recipe.regions`.

    Source: semimetric Dice loss of Wang et al. 2023, arXiv:2303.16296, equation 9; region-based training of Isensee et al. 2020,
        nnU-Net for brain tumour segmentation, arXiv:2011.00848, section 2.
    """
    truth = functional.one_hot(masks.masked_fill(masks == IGNORE, 0).long(), logits.shape[1]).movedim(-1, 1)
    if robust:
        chances, wanted = logits.float().softmax(1), truth if soft is None else blend(soft, truth)
        entropy = _mean(generalised_cross_entropy(chances, wanted), masks, weights)
        return noise_robust_dice(summed(chances, regions), summed(wanted, regions), masks != IGNORE) + entropy
    if soft is None:
        return _overlap(logits, truth, masks, regions) + _entropy(logits, masks, weights)
    truth = blend(soft, truth)
    return _overlap(logits, truth, masks, regions, soft=True) + _mean(_each_entropy(logits, truth), masks, weights)


def blend(soft: Tensor, truth: Tensor) -> Tensor:
    """Probabilities, and what they leave of 1 after the truth; both of shape (B, classes, …), the truth sums to 1 over the classes."""
    return soft + (1 - soft.sum(1, keepdim=True)).clamp(min=0) * truth


def _overlap(logits: Tensor, truth: Tensor, masks: Tensor, regions: Regions, *, soft: bool = False) -> Tensor:
    """Dice loss against class probabilities `truth`, shape of `logits`, where the masks say anything; `soft` takes its semimetric form."""
    from monai.losses.dice import DiceLoss  # MONAI takes seconds to load, which only learning needs

    valid = (masks != IGNORE).unsqueeze(1)
    loss = DiceLoss(include_background=False, batch=True, soft_label=soft)
    dice: Tensor = loss(summed(logits.float().softmax(1) * valid, regions), summed(truth * valid, regions))
    return dice


def summed(chances: Tensor, regions: Regions) -> Tensor:
    """Class probabilities, shape (B, classes, …), with those of each foreground class replaced by the sum over its region."""
    if not regions:
        return chances
    return torch.cat([chances[:, :1], *(chances[:, list(held)].sum(1, keepdim=True) for held in regions)], dim=1)


def _each_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy with class probabilities, shape (B, …); a class that cannot be is one the truth gives nothing to."""
    spoken = logits.float().log_softmax(1)
    return -(truth * spoken.masked_fill(truth == 0, 0)).sum(1)


def _entropy(logits: Tensor, masks: Tensor, weights: Tensor | None) -> Tensor:
    valid = masks != IGNORE
    if weights is not None:
        return _mean(functional.cross_entropy(logits.float(), masks.long(), ignore_index=IGNORE, reduction="none"), masks, weights)
    entropy = functional.cross_entropy(logits.float(), masks.long(), ignore_index=IGNORE, reduction="sum")
    return entropy / valid.sum().clamp(min=1)


def _mean(each: Tensor, masks: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean over the voxels of which the masks say anything."""
    valid = masks != IGNORE
    weights = valid if weights is None else weights * valid
    return (each * weights).sum() / weights.sum().clamp(min=1)


def classification_loss(
    logits: Tensor, classes: Tensor, *, known: Tensor | None = None, soft: Tensor | None = None, robust: bool = False
) -> Tensor:
    """Cross-entropy with a little label smoothing, among the classes that the annotator could choose from.

    Args:
        logits: Shape (B, classes).
        classes: The chosen ones, shape (B,); images of class `IGNORE` count nothing.
        known: Which classes each annotator could choose from, bool, shape (B, classes); None is all of them.
        soft: Probabilities in place of the classes, shape (B, classes), of classes that could be chosen, without smoothing; rows of 0 are
            learned by their class. None: classes alone.
        robust: Takes the generalised cross-entropy in its place, without smoothing.
    """
    logits = logits.float()
    if (left := classes != IGNORE).logical_not().any():
        known, soft = (None if each is None else each[left] for each in (known, soft))
        logits, classes = logits[left], classes[left]
    if not len(classes):
        return logits.sum()  # of nothing: 0, with a gradient
    if robust:
        return _robust_classes(logits, classes, known, soft)
    if soft is not None:
        return _soft_classes(logits, classes, known, soft)
    if known is None or known.all():
        return functional.cross_entropy(logits, classes.long(), label_smoothing=LABEL_SMOOTHING)
    spoken = logits.masked_fill(~known, -math.inf).log_softmax(1)
    chosen = spoken.gather(1, classes.long()[:, None]).squeeze(1)
    spread = spoken.masked_fill(~known, 0).sum(1) / known.sum(1)
    return -((1 - LABEL_SMOOTHING) * chosen + LABEL_SMOOTHING * spread).mean()


def _soft_classes(logits: Tensor, classes: Tensor, known: Tensor | None, soft: Tensor) -> Tensor:
    free = allowed_classes(logits, known)
    smooth = LABEL_SMOOTHING * free / free.sum(1, keepdim=True)
    truth = blend(soft, (1 - LABEL_SMOOTHING) * functional.one_hot(classes.long(), logits.shape[1]) + smooth)
    return _each_entropy(logits.masked_fill(~free, -math.inf), truth).mean()


def _robust_classes(logits: Tensor, classes: Tensor, known: Tensor | None, soft: Tensor | None) -> Tensor:
    truth = functional.one_hot(classes.long(), logits.shape[1]).to(logits.dtype)
    free = logits.masked_fill(~allowed_classes(logits, known), -math.inf)
    return generalised_cross_entropy(free.softmax(1), truth if soft is None else blend(soft, truth)).mean()


def fade(images: Tensor, irrelevant: Tensor, shares: Tensor) -> Tensor:
    """Images whose irrelevant voxels are drawn towards 0, the mean grey value of a normalised image.

    Args:
        images: Shape (B, channels, …).
        irrelevant: Shape (B, …), 1 where evidence must not come from.
        shares: Shape (B,), within 0..1: how much of these voxels is left.
    """
    kept = shares.to(images.dtype).reshape(-1, *[1] * (images.ndim - 1))
    return images * (1 - irrelevant.unsqueeze(1).to(images.dtype) * (1 - kept))


def irrelevance_penalty(images: Tensor, faded: Tensor, logits: Tensor, targets: Tensor, irrelevant: Tensor) -> Tensor:
    """How much answers depend on voxels that people called irrelevant: right for the right reasons.

    The paper squares the gradient of summed log probabilities by the marked voxels. Two things differ here. Networks that
    normalise every image are flat at a bright mark however much they use it, so that the gradient is taken at a random
    point between the image without the marked voxels and the image (`fade`) and multiplied by them: on average, their
    integrated gradients. And it is the log probability of the answer alone, since with two classes the sum of both is the
    same for an answer and its opposite. On average the penalty is at least the squared change of that log probability when
    all marked voxels are wiped out, over their number.

    Args:
        images: Shape (B, channels, …).
        faded: Of `fade`, with a gradient.
        logits: The answers to `faded`, shape (B, classes), or (B, classes, …), whose log probabilities are averaged over voxels.
        targets: As for the loss.
        irrelevant: Shape (B, …) of the images' voxels, 1 where evidence must not come from.

    Source: Ross, Hughes & Doshi-Velez 2017, Right for the right reasons, arXiv:1703.03717, equation 2; the path as in Erion et al.
        2021, Attribution priors and expected gradients, arXiv:1906.10670.
    """
    chances = -functional.cross_entropy(logits.float(), targets.long(), ignore_index=IGNORE, reduction="none")
    spoken = chances.flatten(1).mean(1) if chances.ndim > 1 else chances
    (slopes,) = torch.autograd.grad(spoken.sum(), faded, create_graph=True)
    evidence = irrelevant.unsqueeze(1) * slopes.float() * images.float()
    return evidence.square().sum() / len(images)


def segmentation_dice(probabilities: Tensor, mask: Tensor, *, known: Collection[int] = (), regions: Regions = ()) -> Tensor:
    """Dice of each foreground class, or of its region, of one case; NaN for one that neither has, or that was not annotated.

    Args:
        probabilities: Shape (classes, I, J, K).
        mask: Shape (I, J, K).
        known: The annotated classes; () is all of them.
        regions: As `Recipe.regions`.
    """
    guess = probabilities.argmax(0)
    answered = mask != IGNORE
    scores = []
    for label in range(1, len(probabilities)):
        held = torch.tensor(regions[label - 1] if regions else (label,), device=mask.device)
        a, b = torch.isin(guess, held) & answered, torch.isin(mask, held) & answered
        counts = not known or label in known
        scores.append(2 * (a & b).sum() / (a.sum() + b.sum()) if counts else torch.tensor(math.nan))
    return torch.stack(scores)
