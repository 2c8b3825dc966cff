"""From probabilities to scores: how unsure a model is about a case, a voxel, a volume.

Class forms take probabilities with the classes on the last axis; voxel forms take the samples of one
case, shape (S, C, I, J, K), and give a map (I, J, K); `aggregate` turns a map into one number. Higher
always means: ask sooner. All logarithms are natural.
"""

from typing import Literal, TypeAlias

import numpy as np
from scipy.special import xlogy

from medloop.core.arrays import CaseProbabilities, CaseScores, ClassSamples, FloatArray, ProbabilitySamples
from medloop.core.errors import InputError, SettingError, ShapeError

Aggregation: TypeAlias = Literal["mean", "sum", "top", "foreground"]

TOP_SHARE = 0.01
"""Share of the voxels that "top" averages: the worst spot of a volume, yet not one noisy voxel."""

SUM_TOLERANCE = 1e-3
"""Probabilities of one case may miss 1 by this much: the rounding of float16 over a few hundred classes."""


def least_confidence(probabilities: CaseProbabilities) -> CaseScores:
    """One minus the probability of the most likely class.

    Args:
        probabilities: Shape (cases, classes); rows sum to 1.

    Returns:
        Shape (cases,), 0 (sure) to 1 - 1/classes.

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Lewis and Gale 1994, arXiv:cmp-lg/9407020; Settles 2009, section 3.1.
    """
    scores: CaseScores = 1.0 - _checked(probabilities).max(axis=-1)
    return scores


def margin(probabilities: CaseProbabilities) -> CaseScores:
    """One minus the gap between the two most likely classes.

    Args:
        probabilities: Shape (cases, classes), at least two classes; rows sum to 1.

    Returns:
        Shape (cases,), 0 (sure) to 1 (two classes tie).

    Raises:
        ShapeError: Not two axes, or a single class.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31; Settles 2009, section 3.1.
    """
    return _one_minus_gap(_checked(probabilities), axis=-1)


def entropy(probabilities: CaseProbabilities) -> CaseScores:
    """Shannon entropy of the predicted classes.

    Args:
        probabilities: Shape (cases, classes); rows sum to 1.

    Returns:
        Nats, shape (cases,), 0 to ln(classes).

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Shannon 1948, section 6; Settles 2009, section 3.1.
    """
    return _entropy(_checked(probabilities), axis=-1)


def mutual_information(samples: ClassSamples) -> CaseScores:
    """Score each case by how much the model's samples disagree (BALD).

    Args:
        samples: Class probabilities, shape (samples, cases, classes); last axis sums to 1.

    Returns:
        Scores in nats, shape (cases,), within [0, ln(classes)]; higher means ask sooner.

    Raises:
        ShapeError: Not three axes, or fewer than two samples per case.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Houlsby et al. 2011, arXiv:1112.5745, section 2.
    """
    checked = _checked(samples, axes=3)
    _require_samples(checked)
    return _disagreement(checked, axis=-1)


def voxel_least_confidence(samples: ProbabilitySamples) -> FloatArray:
    """`least_confidence` of the mean sample at every voxel, shape (I, J, K).

    Args:
        samples: Shape (S, C, I, J, K).

    Raises:
        ShapeError: Not five axes.
        InputError: NaN.
    """
    scores: FloatArray = 1.0 - _mean_sample(samples).max(axis=0)
    return _finite_map(scores)


def voxel_margin(samples: ProbabilitySamples) -> FloatArray:
    """`margin` of the mean sample at every voxel, shape (I, J, K).

    Args:
        samples: Shape (S, C, I, J, K), at least two classes.

    Raises:
        ShapeError: Not five axes, or a single class.
        InputError: NaN.
    """
    return _finite_map(_one_minus_gap(_mean_sample(samples), axis=0))


def voxel_entropy(samples: ProbabilitySamples) -> FloatArray:
    """`entropy` of the mean sample at every voxel in nats, shape (I, J, K).

    Args:
        samples: Shape (S, C, I, J, K).

    Raises:
        ShapeError: Not five axes.
        InputError: NaN or negative probabilities.
    """
    return _finite_map(_entropy(_mean_sample(samples), axis=0))


def voxel_mutual_information(samples: ProbabilitySamples) -> FloatArray:
    """`mutual_information` (BALD) at every voxel in nats, shape (I, J, K).

    Args:
        samples: Shape (S, C, I, J, K), at least two samples.

    Raises:
        ShapeError: Not five axes, or a single sample.
        InputError: NaN or negative probabilities.
    """
    _require_volume(samples)
    _require_samples(samples)
    return _finite_map(_disagreement(samples, axis=1))


def aggregate(score_map: FloatArray, weights: FloatArray | None, how: Aggregation = "mean") -> float:
    """One number for a volume from its voxel map.

    Args:
        score_map: Scores per voxel, any shape.
        weights: Importance per voxel, same shape, not negative; None weighs all alike.
        how: "mean" (weighted average), "sum" (weighted sum, favours large organs and doubt), "top" (average of the
            weighted highest `TOP_SHARE` of voxels), "foreground" (average where the weight is at least 0.5; without
            such a voxel, the plain mean).

    Returns:
        The score; higher means ask sooner.

    Raises:
        ShapeError: Weights of another shape, or an empty map.
        InputError: NaN in map or weights, or weights that sum to nothing.
        SettingError: An unknown `how`, or "foreground" without weights.
    """
    values, importance = _weighted(score_map, weights)
    if how == "mean":
        if importance is None:
            return float(values.mean(dtype=np.float64))
        return float(np.average(values, weights=importance))
    product = values if importance is None else values * importance
    if how == "sum":
        return float(product.sum(dtype=np.float64))
    if how == "top":
        count = max(1, round(TOP_SHARE * product.size))
        return float(np.partition(product, product.size - count)[product.size - count :].mean(dtype=np.float64))
    if how == "foreground" and importance is not None:
        inside = importance >= 0.5
        return float((values[inside] if inside.any() else values).mean(dtype=np.float64))
    if how == "foreground":
        raise SettingError('Aggregation "foreground" needs weights', remedy="pass the foreground probability per voxel")
    raise SettingError(f"Unknown aggregation {how!r}", remedy="use mean, sum, top or foreground")


def _weighted(score_map: FloatArray, weights: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    if not score_map.size or (weights is not None and weights.shape != score_map.shape):
        raise ShapeError(
            f"Weights must have the shape of a map with voxels, got {None if weights is None else weights.shape} for {score_map.shape}"
        )
    _finite_map(score_map)
    if weights is None:
        return score_map.ravel(), None
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() > 0):
        raise InputError("Weights must be finite, not negative, and not all zero")
    return score_map.ravel(), weights.ravel()


def _entropy(probabilities: FloatArray, *, axis: int) -> FloatArray:
    total: FloatArray = -xlogy(probabilities, probabilities).sum(axis=axis)
    return np.maximum(total, 0.0)


def _disagreement(samples: FloatArray, *, axis: int) -> FloatArray:
    """Entropy of the mean minus mean entropy; rounding may make it a hair negative, the truth is not."""
    shared = samples.mean(axis=0)
    own = sum(_entropy(sample, axis=axis - 1 if axis > 0 else axis) for sample in samples) / len(samples)
    gap: FloatArray = np.maximum(_entropy(shared, axis=axis - 1 if axis > 0 else axis) - own, 0.0)
    return gap


def _one_minus_gap(probabilities: FloatArray, *, axis: int) -> FloatArray:
    classes = probabilities.shape[axis]
    if classes < 2:
        raise ShapeError(f"A margin needs at least 2 classes, got {classes}")
    best = np.partition(probabilities, classes - 2, axis=axis)
    scores: FloatArray = 1.0 - (best.take(classes - 1, axis=axis) - best.take(classes - 2, axis=axis))
    return scores


def _mean_sample(samples: ProbabilitySamples) -> FloatArray:
    _require_volume(samples)
    mean: FloatArray = samples.mean(axis=0)
    return mean


def _require_volume(samples: ProbabilitySamples) -> None:
    if samples.ndim != 5 or not len(samples):
        raise ShapeError(f"Samples of a volume have axes (samples, classes, I, J, K) and at least one sample, got {samples.shape}")


def _require_samples(samples: ProbabilitySamples) -> None:
    if len(samples) < 2:
        raise ShapeError(f"Mutual information needs >= 2 samples per case, got {len(samples)}", remedy="use dropout or an ensemble")


def _finite_map(scores: FloatArray) -> FloatArray:
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise InputError(
            f"Probabilities and scores must be numbers, got NaN or infinity at {bad} voxels", remedy="check the model's output"
        )
    return scores


def _checked(probabilities: FloatArray, *, axes: int = 2) -> FloatArray:
    """The probabilities, if they are some.

    Raises:
        ShapeError: Another number of axes.
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    if probabilities.ndim != axes:
        raise ShapeError(f"Expected {axes} axes ending in (cases, classes), got shape {probabilities.shape}")
    if np.isnan(probabilities).any():
        case = int(np.argwhere(np.isnan(probabilities))[0][-2])
        raise InputError(f"Probabilities must be numbers, got NaN at case {case}", remedy="check the model's output")
    if probabilities.size and (probabilities.min() < 0 or np.abs(probabilities.sum(axis=-1) - 1.0).max() > SUM_TOLERANCE):
        raise InputError("Probabilities must not be negative and must sum to 1 over the classes", remedy="apply softmax to logits first")
    return probabilities
