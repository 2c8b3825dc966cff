import pytest
import torch

from medloop.models.losses import IGNORE, segmentation_dice, segmentation_loss


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
