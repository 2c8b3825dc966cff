"""Annotations that knew fewer labels teach nothing of those that came later."""

import dataclasses

import numpy as np
import pytest
import torch

from medloop.models.foundation.losses import (
    IGNORE,
    classification_loss,
    fold_unknown,
    known_classes,
    loss_of,
    plain_masks,
    segmentation_dice,
    with_known_classes,
)
from medloop.models.training.batches import draw_batch, prepare_cases


def test_marks_come_off_again():
    targets = torch.tensor([[0, 1, 5, IGNORE], [2, 0, 1, 4]])
    marked = with_known_classes(targets, torch.tensor([2, 0]))
    assert known_classes(marked).tolist() == [2, 0]
    assert torch.equal(plain_masks(marked, 3), plain_masks(targets, 3))
    assert known_classes(with_known_classes(torch.tensor([1, 0]), torch.tensor([2, 0]))).tolist() == [2, 0]


def test_background_may_be_any_label_that_came_later():
    logits = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folded = fold_unknown(logits, torch.tensor([2, 0])).softmax(1)
    chances = logits.softmax(1)
    assert torch.allclose(folded[0, 0], chances[0, 0] + chances[0, 2] + chances[0, 3])
    assert torch.allclose(folded[0, 1], chances[0, 1])
    assert not folded[0, 2:].any()
    assert torch.allclose(folded[1], chances[1])


def test_finding_a_new_label_in_old_background_costs_nothing_but_in_an_old_label_it_does(recipe_2d):
    masks = torch.zeros(1, 6, 6, dtype=torch.int64)
    masks[:, :2] = 1
    found = masks.clone()
    found[:, 4:] = 2  # a structure that nobody could mark then
    logits = (20.0 * torch.nn.functional.one_hot(found, 3).movedim(-1, 1).float()).requires_grad_()
    marked = with_known_classes(masks, torch.tensor([2]))
    assert loss_of(recipe_2d, logits.detach(), marked) < 1e-3
    assert loss_of(recipe_2d, logits.detach(), masks) > 1
    wrong = masks.clone()
    wrong[:, :2] = 2
    assert loss_of(recipe_2d, 20.0 * torch.nn.functional.one_hot(wrong, 3).movedim(-1, 1).float(), marked) > 1
    loss_of(recipe_2d, logits, marked).backward()
    assert torch.isfinite(logits.grad).all()


def test_a_class_that_could_not_be_chosen_is_neither_learned_nor_unlearned():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    plain, classes = logits.detach(), torch.tensor([0, 1, 2])
    everything = classification_loss(plain, classes, known=torch.tensor([0, 0, 0]))
    assert everything == pytest.approx(float(classification_loss(plain, classes)))
    classification_loss(logits, classes, known=torch.tensor([3, 3, 3])).backward()
    assert not logits.grad[:, 3].any()
    assert logits.grad[:, :3].any()
    alone = classification_loss(plain[:, :3], classes)
    assert float(classification_loss(plain, classes, known=torch.tensor([3, 3, 3]))) == pytest.approx(float(alone), rel=1e-5)


def test_a_label_that_was_not_known_has_no_dice():
    mask = torch.tensor([0, 1, 1, 0]).reshape(4, 1, 1)
    guess = torch.nn.functional.one_hot(torch.tensor([2, 1, 1, 0]).reshape(4, 1, 1), 3).movedim(-1, 0).float()
    assert segmentation_dice(guess, mask, known=2)[0] == 1.0
    assert segmentation_dice(guess, mask, known=2)[1].isnan()
    assert segmentation_dice(guess, mask)[1] == 0.0


def test_batches_say_what_each_annotator_knew(recipe_2d, pictures, tmp_path):
    some = [dataclasses.replace(pictures[0], known=2), *pictures[1:]]
    prepared = prepare_cases(recipe_2d, some, tmp_path)
    knew = [int(k) for step in range(6) for k in known_classes(draw_batch(recipe_2d, prepared, member=0, step=step)[1])]
    assert set(knew) == {0, 2}
    assert np.mean([k == 2 for k in knew]) < 1
