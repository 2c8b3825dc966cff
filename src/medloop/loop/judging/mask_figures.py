"""Figures of masks as the store keeps them: per label and measure, of the samples behind a prediction or of one mask."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, MaskArray, ProbabilitySamples
from medloop.core.records import Case, Prediction
from medloop.images.result import UNSIZED, UNSPACED
from medloop.metrics.measures import MeasureName, measure, measure_names


def is_sized(case: Case) -> bool:
    """Whether the case's voxels have a known size, so that its figures may be called millimetres; frames over time have none."""
    return not case.display.over_time and not {UNSIZED, UNSPACED} & set(case.notes)


def mask_figures(inside: BoolArray, case: Case) -> dict[str, float | None]:
    """Every measure of one structure in the unit of the case; None where there is no figure."""
    return {name: _kept(figure) for name, figure in measure(inside, case.grid, sized=is_sized(case)).items()}


def sample_figures(samples: ProbabilitySamples, case: Case, regions: Sequence[Sequence[int]] = ()) -> list[list[Any]]:
    """What a prediction keeps of its samples, shape (samples, classes, I, J, K): rows of label value, measure, each sample's figure.

    `regions` holds the classes of each label that others lie inside of, as `Recipe.regions`; () where each label stands alone.
    """
    answers = samples.argmax(axis=1).astype(np.uint8)
    rows: list[list[Any]] = []
    for label in range(1, samples.shape[1]):
        found = [mask_figures(np.isin(answer, regions[label - 1] if regions else label), case) for answer in answers]
        rows += [[label, name, [one[name] for one in found]] for name in measure_names(case.grid)]
    return rows


def figures_of_samples(prediction: Prediction, label: int, name: MeasureName) -> FloatArray:
    """The samples' figures that a prediction keeps, NaN where there is none; empty when it keeps none."""
    for row_label, row_name, figures in prediction.scores.get("measures", ()):
        if (row_label, row_name) == (label, name):
            return np.array([math.nan if f is None else f for f in figures], dtype=np.float64)
    return np.zeros(0)


def reaches_border(mask: MaskArray, label: int) -> bool:
    """Whether a structure on a single slice is cut off by the edge of the image."""
    flat = mask[:, :, 0] == label
    return bool(flat[[0, -1]].any() or flat[:, [0, -1]].any())


def _kept(figure: float) -> float | None:
    return float(f"{figure:.7g}") if math.isfinite(figure) else None
