"""Bidirectional copy-paste: patches of which a box is unlabelled and the rest annotated, or the other way round.

The one part is learned by the annotation, the other by the teacher's labels, where it is confident. Both kinds of cases are learned in each
other's surroundings, so that what is known of the few annotated ones carries over to the many others. A mixed patch takes the place of an
annotated one in the batch: the step costs what it did, and the teacher's look at the unlabelled patches.

What differs from the paper: it pastes into every patch from a network trained before and keeps the largest component of each of the
teacher's labels. Here there is one training, whose share of mixed patches grows; some patches stay whole, as the network
will see such ones later; and labels of which the teacher is not confident count nothing, since not every structure is one component.

Source: Bai et al. 2023, Bidirectional copy-paste for semi-supervised medical image segmentation, arXiv:2305.00673.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from medloop.core.seeds import generator
from medloop.models.foundation.losses import IGNORE, plain_masks
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.batches import Marks
from medloop.models.training.consistency import ramp_up, teacher_chances
from medloop.models.training.state import TrainingState

MIXED = 0.5
"""Share of the patches that are mixed once the teacher is trusted."""

BOX = 2 / 3
"""Size of the box per axis over that of the patch, as in the paper."""

CONFIDENT = 0.8
"""Least probability of a teacher's label; below it the voxel counts nothing."""


def paste(recipe: Recipe, member: int, state: TrainingState, images: Tensor, targets: Tensor, marks: Marks) -> tuple[Tensor, Tensor, Marks]:
    """The batch of this step with some of its patches mixed; as it is without unlabelled ones, or where the recipe does not paste.

    Args:
        recipe: What is trained.
        member: Which network.
        state: Where the training stands; not changed.
        images: Of `draw_batch`, shape (B, channels, …).
        targets: Likewise, masks.
        marks: Of `draw_marks`, with the unlabelled patches.
    """
    if marks.unlabelled is None or recipe.unlabelled != "copy-paste":
        return images, targets, marks
    boxes = draw_boxes(recipe, member=member, step=state.step, share=MIXED * ramp_up(state.step, state.steps))
    if marks.weak is not None:  # what marks leave open is no annotation to paste beside
        boxes &= ~marks.weak.weak.reshape(-1, *[1] * (boxes.ndim - 1))
    chosen = boxes.flatten(1).any(1)
    if not chosen.any():
        return images, targets, marks
    labels = torch.full_like(targets, IGNORE)
    labels[chosen] = confident_labels(teacher_chances(recipe, state, marks.unlabelled.plain[chosen].to(state.device))).cpu()
    annotated = torch.where(chosen.reshape(-1, *[1] * (targets.ndim - 1)), unmarked(targets, recipe.classes, marks.known), targets)
    images, targets = mix(images, annotated, marks.unlabelled.changed, labels, boxes)
    soft = None if marks.soft is None else marks.soft * ~boxes.unsqueeze(1)
    irrelevant = None if marks.irrelevant is None else marks.irrelevant * ~boxes
    known = None if marks.known is None else marks.known | chosen.unsqueeze(1)
    return images, targets, replace(marks, soft=soft, irrelevant=irrelevant, known=known)


def draw_boxes(recipe: Recipe, *, member: int, step: int, share: float) -> Tensor:
    """Which voxels of a step's batch become unlabelled ones, bool, shape (B, spatial…).

    Of about this `share` of the patches, at random: inside a box, or outside of it, as likely. The other patches have none.
    """
    rng = generator(recipe.seed, member, "boxes", step)
    size = recipe.patch[: recipe.dimension]
    found = np.zeros((recipe.batch, *size), dtype=bool)
    for patch in found:
        mixed, outside = rng.random() < share, rng.random() < 0.5
        lengths = [max(1, round(n * BOX)) for n in size]
        starts = [int(rng.integers(n - length + 1)) for n, length in zip(size, lengths, strict=True)]
        patch[tuple(slice(s, s + length) for s, length in zip(starts, lengths, strict=True))] = True
        patch[...] = mixed & (patch ^ outside)
    return torch.from_numpy(found)


def confident_labels(chances: Tensor) -> Tensor:
    """The likeliest label per voxel of probabilities (B, classes, …), shape (B, …), `IGNORE` where it is not likely enough."""
    best, labels = chances.max(1)
    return labels.masked_fill(best < CONFIDENT, IGNORE)


def unmarked(targets: Tensor, classes: int, known: Tensor | None = None) -> Tensor:
    """Masks of targets of `draw_batch`; background that may be a class which is not annotated is `IGNORE`.

    So that a mixed patch, part of which the teacher labels, can be learned as one in which every class is annotated.
    """
    masks = plain_masks(targets, classes)
    if known is None:
        return masks
    partly = (~known.all(1)).reshape(-1, *[1] * (masks.ndim - 1))
    return masks.masked_fill(partly & (masks == 0), IGNORE)


def mix(images: Tensor, masks: Tensor, others: Tensor, labels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Images (B, channels, …) and masks (B, …) with the others and their labels where the boxes, shape (B, …), say so."""
    return torch.where(boxes.unsqueeze(1), others, images), torch.where(boxes, labels, masks)
