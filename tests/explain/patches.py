"""Pictures whose class, or mask, is a bright patch: what a map must point at is known."""

import dataclasses
from pathlib import Path

import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train

SIDE = 32
PATCH = 8
CORNER = (4, 18)


def recipe(kind: str, *, steps: int) -> Recipe:
    found = fingerprint([CaseShape((SIDE, SIDE, 1), (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind=kind, classes=2, minutes=1, threads=1, seed=5)
    features = tuple(8 * 2**n for n in range(len(chosen.features)))
    return dataclasses.replace(
        chosen,
        features=features,
        precision="float32",
        steps=steps,
        batch=8,
        augmentation=0.0,
        flips=(),
        dropout=0.0,
        learning_rate=1e-2,
        ema_decay=0.8,
    )


def picture(number: int, *, patch: bool = True, corner: tuple[int, int] = CORNER) -> tuple[Image, Mask]:
    """Noise, and a brighter patch at a corner."""
    array = generator(number, "picture").normal(0, 1, (1, SIDE, SIDE, 1)).astype(np.float32)
    mask = np.zeros((SIDE, SIDE, 1), dtype=np.uint8)
    if patch:
        mask[corner[0] : corner[0] + PATCH, corner[1] : corner[1] + PATCH] = 1
        array[0][mask == 1] += 5
    grid = Grid.flat(SIDE, SIDE)
    return Image(array, grid), Mask(mask, grid)


def tagged(count: int) -> list[TrainingCase]:
    """Class 1 has the patch somewhere, class 0 has none."""

    def load(n: int) -> tuple[Image, int]:
        corner = generator(n, "corner").integers(0, SIDE - PATCH, 2)
        return picture(n, patch=n % 2 == 1, corner=(int(corner[0]), int(corner[1])))[0], n % 2

    return [TrainingCase(f"t{n}", lambda n=n: load(n)) for n in range(count)]


def masked(count: int) -> list[TrainingCase]:
    def load(n: int) -> tuple[Image, Mask]:
        corner = generator(n, "corner").integers(0, SIDE - PATCH, 2)
        return picture(n, corner=(int(corner[0]), int(corner[1])))

    return [TrainingCase(f"m{n}", lambda n=n: load(n)) for n in range(count)]


def trained(chosen: Recipe, cases: list[TrainingCase], folder: Path) -> Predictor:
    result = train(chosen, cases, [], folder, report=lambda _: True)
    return Predictor.load(chosen, [file.read_bytes() for file in result.weights])
