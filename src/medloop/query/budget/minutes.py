"""Predicted minutes of expert time per case, learned from how long finished annotations took, with the error of the prediction.

    ln seconds = b₀ + Σ bₖ ln(1 + xₖ) + uₚ + noise,    bₖ ≥ 0,    uₚ ~ N(0, τ²)

More foreground, more border, more uncertain voxels and more slices never make a case cheaper, hence bₖ ≥ 0. A person's pace uₚ is
shrunk towards everybody's by how much is known of them. Annotations that took oddly long (a telephone call) weigh less (Huber).
With few timed annotations their median stands for every case, and no error is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError

StringArray: TypeAlias = npt.NDArray[np.str_]
Basis: TypeAlias = Literal["regression", "median", "nothing"]

MIN_ANNOTATIONS = 20
"""Fewer timed annotations give no regression: below 19 no rank bounds 90 % of new ones."""

FOLDS = 10
RIDGE = 0.1
HUBER = 1.345
"""95 % efficiency under normal noise; Huber 1964, doi:10.1214/aoms/1177703732."""

ITERATIONS = 10
EXACT = 0.01
"""Nobody's time is more regular than 1 %; without a floor, equal times would make all others outliers."""

PACE_ROUNDS = 3
MEDIAN_VARIANCE = np.pi / 2
"""Variance of a median over that of a mean, under normal noise."""

COVERAGE = 0.9
ERROR_CONFIDENCE = 0.95
MAD_SIGMA = 0.6745
"""Median absolute deviation of a normal distribution over its standard deviation."""


@dataclass(frozen=True)
class Accuracy:
    """How far predictions are from annotations that the fit had not seen (10 folds).

    Attributes:
        error: Median of |predicted − taken| / taken.
        error_low, error_high: Its 95 % interval.
        low, high: Offsets of ln seconds that hold 90 % of new annotations.
        smear: Mean over median of log-normal noise as wide as the middle of the residuals: calls nobody saw are not priced in.
    """

    error: float
    error_low: float
    error_high: float
    low: float
    high: float
    smear: float


@dataclass(frozen=True)
class MinutesModel:
    """What was learned about time.

    Attributes:
        basis: "regression", "median" (too few annotations, or no better) or "nothing" (none timed: every case counts as one minute).
        annotations: Timed annotations behind it.
        intercept: Natural logarithm of seconds.
        coefficients: Per feature, >= 0, for ln(1 + feature).
        least, most: Range of ln(1 + feature) among the annotations; predictions do not go beyond it.
        paces: By person, what to add to ln seconds; empty where people are not told apart.
        anybody, known: Accuracy where nobody knows who will annotate, and for people in `paces`; None with too few annotations.
        spread: Offsets of ln seconds that hold 90 % of the annotations themselves, where no accuracy is known.
    """

    basis: Basis
    annotations: int
    intercept: float
    coefficients: FloatArray
    least: FloatArray
    most: FloatArray
    paces: Mapping[str, float] = field(default_factory=dict)
    anybody: Accuracy | None = None
    known: Accuracy | None = None
    spread: tuple[float, float] = (0.0, 0.0)

    def accuracy(self, person: str = "") -> Accuracy | None:
        """Of predictions for somebody; "" for whoever it will be."""
        return self.known if person in self.paces else self.anybody


@dataclass(frozen=True)
class Minutes:
    """Predicted minutes, each shape (cases,): the mean, and the bounds that hold 90 % of the cases."""

    expected: CaseScores
    low: CaseScores
    high: CaseScores


def fit_minutes(features: FloatArray, seconds: CaseScores, people: Sequence[str] = ()) -> MinutesModel:
    """Learn minutes from timed annotations.

    Args:
        features: What was known before each annotation, shape (annotations, features), >= 0.
        seconds: Active seconds of each annotation, shape (annotations,), > 0.
        people: Who gave each annotation; none does not tell people apart.

    Returns:
        A regression; the median when there are fewer than `MIN_ANNOTATIONS`, or where it is not worse.

    Raises:
        ShapeError: Not one row, or one person, per annotation.
        InputError: Negative or infinite features, or times that are not positive.
    """
    logs = _checked_logs(features)
    if seconds.shape != (len(logs),):
        raise ShapeError(f"Seconds need one value per annotation ({len(logs)}), got shape {seconds.shape}")
    if people and len(people) != len(logs):
        raise ShapeError(f"People need one name per annotation ({len(logs)}), got {len(people)}")
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise InputError("Seconds of an annotation must be finite and above 0", remedy="leave annotations without a recorded time out")
    target, who = np.log(seconds.astype(np.float64)), np.array(people or [""] * len(logs))
    if len(target) < MIN_ANNOTATIONS:
        return median_minutes(seconds, features=logs.shape[1])
    fit = _fit_with_paces(logs, target, who)
    anybody, known = _unseen_residuals(logs, target, who)
    middle = _accuracy(target - np.median(target), target - np.median(target))
    accuracies = (_accuracy(anybody, target - fit.line(logs)), _accuracy(known, target - fit.line(logs) - fit.pace(who)))
    if middle.error <= min(one.error for one in accuracies):  # features and people that explain nothing only add noise
        return replace(median_minutes(seconds, features=logs.shape[1]), anybody=middle)
    return MinutesModel(
        "regression",
        len(target),
        fit.intercept,
        fit.coefficients,
        logs.min(axis=0),
        logs.max(axis=0),
        fit.paces if people else {},
        *accuracies,
    )


def median_minutes(seconds: CaseScores, *, features: int) -> MinutesModel:
    """The model that knows the middle only: every case takes the median of the times.

    Args:
        seconds: Active seconds of annotations, shape (annotations,), > 0; none means one minute for every case.
        features: How many features it is to be given.
    """
    none, target = np.zeros(features), np.log(seconds.astype(np.float64))
    if not len(target):
        return MinutesModel("nothing", 0, float(np.log(60.0)), none, none, none)
    middle = float(np.log(np.median(seconds)))
    low, high = np.quantile(target - middle, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return MinutesModel("median", len(target), middle, none, none, none, spread=(float(low), float(high)))


def predicted_minutes(model: MinutesModel, features: FloatArray, person: str = "") -> Minutes:
    """Minutes of cases that are not annotated yet.

    Args:
        model: From `fit_minutes`.
        features: Shape (cases, features), as the model was fitted with.
        person: Who will annotate them; "" or somebody unknown takes everybody's pace.

    Raises:
        ShapeError: Another number of features.
        InputError: Negative or infinite features.
    """
    logs = _checked_logs(features)
    if logs.shape[1] != len(model.coefficients):
        raise ShapeError(f"The model of minutes knows {len(model.coefficients)} features, got {logs.shape[1]}")
    median = model.intercept + np.clip(logs, model.least, model.most) @ model.coefficients + model.paces.get(person, 0.0)
    found = model.accuracy(person)
    low, high = (found.low, found.high) if found else model.spread
    smear = found.smear if found else 1.0
    return Minutes(np.exp(median) * smear / 60, np.exp(median + low) / 60, np.exp(median + high) / 60)


def error_words(model: MinutesModel, person: str = "") -> str:
    """How far predicted minutes are off, or that nobody knows yet."""
    found = model.accuracy(person)
    if found is None:
        return f"not enough cases yet to say how far off: {model.annotations} of {MIN_ANNOTATIONS} corrected proposals with a time"
    interval = f"95 % interval {100 * found.error_low:.0f} to {100 * found.error_high:.0f} %"
    return f"off by {100 * found.error:.0f} % per case in the median, {interval}, over {model.annotations} annotations"


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
        size = np.abs(residuals) / max(_spread(residuals), EXACT)
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


@dataclass(frozen=True)
class _Fit:
    intercept: float
    coefficients: FloatArray
    paces: Mapping[str, float]

    def line(self, logs: FloatArray) -> FloatArray:
        return np.asarray(self.intercept + logs @ self.coefficients)

    def pace(self, who: StringArray) -> FloatArray:
        return np.array([self.paces.get(str(name), 0.0) for name in who])


def _fit_with_paces(logs: FloatArray, target: FloatArray, who: StringArray) -> _Fit:
    """Features and paces in turn: each is fitted to what the other leaves over."""
    fit = _Fit(*_robust_fit(logs, target), {})
    for _ in range(PACE_ROUNDS if len(np.unique(who)) > 1 else 0):
        paces = _paces(target - fit.line(logs), who)
        fit = _Fit(*_robust_fit(logs, target - _Fit(0.0, fit.coefficients, paces).pace(who)), paces)
    return fit


def _paces(residuals: FloatArray, who: StringArray) -> dict[str, float]:
    """What each person adds, shrunk by n / (n + noise² / τ²) towards everybody's middle."""
    residuals = _without_outliers(residuals)
    names, counts = np.unique(who, return_counts=True)
    middles = np.array([np.median(residuals[who == name]) for name in names])
    middles -= counts @ middles / counts.sum()
    noise = max(_spread(residuals - middles[np.searchsorted(names, who)]), 1e-6) ** 2
    between = max(float(counts @ middles**2 / counts.sum()) - noise * MEDIAN_VARIANCE * len(names) / counts.sum(), 1e-9)
    shrunk = middles * counts / (counts + noise * MEDIAN_VARIANCE / between)
    return {str(name): float(pace) for name, pace in zip(names, shrunk, strict=True)}


def _accuracy(residuals: FloatArray, fitted: FloatArray) -> Accuracy:
    """Of residuals ln taken − ln predicted, of a fit that had not seen them and of the fit itself.

    A median lies between two ranks whatever the distribution; rounded outwards, since with few annotations this fit differs from those
    of the folds, too.
    """
    from scipy.special import ndtri

    smear = float(np.exp(_spread(fitted) ** 2 / 2))
    errors = np.sort(np.abs(smear * np.exp(-residuals) - 1))
    reach = float(ndtri((1 + ERROR_CONFIDENCE) / 2)) / (2 * (len(errors) - 1) ** 0.5)
    rank = max(int((len(errors) + 1) * (0.5 - reach)), 1)
    ordered, tail = np.sort(residuals), int((len(residuals) + 1) * (1 - COVERAGE) / 2)  # the ranks that bound a new one (conformal)
    return Accuracy(
        float(np.median(errors)), float(errors[rank - 1]), float(errors[len(errors) - rank]),
        float(ordered[tail - 1]), float(ordered[len(ordered) - tail]), smear,
    )  # fmt: skip


def _unseen_residuals(logs: FloatArray, target: FloatArray, who: StringArray) -> tuple[FloatArray, FloatArray]:
    """Residuals of each annotation under a fit on the other folds: with nobody's pace, and with that of its person."""
    fold = np.arange(len(target)) % FOLDS
    anybody, known = np.empty(len(target)), np.empty(len(target))
    for n in range(FOLDS):
        out = fold == n
        fit = _fit_with_paces(logs[~out], target[~out], who[~out])
        anybody[out] = target[out] - fit.line(logs[out])
        known[out] = anybody[out] - fit.pace(who[out])
    return anybody, known


def _without_outliers(residuals: FloatArray) -> FloatArray:
    """Outliers moved to where they begin, so that one forgotten clock does not raise every price."""
    limit = 2.5 * _spread(residuals)
    return np.clip(residuals, -limit, limit)


def _spread(residuals: FloatArray) -> float:
    return float(np.median(np.abs(residuals - np.median(residuals))) / MAD_SIGMA)


def _checked_logs(features: FloatArray) -> FloatArray:
    if features.ndim != 2:
        raise ShapeError(f"Features of effort must be a table (cases, features), got shape {features.shape}")
    if not np.isfinite(features).all() or (features < 0).any():
        raise InputError("Features of effort must be finite and 0 or more", remedy="check the model's output")
    return np.log1p(features.astype(np.float64))
