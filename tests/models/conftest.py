"""Small phantoms and small recipes: everything here trains in seconds on one thread."""

import dataclasses

import pytest

from medloop.images.phantoms import phantom_2d, phantom_3d, phantom_tags
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.training.batches import TrainingCase

VOLUME, PICTURE = (24, 24, 16), (32, 32)


def small_recipe(shape: tuple[int, int, int], kind: str = "segmentation") -> Recipe:
    found = fingerprint([CaseShape(shape, (1.0, 1.0, 1.0), 1)])
    recipe = choose_recipe(found, kind=kind, classes=3 if kind == "segmentation" else 2, minutes=1, threads=1, seed=5)
    return dataclasses.replace(recipe, features=tuple(8 * 2**n for n in range(len(recipe.features))), precision="float32", steps=6, batch=2)


@pytest.fixture
def recipe_folded(recipe_3d: Recipe) -> Recipe:
    levels = {name: getattr(recipe_3d, name)[1:] for name in ("features", "kernels")}
    return dataclasses.replace(recipe_3d, fold=recipe_3d.strides[1], strides=((1, 1, 1), *recipe_3d.strides[2:]), **levels)


@pytest.fixture
def recipe_3d() -> Recipe:
    return small_recipe((*VOLUME,))


@pytest.fixture
def recipe_2d() -> Recipe:
    return small_recipe((*PICTURE, 1))


@pytest.fixture
def recipe_tags() -> Recipe:
    return small_recipe((*PICTURE, 1), "classification")


@pytest.fixture
def volumes() -> list[TrainingCase]:
    def load(index: int):
        phantom = phantom_3d(index, shape=VOLUME)
        return phantom.image, phantom.mask

    return [TrainingCase(f"volume-{index}", lambda index=index: load(index)) for index in range(3)]


@pytest.fixture
def pictures() -> list[TrainingCase]:
    def load(index: int):
        phantom = phantom_2d(index, shape=PICTURE)
        return phantom.image, phantom.mask

    return [TrainingCase(f"picture-{index}", lambda index=index: load(index)) for index in range(3)]


@pytest.fixture
def tagged() -> list[TrainingCase]:
    def load(index: int):
        phantom = phantom_tags(index, shape=PICTURE)
        return phantom.image, phantom.tag

    return [TrainingCase(f"tagged-{index}", lambda index=index: load(index)) for index in range(8)]
