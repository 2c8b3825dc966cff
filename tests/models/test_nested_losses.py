"""Labels inside others are learned by regions, and a label that is not annotated may be anywhere in what it lies inside of."""

import dataclasses

import pytest
import torch

from medloop.core.errors import SettingError
from medloop.loop.learning.any_label import any_label_recipe
from medloop.models.foundation.losses import loss_of, segmentation_dice, segmentation_loss, summed
from medloop.models.foundation.partial_labels import exclusion_loss, marginal_chances, marginal_logits
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.pretext_task import pretext_recipe

LIVER, TUMOUR, SPLEEN = 1, 2, 3
REGIONS = ((LIVER, TUMOUR), (TUMOUR,), (SPLEEN,))
SURE = 20.0


def logits_of(*classes: int) -> torch.Tensor:
    """Of one image with a voxel per class, sure of each; shape (1, 4, n)."""
    return SURE * torch.nn.functional.one_hot(torch.tensor([classes]), 4).movedim(-1, 1).float()


def known(*classes: int) -> torch.Tensor:
    return torch.tensor([[place in (0, *classes) for place in range(4)]])


def test_a_region_is_the_sum_of_its_classes() -> None:
    chances = torch.tensor([[[0.1], [0.2], [0.3], [0.4]]])
    assert torch.allclose(summed(chances, REGIONS).flatten(), torch.tensor([0.1, 0.5, 0.3, 0.4]))
    assert summed(chances, ()) is chances


def test_dice_of_a_region_does_not_mind_which_of_its_labels_a_voxel_is() -> None:
    truth, guess = torch.tensor([LIVER, TUMOUR, SPLEEN, 0]), logits_of(LIVER, LIVER, SPLEEN, 0)[0].softmax(0)
    plain, nested = segmentation_dice(guess, truth), segmentation_dice(guess, truth, regions=REGIONS)
    assert torch.allclose(plain, torch.tensor([2 / 3, 0.0, 1.0]))
    assert torch.allclose(nested, torch.tensor([1.0, 0.0, 1.0]))


def test_the_loss_is_least_for_the_truth_and_smaller_for_a_voxel_that_is_wrong_within_its_region() -> None:
    masks = torch.tensor([[LIVER, TUMOUR, SPLEEN, 0, LIVER, TUMOUR]])
    right, within, outside = logits_of(1, 2, 3, 0, 1, 2), logits_of(1, 1, 3, 0, 1, 2), logits_of(1, 3, 3, 0, 1, 2)
    found = [float(segmentation_loss(one, masks, regions=REGIONS)) for one in (right, within, outside)]
    assert found[0] < 1e-3
    assert found[0] < found[1] < found[2]


def test_an_inner_label_that_is_not_annotated_counts_as_what_is_around_it() -> None:
    logits = logits_of(LIVER, TUMOUR, SPLEEN, 0)
    seen = marginal_logits(logits, known(LIVER), REGIONS).softmax(1)
    assert seen.argmax(1).tolist() == [[LIVER, LIVER, 0, 0]]
    chances = marginal_chances(logits.softmax(1), known(LIVER), REGIONS)
    assert torch.allclose(chances, seen, atol=1e-6)
    assert marginal_logits(logits, known(SPLEEN), REGIONS).softmax(1).argmax(1).tolist() == [[0, 0, SPLEEN, 0]]
    assert marginal_logits(logits, known(LIVER)).softmax(1).argmax(1).tolist() == [[LIVER, 0, 0, 0]]


def test_nothing_pushes_it_out_of_what_it_lies_inside_of() -> None:
    masks = torch.tensor([[LIVER, LIVER, SPLEEN, 0]])
    tumour_in_liver, tumour_in_spleen = logits_of(LIVER, TUMOUR, SPLEEN, 0), logits_of(LIVER, LIVER, TUMOUR, 0)
    scope = known(LIVER, SPLEEN)
    assert float(exclusion_loss(tumour_in_liver, masks, scope, REGIONS)) < 1e-3
    assert float(exclusion_loss(tumour_in_liver, masks, scope)) > 0.1
    assert float(exclusion_loss(tumour_in_spleen, masks, scope, REGIONS)) > 0.1


def test_the_gradient_says_nothing_of_a_tumour_where_only_the_liver_is_annotated(recipe_3d: Recipe) -> None:
    recipe = dataclasses.replace(recipe_3d, classes=4, regions=REGIONS)
    logits = torch.zeros((1, 4, 2, 1, 1), requires_grad=True)
    loss_of(recipe, logits, torch.full((1, 2, 1, 1), LIVER), known=known(LIVER)).backward()
    slope = logits.grad
    assert torch.allclose(slope[:, LIVER], slope[:, TUMOUR], atol=1e-6)  # both are the liver here
    assert float(slope[:, SPLEEN].min()) > 0


@pytest.mark.parametrize("regions", [((1, 2),), ((2, 1), (2,), (3,)), ((1, 4), (2,), (3,))])
def test_regions_that_cannot_be_are_refused(recipe_3d: Recipe, regions: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(SettingError, match="regions to be of each foreground class, itself first, or empty"):
        dataclasses.replace(recipe_3d, classes=4, regions=regions)
    assert Recipe.from_json(dataclasses.replace(recipe_3d, classes=4, regions=REGIONS).to_json()).regions == REGIONS


def test_networks_that_know_nothing_of_the_labels_have_recipes_without_regions(recipe_2d):
    nested = dataclasses.replace(recipe_2d, regions=((1, 2), (2,)), robust="small-loss")
    for own in (pretext_recipe(nested), any_label_recipe(nested, "euclidean")):
        assert (own.classes, own.regions, own.robust) == (2, (), "none")
