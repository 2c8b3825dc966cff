"""What the samples of one prediction say about the case, as numbers: doubt by every measure, sizes, agreement."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray, ProbabilitySamples
from medloop.core.records import Aggregation, Model
from medloop.quality.agreement import sample_agreement
from medloop.query import scores
from medloop.query.budget.minutes import border_length
from medloop.query.uncertainty import aggregation as sums
from medloop.query.uncertainty import voxels
from medloop.query.uncertainty.readers import confused_disagreement, expected_disagreement

BOX_MM = 20.0
"""Edge of the box whose doubt counts when "box" sums up a map."""

CONTOUR_MM = 3.0
"""Width of the seam along the predicted border that counts with "contour"."""


@dataclass(frozen=True)
class Judged:
    """A prediction's scores by name (numbers and rows of numbers) and the agreement of its samples."""

    scores: dict[str, Any]
    agreement: float


Differ: TypeAlias = Callable[[ProbabilitySamples], FloatArray]
"""From samples, shape (samples, classes, …), to the probability that two readers differ, shape (…)."""


def judge(
    samples: ProbabilitySamples,
    *,
    aggregation: Aggregation = "mean",
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    differ: Differ | None = None,
) -> Judged:
    """Query scores of one case by name, from samples of shape (S, C, I, J, K), or (S, C) for a classification.

    `foreground` is the guessed share of foreground voxels, used by foreground-aware strategies. `samples` holds each
    sample's class probabilities; for a segmentation those of an average voxel, so that samples disagree when they see
    different amounts of a class. With one sample nothing can disagree, and these scores are 0. The entropy of the mean
    splits into `expected_entropy` (doubt each sample has itself, aleatoric) and `bald` (their disagreement, epistemic). `disagreement`
    is there for models that know of readers (`differ`).
    """
    agreement = sample_agreement(samples) if len(samples) > 1 else 1.0
    found = _of_tag(samples, differ) if samples.ndim == 2 else _of_mask(samples, aggregation, spacing_mm, differ)
    return Judged(found, agreement)


def uncertainty_bytes(samples: ProbabilitySamples) -> MaskArray:
    """Predictive entropy per voxel as uint8: 0 sure, 255 = ln(classes) nats. Shape (I, J, K)."""
    entropy = voxels.voxel_entropy(samples) / math.log(samples.shape[1])
    scaled: MaskArray = np.rint(np.clip(entropy, 0.0, 1.0) * 255).astype(np.uint8)
    return scaled


def readers_differ(model: Model) -> Differ | None:
    """How a model expects readers to differ: with soft targets, or an annotator model, it learned that; else None."""
    if model.recipe.get("targets") == "soft":
        return expected_disagreement
    matrices = model.metrics.get("confusions")
    return partial(confused_disagreement, confusions=np.array(matrices)) if matrices else None


def _of_tag(samples: ProbabilitySamples, differ: Differ | None) -> dict[str, Any]:
    mean, several = samples.mean(axis=0)[None], samples[:, None]
    found: dict[str, Any] = {name: float(score(mean)[0]) for name, score in scores.OF_MEAN.items()}
    found |= {name: float(score(several)[0]) if len(samples) > 1 else 0.0 for name, score in scores.OF_SAMPLES.items()}
    found["expected_entropy"] = float(scores.expected_entropy(several)[0])
    found |= {"disagreement": float(differ(samples))} if differ else {}
    return {
        **found,
        "foreground": float(1.0 - mean[0, 0]),
        **{name: _row(rows[0]) for name, rows in scores.class_rows(several).items()},
        "samples": _rows(samples),
    }


def _of_mask(
    samples: ProbabilitySamples, aggregation: Aggregation, spacing_mm: tuple[float, float, float], differ: Differ | None
) -> dict[str, Any]:
    mean = samples.mean(axis=0, keepdims=True)  # once: each map of the mean would work it out again
    predicted = mean[0].argmax(axis=0).astype(np.uint8)
    maps = {name: score(mean) for name, score in _MAPS.items()}
    if len(samples) > 1:
        maps |= {name: score(samples) for name, score in _DISAGREEMENT_MAPS.items()}
    maps |= {"disagreement": differ(samples)} if differ else {}
    maps["expected_entropy"] = maps["entropy"] - maps.get("bald", 0.0)
    found: dict[str, Any] = dict.fromkeys(_DISAGREEMENT_MAPS, 0.0) | sum_up(maps, predicted, aggregation, spacing_mm)
    means, counts = sums.class_means(maps["entropy"], predicted, samples.shape[1])
    return {
        **found,
        "foreground": float((predicted > 0).mean()),
        "border": border_length(predicted),
        "class_entropy": _row(means),
        "class_share": _row(counts / predicted.size),
        "samples": _rows(samples.mean(axis=(2, 3, 4), dtype=np.float64)),
    }


def sum_up(
    maps: dict[str, FloatArray], predicted: MaskArray, aggregation: Aggregation, spacing_mm: tuple[float, float, float]
) -> dict[str, float]:
    """One number per map of voxels.

    Args:
        maps: Score maps by name, each of shape (I, J, K).
        predicted: Label values, shape (I, J, K).
        aggregation: "mean", "sum", "top", "foreground" (where anything is predicted), "contour" (weighted by closeness to the
            predicted border), "classes" (mean of the classes' means) or "box" (the highest mean of a 20 mm box).
        spacing_mm: Of the voxels.
    """
    if aggregation == "classes":
        return {name: sums.class_balanced_mean(m, predicted) for name, m in maps.items()}
    if aggregation == "box":
        box = [max(1, round(BOX_MM / mm)) for mm in spacing_mm]
        return {name: float(sums.box_means(m, box).max()) for name, m in maps.items()}
    weights: FloatArray | None = None
    if aggregation == "contour":
        weights = sums.contour_weights(predicted, sigma_mm=CONTOUR_MM, spacing_mm=spacing_mm)
    if aggregation == "foreground":
        weights = (predicted > 0).astype(np.float64) if predicted.any() else np.ones(predicted.shape)
    how: sums.Aggregation = "mean" if aggregation == "contour" else aggregation
    return {name: sums.aggregate(m, weights, how=how) for name, m in maps.items()}


def _row(values: FloatArray) -> list[float]:
    """As JSON; six digits are more than a sample's noise."""
    return [round(float(value), 6) for value in values]


def _rows(samples: FloatArray) -> list[list[float]]:
    return [_row(row) for row in samples]


_MAPS = {
    "least_confidence": voxels.voxel_least_confidence,
    "margin": voxels.voxel_margin,
    "ratio": voxels.voxel_ratio,
    "entropy": voxels.voxel_entropy,
}
_DISAGREEMENT_MAPS = {
    "bald": voxels.voxel_mutual_information,
    "vote_entropy": voxels.voxel_vote_entropy,
    "variation_ratio": voxels.voxel_variation_ratio,
    "mean_std": voxels.voxel_mean_std,
}
