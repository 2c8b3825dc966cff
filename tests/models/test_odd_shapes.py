"""Images of one voxel, of one line, or as thin as two voxels are predicted and refined like any other."""

import dataclasses

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.interactive_network.network import NetworkEngine
from medloop.interaction.prompts import Point, Scribble
from medloop.models.foundation.compute import choose_device
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import Predictor


def recipe(shape: tuple[int, int, int]) -> Recipe:
    found = fingerprint([CaseShape(shape, (1.0, 1.0, 1.0), 1)])
    chosen = dataclasses.replace(choose_recipe(found, kind="segmentation", classes=3, minutes=1, threads=1, seed=0), guided=True)
    return dataclasses.replace(chosen, features=tuple(4 * (n + 1) for n in range(len(chosen.features))))


RECIPES = {"picture": recipe((64, 64, 1)), "volume": recipe((40, 40, 20))}


@pytest.mark.parametrize("which", RECIPES)
@pytest.mark.parametrize("shape", [(300, 2, 1), (300, 1, 1), (1, 300, 1), (2, 1, 1), (1, 1, 1)])
def test_thin_images_are_predicted_and_refined(which: str, shape: tuple[int, int, int]) -> None:
    made = RECIPES[which]
    network = build_network(made, seed=0).eval()
    image = Image(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32), Grid.of_spacing(shape, (1.0, 1.0, 1.0)))
    answer = Predictor(made, [network], device=choose_device()).predict(image, samples=2, rng=np.random.default_rng(0))
    assert answer.samples.shape[2:] == shape
    assert np.isfinite(answer.samples).all()
    engine = NetworkEngine(made, [network])
    embedding = engine.embed(image)
    for prompt in (Point((0, 0, 0)), Scribble(((0, 0, 0), (shape[0] - 1, 0, 0)), 2)):
        refined = engine.refine(embedding, [prompt], labels=(1, 2))
        assert refined.mask[0, 0, 0] == prompt.label


def test_an_image_that_resampling_makes_one_voxel_is_predicted() -> None:
    made = RECIPES["volume"]
    image = Image(np.ones((1, 20, 20, 8), dtype=np.float32), Grid.of_spacing((20, 20, 8), (0.001, 0.001, 0.001)))
    answer = Predictor(made, [build_network(made, seed=0).eval()], device=choose_device()).predict(
        image, samples=2, rng=np.random.default_rng(0)
    )
    assert answer.samples.shape[2:] == (20, 20, 8)
