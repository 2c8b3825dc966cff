"""A network told what is irrelevant stops using it: right for the right reasons."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from medloop.core.errors import SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.seeds import generator
from medloop.models.foundation.losses import fade, irrelevance_penalty
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import TrainingCase, draw_batch, draw_irrelevant, prepare_cases
from medloop.models.training.train import train

SIDE = 16
DECOY = np.zeros((SIDE, SIDE, 1), dtype=bool)
DECOY[:4, :4] = True


def striped(number: int, *, tag: int, decoy: bool) -> Image:
    """Faint stripes, upright for one class and level for the other; and a bright corner, which means nothing."""
    rng = generator(number, "stripes")
    array = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    stripes = np.where((np.arange(SIDE) // 2 + rng.integers(2)) % 2, 1.5, -1.5).astype(np.float32)
    array += stripes[:, None] if tag else stripes[None]
    if decoy:
        array[:4, :4] += 4
    return Image(array[None, :, :, None], Grid.flat(SIDE, SIDE))


def cases(count: int, *, marked: bool) -> list[TrainingCase]:
    """The corner is bright in every picture of class 1 and in no other: a shortcut."""
    return [
        TrainingCase(
            f"s{n}",
            lambda n=n: (striped(n, tag=n % 2, decoy=n % 2 == 1), n % 2),
            irrelevant=(lambda: DECOY) if marked else None,
        )
        for n in range(count)
    ]


def recipe(*, rrr: float) -> Recipe:
    found = fingerprint([CaseShape((SIDE, SIDE, 1), (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind="classification", classes=2, minutes=1, threads=1, seed=5)
    features = tuple(8 * 2**n for n in range(len(chosen.features)))
    return dataclasses.replace(
        chosen, features=features, precision="float32", steps=60, batch=8, augmentation=0.0, flips=(), dropout=0.0,
        learning_rate=1e-2, ema_decay=0.8, rrr=rrr,
    )  # fmt: skip


def accuracy_without_shortcut(rrr: float, folder: Path) -> float:
    """Share of pictures named rightly whose corner contradicts their class."""
    chosen = recipe(rrr=rrr)
    trained = train(chosen, cases(40, marked=True), [], folder, report=lambda _: True)
    predictor = Predictor.load(chosen, [file.read_bytes() for file in trained.weights])
    right = []
    for n in range(1000, 1040):
        image = striped(n, tag=n % 2, decoy=n % 2 == 0)
        right.append(predictor.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities.argmax() == n % 2)
    return float(np.mean(right))


def test_a_shortcut_that_is_marked_is_not_taken(tmp_path) -> None:
    plain = accuracy_without_shortcut(0.0, tmp_path / "plain")
    told = accuracy_without_shortcut(30.0, tmp_path / "told")
    assert plain < 0.6
    assert told > 0.8


def test_the_penalty_of_a_linear_model_is_the_squared_evidence() -> None:
    """Logits (0, w·x) and the answer 1: log p has the slope w · (1 - p) by the input, here taken half way."""
    images = torch.tensor([[[[1.0, 2.0], [0.5, -1.0]]]])
    w, marked = torch.tensor([[0.3, -0.2], [0.1, 0.4]]), torch.tensor([[[1, 0], [0, 1]]])
    faded = fade(images, marked, torch.tensor([0.5])).requires_grad_(True)
    assert faded.tolist() == [[[[0.5, 2.0], [0.5, -0.5]]]]
    value = (faded[0, 0] * w).sum()
    logits = torch.stack([torch.zeros(()), value])[None]
    evidence = images[0, 0] * w * (1 - torch.sigmoid(value.detach()))
    expected = evidence[0, 0] ** 2 + evidence[1, 1] ** 2
    found = irrelevance_penalty(images, faded, logits, torch.tensor([1]), marked)
    assert float(found.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_nothing_marked_costs_nothing() -> None:
    images, nothing = torch.ones((2, 1, 3, 3)), torch.zeros((2, 3, 3))
    faded = fade(images, nothing, torch.zeros(2)).requires_grad_(True)
    logits = torch.stack([faded.sum((1, 2, 3)), -faded.sum((1, 2, 3))], dim=1)
    assert torch.equal(faded, images)
    assert float(irrelevance_penalty(images, faded, logits, torch.tensor([0, 1]), nothing).detach()) == 0.0


def test_a_segmentation_can_be_told_too(recipe_2d, pictures, tmp_path) -> None:
    """Trained with marks, exact to resume: the same arguments give the same weights, and others than without marks."""
    chosen = dataclasses.replace(recipe_2d, steps=4, rrr=50.0)
    corner = np.zeros((32, 32, 1), dtype=bool)
    corner[:10] = True
    marked = [dataclasses.replace(case, irrelevant=lambda: corner) for case in pictures]
    runs = (("a", marked), ("b", marked), ("c", pictures))
    first, again, unmarked = (
        train(chosen, given, [], tmp_path / name, report=lambda _: True).weights[0].read_bytes() for name, given in runs
    )
    assert first == again != unmarked


def test_marks_move_with_their_patches(recipe_2d, pictures, tmp_path) -> None:
    """Marking exactly what is darkest: where the patch is dark, the mark is, however the picture was turned."""
    chosen = dataclasses.replace(recipe_2d, rrr=1.0, augmentation=1.0, batch=4)

    def load(n):
        image, mask = pictures[n].load()
        return image, dataclasses.replace(mask, array=(mask.array > 0).astype(np.uint8))

    given = [TrainingCase(f"p{n}", lambda n=n: load(n), irrelevant=lambda n=n: load(n)[1].array > 0) for n in range(3)]
    prepared = prepare_cases(chosen, given, tmp_path)
    for step in range(3):
        _, masks = draw_batch(chosen, prepared, member=0, step=step)
        marked = draw_irrelevant(chosen, prepared, member=0, step=step)
        assert marked is not None
        assert torch.equal(marked.long(), masks)


def test_without_weight_or_marks_nothing_is_drawn(recipe_2d, pictures, tmp_path) -> None:
    prepared = prepare_cases(recipe_2d, pictures, tmp_path)
    assert draw_irrelevant(recipe_2d, prepared, member=0, step=0) is None
    assert draw_irrelevant(dataclasses.replace(recipe_2d, rrr=1.0), prepared, member=0, step=0) is None


def test_old_recipes_still_load() -> None:
    written = {name: value for name, value in recipe(rrr=0.0).to_json().items() if name != "rrr"}
    assert Recipe.from_json(written) == recipe(rrr=0.0)
    with pytest.raises(SettingError, match="rrr"):
        recipe(rrr=-1.0)
