"""Every method explains every kind of model: plain, interactive, folded, many-headed, 2D and 3D, classifications."""

import dataclasses

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.explain.methods import METHODS
from medloop.explain.saliency import explain_image
from medloop.models.foundation.compute import choose_device
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import Predictor

FLAT, DEEP = (32, 32, 1), (20, 18, 12)


def recipe(kind: str, shape: tuple[int, int, int], minutes: float, **changes: object) -> Recipe:
    found = fingerprint([CaseShape(shape, (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind=kind, classes=2 if kind == "classification" else 3, minutes=minutes, threads=1, seed=0)
    return dataclasses.replace(chosen, features=tuple(4 * (n + 1) for n in range(len(chosen.features))), precision="float32", **changes)


MODELS = {
    "classification": (FLAT, recipe("classification", FLAT, 1)),
    "classification 3D": (DEEP, recipe("classification", DEEP, 1)),
    "segmentation": (FLAT, recipe("segmentation", FLAT, 600)),
    "segmentation folded": (DEEP, recipe("segmentation", DEEP, 1)),
    "segmentation 3D": (DEEP, recipe("segmentation", DEEP, 600)),
    "interactive": (FLAT, recipe("segmentation", FLAT, 600, guided=True)),
    "interactive 3D": (DEEP, recipe("segmentation", DEEP, 600, guided=True)),
    "interactive folded": (DEEP, recipe("segmentation", DEEP, 1, guided=True)),
    "many heads": (FLAT, recipe("segmentation", FLAT, 1, heads=2)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", MODELS)
def test_every_method_explains_every_kind_of_model(kind: str, method: str) -> None:
    shape, made = MODELS[kind]
    predictor = Predictor(made, [build_network(made, seed=1).eval()], device=choose_device())
    image = Image(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32), Grid.of_spacing(shape, (1.0, 1.0, 1.0)))
    found = explain_image(predictor, image, label=1, method=method)
    assert found.map.shape == shape
    assert np.isfinite(found.map).all()
