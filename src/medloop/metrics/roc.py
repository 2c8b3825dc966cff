"""How well scores order positive cases before negative ones."""

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import CaseScores
from medloop.core.errors import InputError, ShapeError


def roc_curve(truth: npt.ArrayLike, scores: CaseScores) -> tuple[CaseScores, CaseScores]:
    """False and true positive rates at every threshold, from the strictest down; the area under them is `numpy.trapezoid(true, false)`.

    Args:
        truth: True for positive cases, shape (cases,).
        scores: Higher means more likely positive, shape (cases,).

    Returns:
        Both of shape (thresholds + 1,), beginning with 0 and ending with 1; cases of equal scores share a threshold.

    Raises:
        ShapeError: Different lengths, or no case.
        InputError: Only one class present.

    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010, algorithm 1.
    """
    positive, values = np.asarray(truth).astype(bool), np.asarray(scores, dtype=np.float64)
    if positive.ndim != 1 or positive.shape != values.shape or not len(values):
        raise ShapeError(f"A ROC curve needs one score for each case, at least one, got {positive.shape} and {values.shape}")
    if positive.all() or not positive.any():
        raise InputError(f"A ROC curve needs cases of both classes, got {int(positive.sum())} positive of {len(positive)}")
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    false, true = (np.append(0, np.cumsum(kind[order])[last]) / kind.sum() for kind in (~positive, positive))
    return false, true
