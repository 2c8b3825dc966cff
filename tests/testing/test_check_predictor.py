"""The contract of predictors passes the built-in one and names what is wrong with others."""

import numpy as np
import pytest
import torch

from medloop.core.errors import InputError
from medloop.core.image import Image
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Fingerprint, choose_recipe
from medloop.models.inference.predict import ModelOutput, Predictor
from medloop.testing.check_predictor import check_predictor


class Bright:
    """A right one: what is brighter than the mean is foreground."""

    def probabilities(self, voxels: np.ndarray) -> np.ndarray:
        return (np.nan_to_num(voxels.astype(np.float32)) > np.nan_to_num(voxels.astype(np.float32)).mean()).astype(np.float32)

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:  # noqa: ARG002  # of the protocol
        if len(image.array) != 1:
            raise InputError("One channel is expected")
        bright = self.probabilities(image.array[0])
        return ModelOutput(np.stack([1 - bright, bright])[None].repeat(samples, axis=0), np.zeros(1, np.float32))


class Turned(Bright):
    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:
        made = super().predict(image, samples=samples, rng=rng)
        return ModelOutput(np.swapaxes(made.samples, 2, 4), made.features)


class Forgetful(Bright):
    def probabilities(self, voxels: np.ndarray) -> np.ndarray:
        return np.random.default_rng().random(voxels.shape, dtype=np.float32)


class Spoiling(Bright):
    def probabilities(self, voxels: np.ndarray) -> np.ndarray:
        found = super().probabilities(voxels)
        voxels[...] = 0
        return found


class Blank(Bright):
    def probabilities(self, voxels: np.ndarray) -> np.ndarray:
        return voxels.astype(np.float32) / 1000


class Careless(Bright):
    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:
        return super().predict(Image(image.array[:1], image.grid), samples=samples, rng=rng)


def check(predictor: object) -> None:
    check_predictor(predictor, kind="segmentation", dimension=3, channels=1, classes=2)  # type: ignore[arg-type]


def test_a_right_one_passes() -> None:
    check(Bright())


@pytest.mark.parametrize("kind", ["segmentation", "classification"])
def test_the_built_in_predictor_keeps_the_contract(kind: str) -> None:
    found = Fingerprint(9, 1, (32, 32, 16), (1.0, 1.0, 1.0), uniform=False)
    recipe = choose_recipe(found, kind=kind, classes=3, minutes=0.05, threads=1, seed=0)  # type: ignore[arg-type]
    predictor = Predictor(recipe, [build_network(recipe, seed=0).eval()], device=torch.device("cpu"))
    check_predictor(predictor, kind=kind, dimension=recipe.dimension, channels=1, classes=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("predictor", "rule"),
    [
        (Turned(), "samples must have the shape"),
        (Forgetful(), "equal images and seeds must give equal probabilities"),
        (Spoiling(), "must not be changed"),
        (Blank(), "must be finite"),
        (Careless(), "channels must raise InputError"),
    ],
)
def test_a_wrong_one_is_named(predictor: Bright, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check(predictor)
