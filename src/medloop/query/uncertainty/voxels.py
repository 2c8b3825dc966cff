"""Scores voxel by voxel: from the `samples` of one case, shape (S, C, I, J, K), to a map (I, J, K).

Each map is the score of the same name in `medloop.query.scores`, at every voxel; `medloop.query.uncertainty.aggregation` turns a
map into one number. Higher always means: query sooner.
"""

import numpy as np

from medloop.core.arrays import FloatArray, ProbabilitySamples
from medloop.core.errors import InputError, ShapeError
from medloop.query.probabilities import SUM_TOLERANCE
from medloop.query.scores import vote_shares


def voxel_least_confidence(samples: ProbabilitySamples) -> FloatArray:
    """`least_confidence` of the mean sample at every voxel, shape (I, J, K).

    Raises:
        ShapeError: Not five axes.
        InputError: NaN.
    """
    scores: FloatArray = 1.0 - _mean_sample(samples).max(axis=0)
    return finite_map(scores)


def voxel_margin(samples: ProbabilitySamples) -> FloatArray:
    """`margin` of the mean sample at every voxel, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single class.
        InputError: NaN.
    """
    best, second = _two_best(samples)
    return finite_map(1.0 - (best - second))


def voxel_ratio(samples: ProbabilitySamples) -> FloatArray:
    """`ratio` of the mean sample at every voxel, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single class.
        InputError: NaN, or a voxel at which every class has probability 0.
    """
    best, second = _two_best(samples)
    with np.errstate(invalid="ignore"):
        return finite_map(second / best)


def voxel_entropy(samples: ProbabilitySamples) -> FloatArray:
    """`entropy` of the mean sample at every voxel in nats, shape (I, J, K).

    Raises:
        ShapeError: Not five axes.
        InputError: NaN or negative probabilities.
    """
    return finite_map(_entropy(_mean_sample(samples)))


def voxel_mutual_information(samples: ProbabilitySamples) -> FloatArray:
    """`mutual_information` (BALD) at every voxel in nats, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single sample.
        InputError: NaN or negative probabilities.
    """
    _require_several(samples)
    own = sum(_entropy(sample) for sample in samples) / len(samples)
    gap: FloatArray = np.maximum(_entropy(samples.mean(axis=0)) - own, 0.0)  # rounding may go a hair below 0
    return finite_map(gap)


def voxel_expected_entropy(samples: ProbabilitySamples) -> FloatArray:
    """`expected_entropy` (aleatoric doubt) at every voxel in nats, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or no sample.
        InputError: NaN or negative probabilities.
    """
    require_volume(samples)
    return finite_map(np.asarray(sum(_entropy(sample) for sample in samples)) / len(samples))


def voxel_vote_entropy(samples: ProbabilitySamples) -> FloatArray:
    """`vote_entropy` at every voxel in nats, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single sample.
        InputError: NaN.
    """
    return finite_map(_entropy(_votes(samples)))


def voxel_variation_ratio(samples: ProbabilitySamples) -> FloatArray:
    """`variation_ratio` at every voxel, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single sample.
        InputError: NaN.
    """
    scores: FloatArray = 1.0 - _votes(samples).max(axis=0)
    return finite_map(scores)


def voxel_mean_std(samples: ProbabilitySamples) -> FloatArray:
    """`mean_std` at every voxel, shape (I, J, K).

    Raises:
        ShapeError: Not five axes, or a single sample.
        InputError: NaN.
    """
    _require_several(samples)
    scores: FloatArray = samples.std(axis=0).mean(axis=0)
    return finite_map(scores)


def finite_map(scores: FloatArray) -> FloatArray:
    """The map, if all of it is numbers.

    Raises:
        InputError: NaN or infinity; the number of voxels is named.
    """
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise InputError(
            f"Probabilities and scores must be numbers, got NaN or infinity at {bad} voxels", remedy="check the model's output"
        )
    return scores


def require_volume(samples: ProbabilitySamples) -> None:
    """Refuse samples that are not those of one volume.

    Raises:
        ShapeError: Not five axes, or no sample.
        InputError: NaN, negative, or classes that do not sum to 1 at each voxel.
    """
    if samples.ndim != 5 or not len(samples):
        raise ShapeError(f"Samples of a volume have axes (samples, classes, I, J, K) and at least one sample, got {samples.shape}")
    sums = finite_map(samples.sum(axis=1))
    if sums.size and (samples.min() < 0 or np.abs(sums - 1.0).max() > SUM_TOLERANCE):
        raise InputError("Probabilities must not be negative and must sum to 1 over the classes", remedy="apply softmax to logits first")


def _entropy(probabilities: FloatArray) -> FloatArray:
    from scipy.special import xlogy

    total: FloatArray = -xlogy(probabilities, probabilities).sum(axis=0)
    return np.maximum(total, 0.0)


def _two_best(samples: ProbabilitySamples) -> tuple[FloatArray, FloatArray]:
    """Of the mean sample."""
    mean = _mean_sample(samples)
    if len(mean) < 2:
        raise ShapeError(f"A margin needs at least 2 classes, got {len(mean)}")
    best = np.partition(mean, len(mean) - 2, axis=0)
    return best[-1], best[-2]


def _votes(samples: ProbabilitySamples) -> FloatArray:
    _require_several(samples)
    finite_map(samples.sum(axis=(0, 1)))
    return vote_shares(samples, axis=1)


def _mean_sample(samples: ProbabilitySamples) -> FloatArray:
    require_volume(samples)
    mean: FloatArray = samples.mean(axis=0)
    return mean


def _require_several(samples: ProbabilitySamples) -> None:
    require_volume(samples)
    if len(samples) < 2:
        raise ShapeError(f"Disagreement needs >= 2 samples per case, got {len(samples)}", remedy="use dropout or an ensemble")
