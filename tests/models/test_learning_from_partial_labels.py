"""A class annotated in half of the cases is learned about as well as from all; counted as background elsewhere it is not."""

import dataclasses

import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.metrics.overlap import dice
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train
from tests.models.conftest import small_recipe

SHAPE = (24, 24)
STEPS = 90


def two_discs(index: int, *, without: int = 0) -> tuple[Image, Mask]:
    """A bright and a grey disc on noise, classes 1 and 2; `without` is a class that nobody annotated."""
    rng = np.random.default_rng(index)
    x, y = np.indices(SHAPE)
    mask = np.zeros((*SHAPE, 1), dtype=np.uint8)
    for value, column in ((1, 6), (2, 17)):
        centre = rng.integers(6, 18), column
        mask[((x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= 14), 0] = value
    grey = np.array([0.0, 1.0, 0.5])[mask] + rng.normal(0, 0.08, mask.shape)
    kept = np.where(mask == without, 0, mask).astype(np.uint8)
    grid = Grid.flat(*SHAPE, 1.0)
    return Image(grey[None].astype(np.float32), grid), Mask(kept, grid)


def learned_dice(folder, *, half: bool, as_background: bool = False) -> dict[int, float]:
    """Mean Dice of both classes after a training in which class 2 is annotated in every case, or in half of them."""
    recipe = dataclasses.replace(
        small_recipe((*SHAPE, 1)), steps=STEPS, batch=4, augmentation=0.0, dropout=0.0, learning_rate=2e-2, ema_decay=0.9
    )
    lacking = [half and index % 2 == 1 for index in range(12)]
    cases = [
        TrainingCase(
            f"discs-{index}",
            lambda index=index, missing=missing: two_discs(index, without=2 if missing else 0),
            known=(0, 1) if missing and not as_background else (),
        )
        for index, missing in enumerate(lacking)
    ]
    trained = train(recipe, cases, [], folder, report=lambda _: True)
    network = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    found = []
    for index in range(100, 106):
        image, truth = two_discs(index)
        chances = network.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities
        found.append(dice(chances.argmax(0).astype(np.uint8), truth.array, [1, 2]))
    return {value: float(np.mean([scores[value] for scores in found])) for value in (1, 2)}


def test_half_the_annotations_of_a_class_teach_it_about_as_well_as_all_and_counting_it_as_background_is_clearly_worse(tmp_path):
    everywhere = learned_dice(tmp_path / "all", half=False)
    partly = learned_dice(tmp_path / "half", half=True)
    background = learned_dice(tmp_path / "background", half=True, as_background=True)
    assert everywhere[2] > 0.85
    assert partly[2] > everywhere[2] - 0.07
    assert background[2] < partly[2] - 0.1
    assert min(partly[1], everywhere[1]) > 0.85
