"""Where a learning curve is heading: an inverse power law, its interval, and what the next batch may bring.

    score(n) = a - b · n^(-c),    a ≤ 1, b ≥ 0, c in `EXPONENTS`

For each exponent the best a and b are known in closed form; the exponent is searched on a grid. The gain is uncertain for
two reasons: every training has its own luck, seen in how far the models lie off the curve, and other patients would learn
at another pace, seen by drawing patients anew. Its interval holds every gain that some curve explains about as well as the
best one does, be it a power law that bends more or less than published ones (`BENDS`) or saturate (`DECAYS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.metrics.intervals import group_means, t_quantile

EXPONENTS = np.linspace(0.1, 2.0, 39)
"""Published learning curves have exponents of 0.1 to 1; 2 leaves room for a fast start."""

BENDS = np.setdiff1d(np.linspace(-1.0, 8.0, 91).round(6), [0.0])
"""Exponents that the interval allows: from a straight line (-1), which curves may still follow early on, to steep ones."""

DECAYS = np.linspace(0.25, 30.0, 120)
"""Rates, per span of answers so far, of curves that saturate exponentially: no power law comes near them."""

FITTED = 3
"""Numbers that are fitted: a, b and c."""

MIN_POINTS = FITTED + 1
"""With as many models as numbers fitted nothing is left that shows the luck of a training."""

COVERAGE = 0.95


@dataclass(frozen=True)
class Gain:
    """What more answers are expected to add to a score, with its 95 % interval."""

    expected: float
    low: float
    high: float


def fit_curves(labels: CaseScores, draws: FloatArray, weights: CaseScores) -> FloatArray:
    """Fit the law to several curves over the same numbers of answers at once.

    Args:
        labels: Answers behind each point, shape (points,), >= 1.
        draws: Scores, shape (curves, points), at most 1.
        weights: Weight of each point, shape (points,), > 0: one over its variance.

    Returns:
        (a, b, c) of each curve, shape (curves, 3).

    Raises:
        ShapeError: Shapes that do not fit, or fewer than `FITTED` different numbers of answers.
        InputError: NaN, numbers of answers below 1, or weights that are not above 0.

    Source: Figueroa et al. 2012, doi:10.1186/1472-6947-12-8 (weighted inverse power law for clinical text).
    """
    _require_curve(labels, draws, weights)
    share = weights / weights.sum()
    best, found = np.full(len(draws), np.inf), np.zeros((len(draws), 3))
    for exponent in EXPONENTS:
        reach = (labels / labels.min()) ** -exponent
        top, drop = _line(reach, draws, share)
        error = ((top[:, None] - drop[:, None] * reach - draws) ** 2) @ share
        better = error < best - 1e-15
        best[better] = error[better]
        found[better] = np.stack([top, drop * labels.min() ** exponent, np.full(len(draws), exponent)], axis=1)[better]
    return found


def score_at(curves: FloatArray, labels: float) -> CaseScores:
    """Score of each fitted curve, shape (curves,), at a number of answers."""
    return curves[:, 0] - curves[:, 1] * labels ** -curves[:, 2]


def expected_gain(
    labels: CaseScores, scores: CaseScores, draws: FloatArray, *, patients: int, more: int, confidence: float = COVERAGE
) -> Gain:
    """What `more` answers beyond the last point will probably add.

    Args:
        labels: Answers behind each point, shape (points,).
        scores: The observed curve, shape (points,).
        draws: The same curve under patients drawn again many times, shape (draws, points); see `drawn_curves`.
        patients: How many patients it was measured on, >= 2.
        more: Further answers, >= 1.
        confidence: Coverage of the interval, between 0 and 1.

    Raises:
        ShapeError: As `fit_curves`, or fewer than `MIN_POINTS` different numbers of answers.
        InputError: As `fit_curves`.

    Source: profile likelihood of nonlinear least squares, Bates and Watts 1988, doi:10.1002/9780470316757, section 6.1.
    """
    if len(np.unique(labels)) < MIN_POINTS:
        raise ShapeError(f"A gain needs {MIN_POINTS} different numbers of annotations, got {len(np.unique(labels))}")
    curve = fit_curves(labels, scores[None], np.ones(len(labels)))
    now = float(labels.max())
    gain = float((score_at(curve, now + more) - score_at(curve, now))[0])
    low, high = _gains_that_fit(labels, scores, draws, patients, more, confidence)
    return Gain(gain, min(low, gain), max(high, gain))


def _gains_that_fit(
    labels: CaseScores, scores: CaseScores, draws: FloatArray, patients: int, more: int, confidence: float
) -> tuple[float, float]:
    """The smallest and the largest gain of all curves that lie close enough to the points, whatever the exponent."""
    freedom = len(labels) - FITTED
    luck, others = t_quantile(freedom, confidence), t_quantile(patients - 1, confidence) * np.sqrt(patients / (patients - 1))
    share, then = labels / labels.max(), 1.0 + more / labels.max()
    reach = np.vstack([share ** -BENDS[:, None], np.exp(-DECAYS[:, None] * share)])
    off = reach - reach.mean(axis=1, keepdims=True)
    ahead = np.concatenate([then**-BENDS, np.exp(-DECAYS * then)]) - np.concatenate([np.ones_like(BENDS), np.exp(-DECAYS)])
    spread = (off**2).sum(axis=1)
    slopes = off @ scores / spread
    errors = ((scores - scores.mean() - slopes[:, None] * off) ** 2).sum(axis=1)
    room = errors.min() * (1.0 + luck**2 / freedom) - errors
    by_luck = np.abs(ahead) * np.sqrt(np.maximum(room, 0.0) / spread)
    by_patients = others * np.abs(ahead) * (draws @ off.T / spread).std(axis=0)
    half, close = np.hypot(by_luck, by_patients), room >= 0
    return float((slopes * ahead - half)[close].min()), float((slopes * ahead + half)[close].max())


def drawn_curves(per_case: FloatArray, patients: list[str], rng: np.random.Generator, *, draws: int = 400) -> FloatArray:
    """The curve again and again, each time with patients drawn anew: points stay paired, as they share their cases.

    Args:
        per_case: Score of each case under each model, shape (cases, points).
        patients: Patient of each case.
        rng: Source of the draws.
        draws: How many.

    Returns:
        Shape (draws, points).

    Raises:
        ShapeError: Not one patient per case, or no case.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 8 (resampling whole units).
    """
    if per_case.ndim != 2 or len(per_case) != len(patients) or not len(patients):
        raise ShapeError(f"Curves need one row and one patient per case, got shape {per_case.shape} and {len(patients)} patients")
    means = patient_curves(per_case, patients)
    times = rng.multinomial(len(means), np.full(len(means), 1 / len(means)), size=draws)
    return times @ means / len(means)


def patient_curves(per_case: FloatArray, patients: Sequence[str]) -> FloatArray:
    """Mean over the cases of each patient, shape (patients, points): patients count alike, however many cases they have."""
    return np.stack([group_means(column, patients) for column in per_case.T], axis=1)


def _line(reach: CaseScores, draws: FloatArray, share: CaseScores) -> tuple[CaseScores, CaseScores]:
    """Best top (at most 1) and drop (at least 0) of score = top - drop · reach, by weighted least squares."""
    middle, level = share @ reach, draws @ share
    spread = share @ (reach - middle) ** 2
    drop = np.maximum(-((draws - level[:, None]) @ (share * (reach - middle))) / spread, 0.0)
    top = level + drop * middle
    over = top > 1.0  # then the top is 1 and only the drop is free
    drop = np.where(over, np.maximum(((1.0 - draws) @ (share * reach)) / (share @ reach**2), 0.0), drop)
    return np.minimum(top, 1.0), drop


def _require_curve(labels: CaseScores, draws: FloatArray, weights: CaseScores) -> None:
    if draws.ndim != 2 or labels.shape != (draws.shape[1],) or weights.shape != labels.shape:
        raise ShapeError(f"A curve needs one number of annotations and one weight per point, got {labels.shape} and {draws.shape}")
    if len(np.unique(labels)) < FITTED:
        raise ShapeError(f"A learning curve needs {FITTED} different numbers of annotations, got {len(np.unique(labels))}")
    if not (np.isfinite(draws).all() and np.isfinite(labels).all() and (labels >= 1).all() and (weights > 0).all()):
        raise InputError("Points of a learning curve must be finite, with at least one annotation and a weight above 0 each")
