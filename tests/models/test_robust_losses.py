"""Losses for wrong annotations: by hand, their two limits, and what a wrong voxel moves."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import SettingError
from medloop.models.foundation import robust_losses
from medloop.models.foundation.losses import IGNORE, classification_loss, loss_of, segmentation_loss
from medloop.models.foundation.recipes import LATER
from medloop.models.foundation.robust_losses import EXPONENT, generalised_cross_entropy, noise_robust_dice


def one_hot(masks, classes):
    return torch.nn.functional.one_hot(masks, classes).movedim(-1, 1).float()


def test_the_generalised_entropy_by_hand():
    chances = torch.tensor([[0.25, 0.75]])
    truth = torch.tensor([[1.0, 0.0]])
    assert float(generalised_cross_entropy(chances, truth)) == pytest.approx((1 - 0.25**0.7) / 0.7)


@given(st.floats(0.02, 1.0))
def test_it_lies_between_the_mean_absolute_error_and_the_cross_entropy(p):
    chances, truth = torch.tensor([[p, 1 - p]]), torch.tensor([[1.0, 0.0]])
    found = float(generalised_cross_entropy(chances, truth))
    assert 1 - p - 1e-6 <= found <= -float(torch.log(torch.tensor(p))) + 1e-6


def test_towards_exponent_0_it_is_the_cross_entropy(monkeypatch):
    monkeypatch.setattr(robust_losses, "EXPONENT", 1e-4)
    chances, truth = torch.tensor([[0.3, 0.7]]), torch.tensor([[1.0, 0.0]])
    assert float(generalised_cross_entropy(chances, truth)) == pytest.approx(-float(torch.log(torch.tensor(0.3))), rel=1e-3)


def test_the_robust_dice_by_hand():
    """One foreground class, three voxels of which one says nothing: |0.5−1|^1.5 + |0.2−0|^1.5 over (0.25+1) + 0.04 + 1."""
    chances = torch.tensor([[[0.5, 0.8, 0.1], [0.5, 0.2, 0.9]]])
    truth = one_hot(torch.tensor([[1, 0, 0]]), 2)
    valid = torch.tensor([[True, True, False]])
    assert float(noise_robust_dice(chances, truth, valid)) == pytest.approx((0.5**1.5 + 0.2**1.5) / (1.25 + 0.04 + 1.0), rel=1e-4)


def test_a_wrong_voxel_pulls_less_than_in_the_usual_loss_and_less_than_one_in_doubt():
    """The slope at a voxel of which the network is sure that its annotation is wrong, against one that it is not sure of."""
    masks = torch.tensor([[[1, 1, 0, 0]]])
    logits = torch.tensor([[[[6.0, 0.0, 6.0, 6.0]], [[-6.0, 0.0, -6.0, -6.0]]]])  # sure of background where 1 is annotated, then unsure
    slopes = {}
    for robust in (False, True):
        given_logits = logits.clone().requires_grad_()
        segmentation_loss(given_logits, masks, robust=robust).backward()
        slopes[robust] = given_logits.grad.abs().sum(1)[0, 0]
    assert slopes[False][0] > 0.8 * slopes[False][1]
    assert slopes[True][0] < 0.05 * slopes[True][1]


def test_ignored_voxels_count_nothing():
    masks = torch.arange(2 * 4 * 4).reshape(2, 4, 4) % 3
    masks[:, :2] = IGNORE
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    segmentation_loss(logits, masks, robust=True).backward()
    assert not logits.grad[:, :, :2].any()
    assert logits.grad[:, :, 2:].any()


def test_the_slope_is_finite_where_the_network_is_certain():
    masks = torch.zeros(1, 2, 2, dtype=torch.int64)
    for size in (60.0, -60.0):
        logits = torch.stack([torch.full((1, 2, 2), size), torch.full((1, 2, 2), -size)], dim=1).requires_grad_()
        segmentation_loss(logits, masks, robust=True).backward()
        assert torch.isfinite(logits.grad).all()


def test_images_without_a_class_count_nothing():
    logits = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    classes = torch.tensor([0, IGNORE, 1])
    for robust in (False, True):
        some = classification_loss(logits, classes, robust=robust)
        assert float(some) == pytest.approx(float(classification_loss(logits[[0, 2]], classes[[0, 2]], robust=robust)))
        known = torch.ones(3, 2, dtype=torch.bool)
        assert float(classification_loss(logits, classes, known=known, robust=robust)) == pytest.approx(float(some))
    assert float(classification_loss(logits, torch.full((3,), IGNORE))) == 0


def test_images_learn_by_the_generalised_entropy_among_the_classes_that_could_be_chosen():
    logits = torch.tensor([[1.0, 0.0, 5.0]])
    known = torch.tensor([[True, True, False]])
    p = float(torch.tensor([1.0, 0.0]).softmax(0)[0])
    found = classification_loss(logits, torch.tensor([0]), known=known, robust=True)
    assert float(found) == pytest.approx((1 - p**EXPONENT) / EXPONENT, rel=1e-5)


def test_the_recipe_chooses_the_loss(recipe_2d):
    masks = torch.arange(2 * 4 * 4).reshape(2, 4, 4) % 3
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    robust = dataclasses.replace(recipe_2d, robust="robust-loss")
    assert float(loss_of(robust, logits, masks)) == pytest.approx(float(segmentation_loss(logits, masks, robust=True)))
    assert float(loss_of(recipe_2d, logits, masks)) == pytest.approx(float(segmentation_loss(logits, masks)))


def test_a_recipe_refuses_what_does_not_go_together(recipe_2d):
    for wrong in ({"robust": "often"}, {"robust": "small-loss", "unlabelled": "copy-paste"}):
        with pytest.raises(SettingError, match="robust"):
            dataclasses.replace(recipe_2d, **wrong)
    with pytest.raises(SettingError, match="robust"):
        dataclasses.replace(recipe_2d, robust="robust-loss", annotator_model="confusion", annotators=2)


def test_a_field_that_came_later_does_not_part_a_checkpoint_from_its_recipe(recipe_2d):
    assert "robust" not in recipe_2d.identity
    assert dataclasses.replace(recipe_2d, robust="robust-loss").identity["robust"] == "robust-loss"
    assert recipe_2d.identity == {name: value for name, value in recipe_2d.to_json().items() if name not in LATER}
