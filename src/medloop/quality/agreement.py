"""How good a prediction probably is, judged without its truth by how much the model agrees with itself.

Agreement between a model's samples (dropout, flips, members) ranks predictions; `medloop.quality.expected` turns it into
an expected Dice where evaluated patients show that it does.
"""

from itertools import combinations

import numpy as np

from medloop.core.arrays import ClassProbabilities, IntArray, ProbabilitySamples
from medloop.core.errors import ShapeError


def sample_agreement(samples: ProbabilitySamples) -> float:
    """Mean pairwise agreement of the samples' hard answers.

    Args:
        samples: Shape (samples, classes, …). With voxel axes: mean Dice over foreground classes present in
            either sample of a pair. Without: share of pairs that name the same class.

    Returns:
        Within 0..1; 1.0 when all samples say the same.

    Raises:
        ShapeError: With fewer than two samples.

    Source: pairwise Dice of an ensemble, Kahl et al. 2024, ValUES; Roy et al. 2019, arXiv:1811.09800.
    """
    if len(samples) < 2:
        raise ShapeError(f"Agreement needs at least two samples, got {len(samples)}; take more samples")
    answers = samples.argmax(axis=1)
    pairs = combinations(range(len(answers)), 2)
    if answers.ndim == 1:
        return float(np.mean([answers[a] == answers[b] for a, b in pairs]))
    counts = [np.bincount(a.ravel(), minlength=samples.shape[1]) for a in answers]
    return float(np.mean([_pair_dice(answers[a], answers[b], counts[a], counts[b]) for a, b in pairs]))


def model_agreement(first: ClassProbabilities, second: ClassProbabilities) -> float:
    """Agreement of two independently trained models about one case: the best single sign of a good answer.

    The two should share as little as can be: other weights at the start, other training cases, another recipe. A second
    model that is much better than the first flatters it (the agreement is then close to the truth itself).

    Args:
        first: Shape (classes, I, J, K), or (classes,) for a classification.
        second: The same shape.

    Returns:
        Within 0..1: mean Dice of both answers over the foreground classes that either sees; see `sample_agreement`.

    Raises:
        ShapeError: Different shapes.
    """
    if first.shape != second.shape:
        raise ShapeError(f"Two models must predict the same classes and voxels, got {first.shape} and {second.shape}")
    return sample_agreement(np.stack([first, second]))


def _pair_dice(a: IntArray, b: IntArray, count_a: IntArray, count_b: IntArray) -> float:
    both = np.bincount(a[a == b].ravel(), minlength=len(count_a))[1:]
    total = (count_a + count_b)[1:]
    present = total > 0
    return float(np.mean(2.0 * both[present] / total[present])) if present.any() else 1.0
