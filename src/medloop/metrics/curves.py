"""Learning curves as numbers, how scores order positive cases before negative ones, and p values of many comparisons."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError


def area_under(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Area under a curve by trapezoids, divided by the range of x: the mean height.

    Args:
        x: Strictly increasing, for example labelled cases, shape (points,).
        y: Heights, for example Dice, shape (points,).

    Returns:
        A number within the range of y; a single point gives its own height.

    Raises:
        ShapeError: Different lengths, or no point.
        InputError: x that does not increase, or values that are not finite.
    """
    places, heights = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if places.ndim != 1 or places.shape != heights.shape or not len(places):
        raise ShapeError(f"A curve needs as many x as y, at least one, got {places.shape} and {heights.shape}")
    if not (np.isfinite(places).all() and np.isfinite(heights).all()):
        raise InputError("A curve's points must be finite")
    if len(places) == 1:
        return float(heights[0])
    if (np.diff(places) <= 0).any():
        raise InputError(f"x must increase from point to point, got {places.tolist()}")
    return float(np.trapezoid(heights, places) / (places[-1] - places[0]))


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Adjust p values for testing several hypotheses at once (step-down Bonferroni).

    Args:
        p_values: Shape (tests,), each 0..1.

    Returns:
        Adjusted p values in the given order, shape (tests,); reject where below the level.

    Raises:
        InputError: Values outside 0..1 or NaN.

    Source: Holm 1979, https://www.jstor.org/stable/4615733.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"p values must lie in 0..1, got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


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
