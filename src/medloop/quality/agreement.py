"""How good a prediction probably is, judged without its truth by how much the model agrees with itself.

Agreement between a model's samples (dropout, flips, members) ranks predictions well; it is turned into
an expected Dice by a straight line fitted on evaluation cases, with a conformal interval around it.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from medloop.core.arrays import ClassProbabilities, FloatArray, IntArray, ProbabilitySamples
from medloop.core.errors import ShapeError

MIN_FIT_CASES = 5
"""Fewer evaluated cases than this cannot carry a line and an interval; the raw agreement is reported."""


@dataclass(frozen=True)
class Quality:
    """An expected score in 0..1 with its interval; the interval is None until it can be calibrated."""

    expected: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class QualityMap:
    """expected = intercept + slope · agreement, ± margin (None: not calibrated)."""

    intercept: float = 0.0
    slope: float = 1.0
    margin: float | None = None

    @property
    def calibrated(self) -> bool:
        """Whether it was fitted on enough evaluated cases to carry an interval."""
        return self.margin is not None

    def __call__(self, agreement: float) -> Quality:
        """The quality expected at this agreement."""
        expected = float(np.clip(self.intercept + self.slope * agreement, 0.0, 1.0))
        if self.margin is None:
            return Quality(expected)
        return Quality(expected, max(0.0, expected - self.margin), min(1.0, expected + self.margin))


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
        raise ShapeError(f"Agreement needs at least two samples, got {len(samples)}; ask for more samples")
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
        raise ShapeError(f"Two models must answer on the same classes and voxels, got {first.shape} and {second.shape}")
    return sample_agreement(np.stack([first, second]))


def _pair_dice(a: IntArray, b: IntArray, count_a: IntArray, count_b: IntArray) -> float:
    both = np.bincount(a[a == b].ravel(), minlength=len(count_a))[1:]
    total = (count_a + count_b)[1:]
    present = total > 0
    return float(np.mean(2.0 * both[present] / total[present])) if present.any() else 1.0


def fit_quality(agreement: FloatArray, truth: FloatArray, *, coverage: float = 0.9) -> QualityMap:
    """Fit the line from agreement to true score on evaluated cases.

    Args:
        agreement: Shape (cases,), from `sample_agreement`.
        truth: Shape (cases,), the true scores.
        coverage: Share of cases the interval should cover (split-conformal quantile of leave-one-out residuals).

    Returns:
        The fitted map; the identity without interval when there are fewer than `MIN_FIT_CASES` cases.

    Source: leave-one-out residuals as in the jackknife, Barber et al. 2021, arXiv:1905.02928.
    """
    cases = len(agreement)
    if cases < MIN_FIT_CASES:
        return QualityMap()
    centred = agreement - agreement.mean()
    spread = float(centred @ centred)
    slope = max(0.0, float(centred @ (truth - truth.mean())) / spread) if spread > 1e-9 else 0.0
    intercept = float(truth.mean() - slope * agreement.mean())
    leverage = 1.0 / cases + (centred**2 / spread if spread > 1e-9 and slope > 0 else 0.0)
    residuals = np.sort(np.abs(truth - intercept - slope * agreement) / np.clip(1.0 - leverage, 0.1, 1.0))
    rank = min(cases - 1, int(np.ceil(coverage * (cases + 1))) - 1)
    return QualityMap(intercept, slope, float(residuals[rank]))
