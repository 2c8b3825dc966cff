"""A class that was not annotated is neither learned from the background nor unlearned."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from medloop.core.errors import LabelError
from medloop.core.image import Mask
from medloop.models.foundation.losses import IGNORE, classification_loss, loss_of, segmentation_dice
from medloop.models.foundation.partial_labels import exclusion_loss, marginal_chances, marginal_logits
from medloop.models.training.batches import draw_batch, draw_marks, prepare_cases

FIRST_ONLY = torch.tensor([[True, True, False]])


def _without(case, value):
    """The image and mask of a case in which nobody annotated one class."""
    image, mask = case.load()
    return image, Mask(np.where(mask.array == value, 0, mask.array).astype(np.uint8), mask.grid)


def test_background_may_be_any_class_that_was_not_annotated():
    logits = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    known = torch.tensor([[True, False, True, False], [True] * 4])
    merged, chances = marginal_logits(logits, known).softmax(1), logits.softmax(1)
    assert torch.allclose(merged[0, 0], chances[0, 0] + chances[0, 1] + chances[0, 3])
    assert torch.allclose(merged[0, 2], chances[0, 2])
    assert not merged[0, [1, 3]].any()
    assert torch.allclose(merged[1], chances[1])
    assert torch.allclose(marginal_chances(chances, known), merged)
    assert marginal_logits(logits, None) is logits


def test_finding_what_was_not_annotated_in_background_costs_nothing_but_in_an_annotated_structure_it_does(recipe_2d):
    masks = torch.zeros(1, 6, 6, dtype=torch.int64)
    masks[:, :2] = 1
    found = masks.clone()
    found[:, 4:] = 2  # a structure that nobody annotated in this case
    logits = (20.0 * one_hot(found, 3).movedim(-1, 1).float()).requires_grad_()
    assert loss_of(recipe_2d, logits.detach(), masks, known=FIRST_ONLY) < 1e-3
    assert loss_of(recipe_2d, logits.detach(), masks) > 1
    wrong = masks.clone()
    wrong[:, :2] = 2
    assert loss_of(recipe_2d, 20.0 * one_hot(wrong, 3).movedim(-1, 1).float(), masks, known=FIRST_ONLY) > 1
    loss_of(recipe_2d, logits, masks, known=FIRST_ONLY).backward()
    assert torch.isfinite(logits.grad).all()


def test_the_marginal_and_exclusion_losses_of_two_voxels_are_those_worked_out_by_hand(recipe_2d):
    masks = torch.tensor([[[1, 0]]])
    chances = torch.tensor([[[[0.2, 0.5]], [[0.7, 0.1]], [[0.1, 0.4]]]], dtype=torch.float64)
    entropy = -(math.log(0.7) + math.log(0.5 + 0.4)) / 2
    smooth = 1e-5  # of the Dice loss
    dice = 1 - (2 * 0.7 + smooth) / (0.7 + 0.1 + 1 + smooth)
    nothing = 0.0  # the class that was not annotated has neither probability nor voxels: its Dice is 1
    exclusion = 2 * 0.1 / (0.1 + 0.4 + 1) + math.log(1.1) / 2
    assert float(exclusion_loss(chances.log(), masks, FIRST_ONLY)) == pytest.approx(exclusion, abs=1e-6)
    whole = float(loss_of(recipe_2d, chances.log(), masks, known=FIRST_ONLY))
    assert whole == pytest.approx(entropy + (dice + nothing) / 2 + exclusion, abs=1e-6)


def test_nothing_draws_a_voxel_from_a_class_that_was_not_annotated_towards_background(recipe_2d):
    rng = torch.Generator().manual_seed(1)
    masks = torch.randint(0, 2, (1, 8, 8), generator=rng)
    logits = torch.randn(1, 3, 8, 8, generator=rng, dtype=torch.float64).requires_grad_()
    loss_of(recipe_2d, logits, masks, known=FIRST_ONLY).backward()
    outside, inside = masks[0] == 0, masks[0] == 1
    background, other = logits.grad[0, 0], logits.grad[0, 2]
    assert (torch.stack([other, background])[:, outside] < 0).all()  # both rise, at the annotated class's cost
    share = (logits.softmax(1)[0, 2] / logits.softmax(1)[0, 0]).detach()
    assert torch.allclose(other[outside], (background * share)[outside])  # and neither at the other's
    assert (other[inside] > 0).all()  # two structures do not share a voxel
    plain = logits.detach().clone().requires_grad_()
    loss_of(recipe_2d, plain, masks).backward()
    assert (plain.grad[0, 2][outside] > 0).all()  # what counting as background does


def test_exclusion_cannot_be_lowered_by_finding_the_class_elsewhere():
    masks = torch.tensor([[[1, 0, IGNORE]]])
    logits = torch.randn(1, 3, 1, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    exclusion_loss(logits, masks, FIRST_ONLY).backward()
    assert logits.grad[..., 0].any()
    assert not logits.grad[..., 1:].any()


def test_voxels_that_nobody_annotated_change_nothing_of_exclusion():
    logits = torch.randn(1, 3, 1, 2, generator=torch.Generator().manual_seed(3))
    masks = torch.tensor([[[1, 0]]])
    longer = torch.cat([logits, torch.full((1, 3, 1, 1), 9.0)], dim=-1)
    padded = torch.tensor([[[1, 0, IGNORE]]])
    assert torch.allclose(exclusion_loss(logits, masks, FIRST_ONLY), exclusion_loss(longer, padded, FIRST_ONLY))
    assert float(exclusion_loss(logits, masks, None)) == 0.0
    assert float(exclusion_loss(logits, masks, torch.ones(1, 3, dtype=torch.bool))) == 0.0


def test_a_class_that_could_not_be_chosen_is_neither_learned_nor_unlearned():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    plain, classes = logits.detach(), torch.tensor([0, 1, 2])
    everything = classification_loss(plain, classes, known=torch.ones(3, 4, dtype=torch.bool))
    assert everything == pytest.approx(float(classification_loss(plain, classes)))
    known = torch.tensor([[True, True, True, False]] * 3)
    classification_loss(logits, classes, known=known).backward()
    assert not logits.grad[:, 3].any()
    assert logits.grad[:, :3].any()
    alone = classification_loss(plain[:, :3], classes)
    assert float(classification_loss(plain, classes, known=known)) == pytest.approx(float(alone), rel=1e-5)


def test_a_label_that_was_not_annotated_has_no_dice():
    mask = torch.tensor([0, 2, 2, 0]).reshape(4, 1, 1)
    guess = one_hot(torch.tensor([1, 2, 2, 0]).reshape(4, 1, 1), 3).movedim(-1, 0).float()
    assert segmentation_dice(guess, mask, known=(0, 2))[1] == 1.0
    assert segmentation_dice(guess, mask, known=(0, 2))[0].isnan()
    assert segmentation_dice(guess, mask)[0] == 0.0


def test_batches_say_which_classes_are_annotated_and_hold_nothing_of_it_in_their_targets(recipe_2d, pictures, tmp_path):
    pictures = [dataclasses.replace(pictures[0], load=lambda: _without(pictures[1], 2)), *pictures[1:]]
    some = [dataclasses.replace(pictures[0], known=(0, 1)), *pictures[1:]]
    prepared, plain = prepare_cases(recipe_2d, some, tmp_path / "some"), prepare_cases(recipe_2d, pictures, tmp_path / "all")
    marks = [draw_marks(recipe_2d, prepared, member=0, step=step).known for step in range(6)]
    assert {tuple(row) for known in marks for row in known.tolist()} == {(True, True, False), (True, True, True)}
    for step in range(3):
        batches = [draw_batch(recipe_2d, cases, member=0, step=step) for cases in (prepared, plain)]
        assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))
    assert draw_marks(recipe_2d, plain, member=0, step=0).known is None


def test_a_mask_with_a_class_that_it_does_not_annotate_is_refused(recipe_2d, pictures, tmp_path):
    held = set(np.unique(pictures[0].load()[1].array).tolist())
    absent = tuple({0, 1, 2} - {max(held)})
    with pytest.raises(LabelError, match=rf"{pictures[0].id}: classes .* are annotated, the annotation holds \[{max(held)}\] too"):
        prepare_cases(recipe_2d, [dataclasses.replace(pictures[0], known=absent)], tmp_path)
