"""How well whole cases are classified."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import CaseProbabilities, CaseScores, IntArray
from medloop.core.errors import InputError, LabelError, ShapeError


def accuracy(truth: Sequence[int] | IntArray, predicted: Sequence[int] | IntArray) -> float:
    """Share of cases whose class is right.

    Args:
        truth: Class per case, shape (cases,).
        predicted: Class per case, same length.

    Raises:
        ShapeError: Different lengths, or no case.
    """
    t, p = _pair(truth, predicted)
    return float(np.mean(t == p))


def balanced_accuracy(truth: Sequence[int] | IntArray, predicted: Sequence[int] | IntArray) -> float:
    """Mean over the classes present in the truth of the share of their cases that is right.

    Args:
        truth: Class per case, shape (cases,).
        predicted: Class per case, same length.

    Raises:
        ShapeError: Different lengths, or no case.

    Source: Brodersen et al. 2010, doi:10.1109/ICPR.2010.764.
    """
    t, p = _pair(truth, predicted)
    return float(np.mean([np.mean(p[t == value] == value) for value in np.unique(t)]))


def confusion(truth: Sequence[int] | IntArray, predicted: Sequence[int] | IntArray, classes: int) -> npt.NDArray[np.int64]:
    """Counts of (true class, predicted class).

    Args:
        truth: Class per case, 0..classes-1.
        predicted: Class per case, 0..classes-1.
        classes: Number of classes.

    Returns:
        Shape (classes, classes), rows true, columns predicted.

    Raises:
        ShapeError: Different lengths, or no case.
        LabelError: A class outside the range.
    """
    t, p = _pair(truth, predicted)
    for name, values in (("truth", t), ("predicted", p)):
        if values.min() < 0 or values.max() >= classes:
            raise LabelError(f"Classes of {name} must lie in 0..{classes - 1}, got {values.min()}..{values.max()}")
    return np.bincount(t * classes + p, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def auc(truth: npt.ArrayLike, scores: CaseScores) -> float:
    """Area under the ROC curve: the chance that a positive case outscores a negative one, ties counting half.

    Args:
        truth: True for positive cases, shape (cases,).
        scores: Higher means more likely positive, shape (cases,).

    Raises:
        ShapeError: Different lengths, or no case.
        InputError: Only one class present, or scores that are not numbers.

    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    positive, values = np.asarray(truth).astype(bool), np.asarray(scores, dtype=np.float64)
    _require_equal_lengths(positive, values)
    if np.isnan(values).any():
        raise InputError(f"Scores must be numbers, got NaN for {int(np.isnan(values).sum())} cases")
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        raise InputError(f"An area under the ROC curve needs both classes, got {count} positive and {others} negative cases")
    _, inverse, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2.0)[inverse]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def roc_curve(truth: npt.ArrayLike, scores: CaseScores) -> tuple[CaseScores, CaseScores]:
    """False and true positive rates at every threshold, from the strictest down, (0, 0) first; shape (thresholds,) each.

    Args:
        truth: True for positive cases, shape (cases,); both kinds are there.
        scores: Higher means more likely positive, shape (cases,).

    Raises:
        ShapeError: Different lengths, or no case.

    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010, algorithm 1.
    """
    positive, values = np.asarray(truth).astype(bool), np.asarray(scores, dtype=np.float64)
    _require_equal_lengths(positive, values)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    false, true = (np.append(0, np.cumsum(kind[order])[last]) / kind.sum() for kind in (~positive, positive))
    return false, true


def macro_auc(truth: Sequence[int] | IntArray, probabilities: CaseProbabilities) -> float:
    """Mean one-against-rest area under the ROC curve over the classes present in the truth.

    Args:
        truth: Class per case, shape (cases,).
        probabilities: Shape (cases, classes).

    Raises:
        InputError: Fewer than two classes present.
    """
    t = np.asarray(truth)
    return float(np.mean([auc(t == value, probabilities[:, int(value)]) for value in np.unique(t)]))


def _pair(truth: Sequence[int] | IntArray, predicted: Sequence[int] | IntArray) -> tuple[IntArray, IntArray]:
    t, p = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    _require_equal_lengths(t, p)
    return t, p


def _require_equal_lengths(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> None:
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise ShapeError(f"Truth and answer must be two lists of the same length, at least one case, got {a.shape} and {b.shape}")
