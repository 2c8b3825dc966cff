"""A trained model, held-out cases as they are and as another scanner would show them, and what is seen of each: input of shift.py."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from full_data import Question, read_case
from medloop.core.arrays import FloatArray
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.images.appearance import appearance
from medloop.metrics.overlap import dice
from medloop.quality.agreement import sample_agreement
from quality_cases import train_model

Change: TypeAlias = Callable[[Image, np.random.Generator], Image]


def harder_contrast(image: Image, rng: np.random.Generator) -> Image:
    """Another contrast: a steep curve over the intensities, and noise of a tenth of their spread."""
    array = image.array.astype(np.float32)
    low, high = np.percentile(array, (0.5, 99.5))
    placed = np.clip((array - low) / max(high - low, 1e-9), 0, 1)
    curved = placed**2.2 + 0.1 * placed.std() * rng.standard_normal(array.shape, dtype=np.float32)
    return Image((curved * 1000).astype(np.float32), image.grid)


def noisier(image: Image, rng: np.random.Generator) -> Image:
    """Noise as large as 0.8 of the spread of intensities."""
    array = image.array.astype(np.float32)
    return Image(array + 0.8 * float(array.std()) * rng.standard_normal(array.shape, dtype=np.float32), image.grid)


def softer(image: Image, rng: np.random.Generator) -> Image:  # noqa: ARG001 - one form for all
    """A blur of 1.5 voxels."""
    flat = [0 if n == 1 else 1.5 for n in image.array.shape[1:]]
    return Image(np.stack([ndimage.gaussian_filter(c.astype(np.float32), flat) for c in image.array]), image.grid)


def inverted(image: Image, rng: np.random.Generator) -> Image:  # noqa: ARG001 - one form for all
    """What is bright becomes dark, as between two sequences, or between light and fluorescence."""
    array = image.array.astype(np.float32)
    return Image(float(array.max()) + float(array.min()) - array, image.grid)


CHANGES: Mapping[str, Change] = MappingProxyType({"contrast": harder_contrast, "noise": noisier, "blur": softer, "inverted": inverted})


@dataclasses.dataclass(frozen=True)
class Looked:
    """What is known of a prediction: embedding, appearance, agreement of its samples, true mean Dice."""

    patient: str
    embedding: FloatArray
    looks: FloatArray
    agreement: float
    truth: float


@dataclasses.dataclass(frozen=True)
class Seen:
    """Held-out cases by the change they went through, "" for none; `training` are those the model learned from."""

    training: list[Looked]
    held_out: dict[str, list[Looked]]
    minutes: float
    steps: int


def see(
    training: Sequence[CaseSource],
    held_out: Mapping[str, Sequence[CaseSource]],
    question: Question,
    seed: int,
    minutes: float,
    folder: Path,
) -> Seen:
    """Train on some cases, and look at held-out ones; with one kind of these, all named changes are made of it."""
    from medloop.models.inference.predict import Predictor

    recipe, weights, spent = train_model(training, question, derive_seed(seed, "shift"), minutes, 1, folder)
    predictor = Predictor.load(recipe, [weights])

    def look(case: CaseSource, change: Change | None) -> Looked:
        image, truth = read_case(case, question)
        assert isinstance(truth, Mask)
        rng = generator(seed, "shift", case.name)
        image = change(image, rng) if change else image
        answer = predictor.predict(image, samples=4, rng=rng)
        guess: npt.NDArray[np.uint8] = answer.probabilities.argmax(axis=0).astype(np.uint8)
        true = float(np.mean(list(dice(guess, truth.array, range(1, question.classes)).values())))
        return Looked(case.patient, answer.features, appearance(image), sample_agreement(answer.samples), true)

    kinds: dict[str, list[Looked]] = {name: [look(case, None) for case in cases] for name, cases in held_out.items()}
    if len(held_out) == 1:
        kinds |= {name: [look(case, change) for case in next(iter(held_out.values()))] for name, change in CHANGES.items()}
    return Seen([look(case, None) for case in training], kinds, spent, recipe.steps)
