"""Whether stated probabilities come true."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, CaseProbabilities, FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError

DEFAULT_BINS = 15
"""The number of equal confidence bins of Guo et al. 2017."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""Stands for a probability of 0 in a logarithm."""

ROUNDING = 1e-6
"""Means of float32 samples may lie this far above 1."""


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
    t = checked_rows(truth, probabilities)
    return _diagram(probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == t, bins)


def class_reliability(
    truth: Sequence[int] | IntArray, probabilities: CaseProbabilities, label: int, *, bins: int = DEFAULT_BINS
) -> Reliability:
    """Sort cases into equal bins of the probability of one class, and count how often that class is true.

    Args:
        truth: Class per case, shape (cases,).
        probabilities: Shape (cases, classes); rows sum to 1.
        label: The class.
        bins: Number of equal bins of [0, 1].

    Raises:
        ShapeError: Lengths that do not fit, or no such class.
        InputError: Probabilities outside 0..1 or NaN.

    Source: Zadrozny and Elkan 2002, doi:10.1145/775047.775151 (one class against the others).
    """
    t = checked_rows(truth, probabilities)
    if not 0 <= label < probabilities.shape[1]:
        raise ShapeError(f"The class must lie in 0..{probabilities.shape[1] - 1}, got {label}")
    return _diagram(probabilities[:, label].astype(np.float64), t == label, bins)


def gap(diagram: Reliability) -> float:
    """Mean distance between promise and outcome over the bins, weighted by their cases: 0 best, 1 worst.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    return float(np.nansum(np.abs(diagram.accuracy - diagram.confidence) * diagram.counts) / diagram.counts.sum())


def ece(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities, *, bins: int = DEFAULT_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy, weighted by cases per bin.

    See `reliability` for arguments and errors.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    return gap(reliability(truth, probabilities, bins=bins))


def classwise_ece(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities, *, bins: int = DEFAULT_BINS) -> float:
    """Mean over the classes of each class's own calibration error: also rare classes count.

    See `reliability` for arguments and errors.

    Source: Kull et al. 2019, arXiv:1910.12656, equation 2.
    """
    labels = range(probabilities.shape[-1])
    return float(np.mean([gap(class_reliability(truth, probabilities, label, bins=bins)) for label in labels]))


def brier(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> float:
    """Mean squared distance between probabilities and the truth, summed over classes: 0 best, 2 worst.

    See `reliability` for arguments and errors.

    Source: Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    t = checked_rows(truth, probabilities)
    wanted = np.eye(probabilities.shape[1])[t]
    return float(np.mean(np.sum((probabilities - wanted) ** 2, axis=1)))


def nll(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> float:
    """Mean negative log-likelihood of the truth in nats: 0 best; a probability of 0 counts as the smallest normal float32.

    See `reliability` for arguments and errors.

    Source: Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x (logarithmic score).
    """
    t = checked_rows(truth, probabilities)
    stated = probabilities[np.arange(len(t)), t].astype(np.float64)
    return float(-np.log(np.maximum(stated, SMALLEST)).mean())


def checked_rows(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> IntArray:
    """The classes as whole numbers, if they fit the table of probabilities.

    Raises:
        ShapeError: Lengths that do not fit, or a class that the table has no column for.
        InputError: Probabilities outside 0..1 or NaN.
    """
    t = np.asarray(truth, dtype=np.int64)
    if probabilities.ndim != 2 or t.shape != probabilities.shape[:1] or not len(t):
        raise ShapeError(f"Expected probabilities (cases, classes) and one class per case, got {probabilities.shape} and {t.shape}")
    if t.min() < 0 or t.max() >= probabilities.shape[1]:
        raise ShapeError(f"Classes must lie in 0..{probabilities.shape[1] - 1}, got {t.min()}..{t.max()}")
    if not (probabilities.min() >= 0 and probabilities.max() <= 1 + ROUNDING):
        raise InputError("Probabilities must lie in 0..1 and be numbers", remedy="apply softmax to logits first")
    return t


def _diagram(confidence: FloatArray, right: BoolArray, bins: int) -> Reliability:
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    promised, came_true = (np.bincount(place, weights=values, minlength=bins) / filled for values in (confidence, right))
    return Reliability(promised, came_true, counts)
