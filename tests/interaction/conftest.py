"""A small guided network that has seen three phantoms, trained once for all tests here."""

import dataclasses
from pathlib import Path

import pytest

from medloop.images.phantoms import phantom_2d
from medloop.interaction.interactive_network.network import NetworkEngine, Refinement
from medloop.interaction.interactive_network.rehearsal import Rehearsal
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train

PICTURE = (48, 40, 1)


def guided_recipe(**changes: object) -> Recipe:
    found = fingerprint([CaseShape((32, 32, 1), (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind="segmentation", classes=3, minutes=1, threads=1, seed=5)
    small = {
        "features": tuple(8 * 2**n for n in range(len(chosen.features))),
        "precision": "float32",
        "batch": 4,
        "steps": 60,
        "guided": True,
    }
    return dataclasses.replace(chosen, **(small | changes))


def pictures(count: int, shape: tuple[int, int] = PICTURE[:2]) -> list[TrainingCase]:
    def load(index: int):
        phantom = phantom_2d(index, shape=shape)
        return phantom.image, phantom.mask

    return [TrainingCase(f"picture-{index}", lambda index=index: load(index)) for index in range(count)]


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return guided_recipe()


@pytest.fixture(scope="session")
def weights(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = tmp_path_factory.mktemp("guided")
    return train(recipe, pictures(3), [], folder, report=lambda _: True, guide=Rehearsal()).weights[0].read_bytes()


@pytest.fixture
def engine(recipe: Recipe, weights: bytes) -> NetworkEngine:
    return NetworkEngine.load(recipe, [weights], refinement=Refinement(adaptation=None))
