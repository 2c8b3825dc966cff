import numpy as np
import pytest
import torch
from torch import Tensor

from medloop.core.errors import ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.images.phantoms import phantom_2d, phantom_3d, phantom_tags
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.adversarial import adversarial_distance, smallest_change
from medloop.models.inference.predict import Predictor


def predictor(recipe: Recipe) -> Predictor:
    return Predictor(recipe, [build_network(recipe, seed=1).eval()], device=torch.device("cpu"))


def test_flat_borders_are_reached_in_one_step_of_the_exact_distance() -> None:
    slopes = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    offsets = torch.tensor([10.0, 5.0], dtype=torch.float64)

    def margins(x: Tensor) -> Tensor:
        return slopes @ x + offsets

    change = smallest_change(margins, torch.zeros(2, dtype=torch.float64), steps=5)
    torch.testing.assert_close(change, torch.tensor([-1.2, -1.6], dtype=torch.float64), rtol=0.01, atol=0)  # 10 / 5 = 2; the other is 5
    assert float(margins(change).min()) <= 0


def test_a_curved_border_is_reached_in_some_steps() -> None:
    def margins(x: Tensor) -> Tensor:
        return (4.0 - x.square().sum())[None]

    change = smallest_change(margins, torch.tensor([1.0, 0.0]), steps=20)
    assert float(change[0]) == pytest.approx(1.0, abs=0.05)


def test_an_answer_on_the_border_needs_no_change_and_a_constant_one_never_changes() -> None:
    start = torch.ones(3)
    assert not smallest_change(lambda x: 0.0 * x.sum()[None], start, steps=3).any()
    assert smallest_change(lambda x: 0.0 * x.sum()[None] + 1.0, start, steps=3).isinf().all()


def test_a_classification_changes_its_answer_at_the_distance(recipe_tags: Recipe) -> None:
    image = phantom_tags(2, shape=(32, 32)).image
    found = adversarial_distance(predictor(recipe_tags), image, steps=20)
    assert 0 < found < 100
    assert found == adversarial_distance(predictor(recipe_tags), image, steps=20)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_segmentation_has_a_finite_distance(dimension: int, recipe_2d: Recipe, recipe_3d: Recipe) -> None:
    recipe = recipe_2d if dimension == 2 else recipe_3d
    image = (phantom_2d(1, shape=(40, 28)) if dimension == 2 else phantom_3d(1, shape=(30, 20, 16))).image
    assert np.isfinite(adversarial_distance(predictor(recipe), image))


def test_a_blank_image_has_a_distance_too(recipe_tags: Recipe) -> None:
    assert np.isfinite(adversarial_distance(predictor(recipe_tags), Image(np.zeros((1, 32, 32, 1)), Grid.flat(32, 32))))


def test_an_image_of_other_channels_is_refused(recipe_tags: Recipe) -> None:
    with pytest.raises(ShapeError):
        adversarial_distance(predictor(recipe_tags), Image(np.zeros((2, 32, 32, 1)), Grid.flat(32, 32)))
