"""Boxes and outermost points alone train a network, whatever the seed; and why they once did so by luck only."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.settings import GivenKind
from medloop.interaction.weak.pseudo_labels import pseudo_labels
from medloop.interaction.weak.simulated import simulated_marks
from medloop.interaction.weak.supervision import Supervision, supervise
from medloop.models.foundation.recipes import CaseShape, WeakWeights, choose_recipe, fingerprint
from medloop.models.foundation.weak_losses import WeakBatch, weak_loss
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train
from medloop.models.training.weak_targets import WeakTarget

SIDE, NAMES = 48, {1: "bright", 2: "dark"}


def picture(rng: np.random.Generator) -> tuple[Image, MaskArray]:
    """A bright and a dark ellipse in noise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    truth = np.zeros((SIDE, SIDE, 1), dtype=np.uint8)
    for label in NAMES:
        (a, b), (i, j) = rng.uniform(6, 11, 2), rng.uniform(12, 36, 2)
        truth[((y - i) / a) ** 2 + ((x - j) / b) ** 2 <= 1] = label
    values = np.array([0.0, 1.0, -1.0])[truth] + rng.normal(0, 0.5, truth.shape)
    return Image(values[None].astype(np.float32), Grid(truth.shape, np.eye(4))), truth


def marked(kind: GivenKind, rng: np.random.Generator) -> tuple[Image, MaskArray, Supervision]:
    image, truth = picture(rng)
    return image, truth, supervise(simulated_marks(truth, image.grid, kind, tuple(NAMES), rng).marks, truth.shape, NAMES)


def case_by(kind: GivenKind, number: int, rng: np.random.Generator) -> TrainingCase:
    image, _, known = marked(kind, rng)
    likely = Mask(pseudo_labels(image, known), image.grid)
    target: Callable[[], WeakTarget] = lambda: WeakTarget(known.sets, known.possible, known.present)  # noqa: E731
    return TrainingCase(f"{kind} {number}", lambda: (image, likely), weak=target)


@pytest.mark.parametrize("kind", ["boxes", "extreme-points"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_outlines_alone_train_on_every_seed(kind: GivenKind, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    shape = fingerprint([CaseShape(shape=(SIDE, SIDE, 1), spacing_mm=(1.0, 1.0, 1.0), channels=1)] * 6)
    recipe = choose_recipe(shape, kind="segmentation", classes=3, minutes=1, threads=1, seed=seed)
    recipe = dataclasses.replace(recipe, steps=40, batch=4)
    trained = train(recipe, [case_by(kind, n, rng) for n in range(6)], [], tmp_path, report=lambda _: True)
    predictor = Predictor.load(recipe, [file.read_bytes() for file in trained.weights])
    scores = []
    for _ in range(4):
        image, truth = picture(rng)
        found = predictor.predict(image, samples=1, rng=rng).probabilities.argmax(0)
        scores += [2 * ((found == v) & (truth == v)).sum() / max(1, (found == v).sum() + (truth == v).sum()) for v in NAMES]
    assert np.mean(scores) > 0.6


@pytest.mark.parametrize("kind", ["boxes", "extreme-points"])
def test_only_what_is_likely_makes_the_structure_better_than_all_background(kind: GivenKind) -> None:
    """Background everywhere obeys boxes as well: without more, what a network makes of their inside follows from its first weights."""
    image, truth, known = marked(kind, np.random.default_rng(0))
    right = torch.nn.functional.one_hot(torch.from_numpy(truth[None, ..., 0].astype(np.int64)), 3).movedim(-1, 1) * 12.0
    nothing = torch.zeros_like(right)
    nothing[:, 0] = 12.0
    sets, possible = torch.from_numpy(known.sets[None, ..., 0].astype(np.int64)), torch.from_numpy(known.possible)[None]
    weak = WeakBatch(torch.tensor([True]), sets, possible, torch.zeros((1, 3), dtype=torch.bool), torch.ones(1))
    targets = torch.from_numpy(pseudo_labels(image, known)[None, ..., 0].astype(np.int64))
    certain = torch.from_numpy(known.certain[None, ..., 0].astype(np.int64))
    boxes_alone = torch.where(certain == 0, 0, UNKNOWN)  # an outermost point is a voxel of four

    def loss(logits: torch.Tensor, *, likely: bool) -> float:
        return float(weak_loss(logits, targets if likely else boxes_alone, weak, WeakWeights()))

    assert loss(nothing, likely=False) <= loss(right, likely=False) + 1e-4
    assert loss(right, likely=True) < loss(nothing, likely=True) - 0.5
