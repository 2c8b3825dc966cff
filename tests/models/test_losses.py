import dataclasses

import pytest
import torch

from medloop.models.foundation.losses import IGNORE, loss_of, plain_masks, segmentation_dice, segmentation_loss


def confident(masks, classes=3):
    return 20.0 * torch.nn.functional.one_hot(masks, classes).movedim(-1, 1).float()


@pytest.fixture
def masks():
    return torch.arange(2 * 4 * 4 * 4).reshape(2, 4, 4, 4) % 3


def test_the_right_answer_costs_nothing(masks):
    assert segmentation_loss(confident(masks), masks) < 1e-4


def test_a_wrong_answer_costs(masks):
    assert segmentation_loss(confident((masks + 1) % 3), masks) > 10


def test_ignored_voxels_neither_cost_nor_teach(masks):
    logits = confident(masks).requires_grad_()
    masks = masks.clone()
    masks[:, :2] = IGNORE
    wrong = logits.detach().clone()
    wrong[:, :, :2] = -wrong[:, :, :2]
    assert segmentation_loss(wrong, masks) == pytest.approx(float(segmentation_loss(logits.detach(), masks)), abs=1e-6)
    segmentation_loss(logits * 0.1, masks).backward()
    assert not logits.grad[:, :, :2].any()
    assert logits.grad[:, :, 2:].any()


def test_nothing_answered_costs_no_entropy_and_stays_finite(masks):
    assert torch.isfinite(segmentation_loss(confident(masks), torch.full_like(masks, IGNORE)))


def test_dice_matches_a_count_by_hand():
    mask = torch.tensor([0, 1, 1, 2, 255, 0]).reshape(6, 1, 1)
    guess = torch.tensor([0, 1, 0, 2, 1, 1]).reshape(6, 1, 1)
    scores = segmentation_dice(torch.nn.functional.one_hot(guess, 4).movedim(-1, 0).float(), mask)
    assert scores[:2].tolist() == [0.5, 1.0]  # label 1: one hit, two guessed (one ignored), two true
    assert scores[2].isnan()


def test_weights_move_the_entropy_towards_the_voxels_that_count(masks):
    """By hand: the weighted mean of two costs, Dice being the same."""
    logits = confident(masks) * 0.05
    logits[:, :, :2] *= -1
    each = torch.nn.functional.cross_entropy(logits, masks, reduction="none")
    weights = torch.ones(masks.shape)
    weights[:, :2] = 3
    plain = segmentation_loss(logits, masks)
    weighed = segmentation_loss(logits, masks, weights=weights)
    expected = (3 * each[:, :2].mean() + each[:, 2:].mean()) / 4 - each.mean()
    assert float(weighed - plain) == pytest.approx(float(expected), abs=1e-5)
    assert float(segmentation_loss(logits, masks, weights=torch.ones(masks.shape))) == pytest.approx(float(plain), abs=1e-5)


def test_ignored_voxels_have_no_weight(masks):
    logits, masks = confident(masks) * 0.05, masks.clone()
    masks[:, :2] = IGNORE
    weights = torch.ones(masks.shape)
    weights[:, :2] = 100
    assert float(segmentation_loss(logits, masks, weights=weights)) == pytest.approx(float(segmentation_loss(logits, masks)), abs=1e-5)


def test_the_mark_of_touched_voxels_comes_off():
    targets = torch.tensor([0, 2, 3, 5, IGNORE])
    assert plain_masks(targets, 3).tolist() == [0, 2, 0, 2, IGNORE]


def test_a_recipe_decides_how_much_touched_voxels_count(recipe_3d, masks):
    classes = recipe_3d.classes
    masks = masks % classes
    targets = masks.clone()
    targets[:, :2] += classes
    logits = confident(masks, classes) * 0.05
    logits[:, :, :2] *= -1
    alike, more = recipe_3d, dataclasses.replace(recipe_3d, touched_weight=4.0)
    assert float(loss_of(alike, logits, targets)) == pytest.approx(float(segmentation_loss(logits, masks)))
    assert loss_of(more, logits, targets) > loss_of(alike, logits, targets)
