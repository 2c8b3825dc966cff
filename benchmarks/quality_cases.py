"""Trained models, clean and corrupted held-out cases, and everything seen and known of each: the input of quality.py."""

import dataclasses
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from full_data import Question, cpu_seconds_per_step, read_case, shape_of
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.metrics.overlap import dice
from medloop.metrics.voxel_calibration import boundary_band, voxel_rows
from medloop.models.foundation.recipes import FOLDING_MINUTES, Recipe, choose_recipe, fingerprint
from medloop.quality.agreement import sample_agreement
from medloop.quality.features import quality_features
from medloop.quality.reverse import Reference, ReverseClassifier

BAND_VOXELS, VOLUME_VOXELS = 2000, 4000
"""Voxels per case that calibration looks at: near the border, and anywhere."""

Rows: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Labels and probabilities of some voxels."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Cases by what they are for; no patient is in two parts."""

    first: list[CaseSource]
    second: list[CaseSource]
    held_out: list[CaseSource]


@dataclasses.dataclass(frozen=True)
class Seen:
    """One prediction of the first model.

    Attributes:
        features: Every sign of quality by name, without knowledge of the truth.
        reverse: Dice expected by reverse classification, and before its calibration.
        truth: True mean foreground Dice.
        band, volume: Labels and probabilities of some voxels near the true border, and of some of all voxels.
    """

    name: str
    patient: str
    corrupted: bool
    features: dict[str, float]
    reverse: tuple[float, float]
    truth: float
    band: Rows
    volume: Rows


def split_parts(cases: Sequence[CaseSource], seed: int, *, training: int, held_out: int) -> Parts:
    """Patients at random to the two models and the held-out part.

    Where there are few, each model learns from a quarter of the patients.
    """
    names = sorted({case.patient for case in cases})
    order = generator(seed, "quality", "split").permutation(len(names))
    each = min(training, len(names) // 4)
    part = {names[n]: min(2, place // max(1, each)) for place, n in enumerate(order)}
    kept = {names[n] for n in order[: 2 * each + held_out]}
    found: list[list[CaseSource]] = [[c for c in cases if c.patient in kept and part[c.patient] == number] for number in range(3)]
    return Parts(*found)


def train_model(
    cases: Sequence[CaseSource], question: Question, seed: int, minutes: float, heads: int, folder: Path
) -> tuple[Recipe, bytes, float]:
    """The product's folded recipe for as many steps as fit into CPU minutes of one thread: recipe, weights, CPU minutes used."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingRun, plan_steps, train_member

    plan = folder / "recipe.json"
    folder.mkdir(parents=True, exist_ok=True)
    if plan.exists():
        recipe = Recipe.from_json(json.loads(plan.read_text()))
    else:
        found = fingerprint([shape_of(read_case(case, question)[0]) for case in cases[:50]])
        recipe = choose_recipe(
            found, kind="segmentation", classes=question.classes, minutes=max(minutes, FOLDING_MINUTES), threads=1, seed=seed
        )
        recipe = dataclasses.replace(recipe, minutes=minutes, validations=0, heads=heads)
        recipe = dataclasses.replace(recipe, steps=plan_steps(recipe, cpu_seconds_per_step(recipe, cases, question)))
        plan.write_text(json.dumps(recipe.to_json(), indent=1))
    training = [TrainingCase(case.name, partial(read_case, case, question)) for case in cases]
    begun = time.process_time()
    file, _ = train_member(TrainingRun(recipe, training, [], folder, lambda _: True), 0)
    return recipe, file.read_bytes(), (time.process_time() - begun) / 60


def corrupt(image: Image, rng: np.random.Generator, severity: float) -> Image:
    """One of noise, blur and a bias field, of random strength; up to severe at a `severity` of 1."""
    array = image.array.astype(np.float32)
    spread, flat = float(array.std()), [n == 1 for n in array.shape[1:]]
    kind = rng.integers(3)
    if kind == 0:
        array = array + severity * rng.uniform(0.5, 2.5) * spread * rng.standard_normal(array.shape, dtype=np.float32)
    elif kind == 1:
        width = severity * rng.uniform(0.02, 0.08) * max(array.shape[1:])
        array = np.stack([ndimage.gaussian_filter(c, [0 if f else width for f in flat]) for c in array])
    else:
        field = ndimage.gaussian_filter(
            rng.standard_normal(array.shape[1:]), [0 if f else n / 4 for f, n in zip(flat, array.shape[1:], strict=True)]
        )
        array = array * np.exp(severity * rng.uniform(0.5, 2.0) * field / max(float(field.std()), 1e-9)).astype(np.float32)
    return Image(array, image.grid)


def look(
    parts: Parts,
    question: Question,
    models: Sequence[tuple[Recipe, bytes, float]],
    seed: int,
    *,
    references: int,
    band_mm: float,
    severity: float,
) -> list[Seen]:
    """Predict every held-out case, clean and corrupted, and write down what can be seen and what is true."""
    from medloop.models.inference.predict import Predictor

    predictors = [Predictor.load(recipe, [weights]) for recipe, weights, _ in models]
    truths = [read_case(case, question) for case in parts.first[:references]]
    labels = range(1, question.classes)
    judge = ReverseClassifier([Reference(i.array, m.array) for i, m in truths if isinstance(m, Mask)], labels, seed=seed).calibrate()
    found = []
    for case in parts.held_out:
        clean, truth = read_case(case, question)
        assert isinstance(truth, Mask)
        rng = generator(seed, "quality", case.name)
        for image, corrupted in ((clean, False), (corrupt(clean, rng, severity), True)):
            found.append(_look_at(case, image, truth, predictors, judge, corrupted=corrupted, band_mm=band_mm, rng=rng))
    return found


def _look_at(
    case: CaseSource,
    image: Image,
    truth: Mask,
    predictors: Any,
    judge: ReverseClassifier,
    *,
    corrupted: bool,
    band_mm: float,
    rng: np.random.Generator,
) -> Seen:
    heads, flips = predictors[0].recipe.heads, 2 ** len(predictors[0].recipe.flips)
    answers = [p.predict(image, samples=heads * flips, rng=rng) for p in predictors]
    samples = answers[0].samples
    features = quality_features(samples, spacing_mm=image.grid.spacing_mm, second=answers[1].probabilities)
    mirrored = samples.reshape(flips, heads, *samples.shape[1:]).mean(axis=1)
    features |= {"mirror_agreement": sample_agreement(mirrored)}
    if heads > 1:
        features |= {"head_agreement": sample_agreement(samples[:heads])}
    stated = answers[0].probabilities
    guess = stated.argmax(axis=0).astype(np.uint8)
    score = judge.score(image.array, guess)
    true = float(np.mean(list(dice(guess, truth.array, judge.labels).values())))
    band = boundary_band(truth.array, truth.grid, width_mm=band_mm)
    rows = [_some(voxel_rows(stated, truth.array, where), most, rng) for where, most in ((band, BAND_VOXELS), (None, VOLUME_VOXELS))]
    return Seen(case.name, case.patient, corrupted, features, (score.expected, score.best), true, rows[0], rows[1])


def _some(
    rows: tuple[npt.NDArray[Any], npt.NDArray[Any]], most: int, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    labels, table = rows
    at = rng.permutation(len(labels))[:most]
    return labels[at], table[at].astype(np.float32)


def model_seed(seed: int, number: int) -> int:
    """Seed of one of the two models."""
    return derive_seed(seed, "quality", "model", number)
