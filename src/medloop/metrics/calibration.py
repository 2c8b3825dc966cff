"""Whether stated probabilities come true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseProbabilities, FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError

DEFAULT_BINS = 15
"""The number of equal confidence bins of Guo et al. 2017."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram: per bin of confidence, what was promised and what came true.

    Attributes:
        confidence: Mean stated confidence per bin, shape (bins,); NaN in empty bins.
        accuracy: Share that was right per bin, shape (bins,); NaN in empty bins.
        counts: Cases per bin, shape (bins,).
    """

    confidence: FloatArray
    accuracy: FloatArray
    counts: IntArray


def reliability(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities, *, bins: int = DEFAULT_BINS) -> Reliability:
    """Sort cases into equal bins of the confidence in their most likely class.

    Args:
        truth: Class per case, shape (cases,).
        probabilities: Shape (cases, classes); rows sum to 1.
        bins: Number of equal bins of (0, 1].

    Raises:
        ShapeError: Lengths that do not fit.
        InputError: Probabilities outside 0..1 or NaN.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    t = _checked(truth, probabilities)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == t
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    return Reliability(
        confidence=np.bincount(place, weights=confidence, minlength=bins) / filled,
        accuracy=np.bincount(place, weights=right, minlength=bins) / filled,
        counts=counts,
    )


def ece(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities, *, bins: int = DEFAULT_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by cases per bin.

    Args:
        truth: Class per case, shape (cases,).
        probabilities: Shape (cases, classes).
        bins: Number of equal bins.

    Raises:
        ShapeError: Lengths that do not fit.
        InputError: Probabilities outside 0..1 or NaN.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    diagram = reliability(truth, probabilities, bins=bins)
    gaps = np.abs(diagram.accuracy - diagram.confidence)
    return float(np.nansum(gaps * diagram.counts) / diagram.counts.sum())


def brier(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> float:
    """Mean squared distance between probabilities and the truth, summed over classes: 0 best, 2 worst.

    Args:
        truth: Class per case, shape (cases,).
        probabilities: Shape (cases, classes).

    Raises:
        ShapeError: Lengths that do not fit.
        InputError: Probabilities outside 0..1 or NaN.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    t = _checked(truth, probabilities)
    wanted = np.eye(probabilities.shape[1])[t]
    return float(np.mean(np.sum((probabilities - wanted) ** 2, axis=1)))


def _checked(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> IntArray:
    t = np.asarray(truth, dtype=np.int64)
    if probabilities.ndim != 2 or t.shape != probabilities.shape[:1] or not len(t):
        raise ShapeError(f"Expected probabilities (cases, classes) and one class per case, got {probabilities.shape} and {t.shape}")
    if not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise InputError("Probabilities must lie in 0..1 and be numbers", remedy="apply softmax to logits first")
    return t
