"""Predicted minutes of expert time per case, learned from how long finished answers took.

    ln seconds = b₀ + Σ bₖ ln(1 + xₖ) + noise,    bₖ ≥ 0

More foreground, more border, more doubt and more slices never make a case cheaper, hence bₖ ≥ 0. Answers that took
oddly long (a telephone call) weigh less (Huber). With few timed answers their median stands for every case.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError

Basis: TypeAlias = Literal["regression", "median", "nothing"]

MIN_ANNOTATIONS = 12
"""Fewer timed answers than this give no regression: about three per coefficient."""

FOLDS = 10
RIDGE = 0.1
HUBER = 1.345
"""95 % efficiency under normal noise; Huber 1964, doi:10.1214/aoms/1177703732."""

ITERATIONS = 10
COVERAGE = 0.9


@dataclass(frozen=True)
class MinutesModel:
    """What was learned about time.

    Attributes:
        basis: "regression", "median" (too few answers) or "nothing" (none timed: every case counts as one minute).
        answers: Timed answers behind it.
        intercept: Natural logarithm of seconds.
        coefficients: Per feature, >= 0, for ln(1 + feature).
        least, most: Range of ln(1 + feature) among the answers; predictions do not go beyond it.
        smear: Mean over median of the noise (Duan 1983, doi:10.1080/01621459.1983.10478017).
        low, high: Offsets of ln seconds that hold 90 % of answers the fit had not seen.
    """

    basis: Basis
    answers: int
    intercept: float
    coefficients: FloatArray
    least: FloatArray
    most: FloatArray
    smear: float
    low: float
    high: float


@dataclass(frozen=True)
class Minutes:
    """Predicted minutes, each shape (cases,): the mean, and the bounds that hold 90 % of the cases."""

    expected: CaseScores
    low: CaseScores
    high: CaseScores


def fit_minutes(features: FloatArray, seconds: CaseScores) -> MinutesModel:
    """Learn minutes from timed answers.

    Args:
        features: What was known before each answer, shape (answers, features), >= 0.
        seconds: Active seconds of each answer, shape (answers,), > 0.

    Returns:
        A regression, or the median when there are fewer than `MIN_ANNOTATIONS`.

    Raises:
        ShapeError: Not one row per answer.
        InputError: Negative or infinite features, or times that are not positive.
    """
    logs = _checked_logs(features)
    if seconds.shape != (len(logs),):
        raise ShapeError(f"Seconds need one value per annotation ({len(logs)}), got shape {seconds.shape}")
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise InputError("Seconds of an annotation must be finite and above 0", remedy="leave annotations without a recorded time out")
    target = np.log(seconds.astype(np.float64))
    if len(target) < MIN_ANNOTATIONS:
        return median_minutes(seconds, features=logs.shape[1])
    intercept, coefficients = _robust_fit(logs, target)
    unseen = _unseen_residuals(logs, target)
    low, high = np.quantile(unseen, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    residuals = target - intercept - logs @ coefficients
    limit = 2.5 * _spread(residuals)  # outliers are moved there, so that one forgotten clock does not raise every price
    smear = float(np.exp(np.clip(residuals, -limit, limit)).mean())
    return MinutesModel(
        "regression", len(target), intercept, coefficients, logs.min(axis=0), logs.max(axis=0), smear, float(low), float(high)
    )


def median_minutes(seconds: CaseScores, *, features: int) -> MinutesModel:
    """The model that knows the middle only: every case takes the median of the times.

    Args:
        seconds: Active seconds of answers, shape (answers,), > 0; none means one minute for every case.
        features: How many features it is to be given.
    """
    none, target = np.zeros(features), np.log(seconds.astype(np.float64))
    if not len(target):
        return MinutesModel("nothing", 0, float(np.log(60.0)), none, none, none, 1.0, 0.0, 0.0)
    middle = float(np.log(np.median(seconds)))
    low, high = np.quantile(target - middle, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return MinutesModel("median", len(target), middle, none, none, none, 1.0, float(low), float(high))


def predicted_minutes(model: MinutesModel, features: FloatArray) -> Minutes:
    """Minutes of cases that are not answered yet.

    Args:
        model: From `fit_minutes`.
        features: Shape (cases, features), as the model was fitted with.

    Raises:
        ShapeError: Another number of features.
        InputError: Negative or infinite features.
    """
    logs = _checked_logs(features)
    if logs.shape[1] != len(model.coefficients):
        raise ShapeError(f"The model of minutes knows {len(model.coefficients)} features, got {logs.shape[1]}")
    median = model.intercept + np.clip(logs, model.least, model.most) @ model.coefficients
    return Minutes(np.exp(median) * model.smear / 60, np.exp(median + model.low) / 60, np.exp(median + model.high) / 60)


def border_length(mask: FloatArray) -> int:
    """Voxels of a mask that touch another label or the image's edge within their slice: about what a person outlines.

    Args:
        mask: Label values, shape (I, J, K), 0 is background.
    """
    padded = np.pad(mask, ((1, 1), (1, 1), (0, 0)))
    inner = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    differs = np.logical_or.reduce([inner != other for other in neighbours])
    return int((differs & (inner > 0)).sum())


def _robust_fit(logs: FloatArray, target: FloatArray) -> tuple[float, FloatArray]:
    weights = np.ones(len(target))
    intercept, coefficients = _weighted_fit(logs, target, weights)
    for _ in range(ITERATIONS):
        residuals = target - intercept - logs @ coefficients
        size = np.abs(residuals) / max(_spread(residuals), 1e-9)
        weights = np.minimum(1.0, HUBER / np.maximum(size, 1e-9))
        intercept, coefficients = _weighted_fit(logs, target, weights)
    return intercept, coefficients


def _weighted_fit(logs: FloatArray, target: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Weighted least squares with coefficients >= 0 of standardised features and a small ridge; the intercept is free."""
    from scipy.optimize import nnls

    share = weights / weights.sum()
    middle, level = share @ logs, share @ target
    scale = np.sqrt(share @ (logs - middle) ** 2)
    scale = np.where(scale > 1e-9, scale, np.inf)  # a constant feature explains nothing
    root = np.sqrt(weights)
    rows = np.vstack([root[:, None] * (logs - middle) / scale, np.sqrt(RIDGE) * np.eye(logs.shape[1])])
    goal = np.concatenate([root * (target - level), np.zeros(logs.shape[1])])
    coefficients = nnls(rows, goal)[0] / scale
    return float(level - middle @ coefficients), coefficients


def _unseen_residuals(logs: FloatArray, target: FloatArray) -> FloatArray:
    """Residuals of each answer under a fit on the other folds."""
    fold = np.arange(len(target)) % FOLDS
    residuals = np.empty(len(target))
    for n in range(FOLDS):
        intercept, coefficients = _robust_fit(logs[fold != n], target[fold != n])
        residuals[fold == n] = target[fold == n] - intercept - logs[fold == n] @ coefficients
    return residuals


def _spread(residuals: FloatArray) -> float:
    return float(np.median(np.abs(residuals - np.median(residuals))) / 0.6745)


def _checked_logs(features: FloatArray) -> FloatArray:
    if features.ndim != 2:
        raise ShapeError(f"Features of effort must be a table (cases, features), got shape {features.shape}")
    if not np.isfinite(features).all() or (features < 0).any():
        raise InputError("Features of effort must be finite and 0 or more", remedy="check the model's output")
    return np.log1p(features.astype(np.float64))
