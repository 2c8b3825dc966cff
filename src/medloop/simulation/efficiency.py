"""How much work a strategy saves: labels to a share of the full-data score, and what annotated foreground buys."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.metrics.intervals import Interval
from medloop.simulation.curves import Curve, labels_to_reach, seed_weights

LABEL_SHARES = (0.95, 0.98, 0.99)
"""Shares of the full-data score whose price in labels is reported."""

RATES = np.linspace(-5.0, 40.0, 4501)
"""Rates that the foreground fit tries, per span of foreground a study covers; a fit at an end means "at least" or "at most"."""

_TAIL = 0.025
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Needed:
    """Answered cases at which the mean curve first reaches a score; None says "not reached with these rounds".

    Attributes:
        labels: On the mean curve, by linear interpolation.
        low, high: 95 % interval over seeds; a high of None says that the score may not be reached at all.
        of_pool, of_pool_low, of_pool_high: The same as shares of all cases that could be asked, 0..1.
        reached: Share of the resamplings that reach it at all, 0..1.
    """

    labels: float | None
    low: float | None
    high: float | None
    of_pool: float | None
    of_pool_low: float | None
    of_pool_high: float | None
    reached: float


@dataclass(frozen=True)
class ForegroundEfficiency:
    """What annotated foreground buys; the `mean` of either interval is the estimate itself.

    Attributes:
        rate: How fast the gap to the full-data score closes: b in full - (full - first) * exp(-b * x), where x is the
            annotated foreground beyond the first round, as a share of the pool's foreground. None without a
            full-data score above the first round's.
        per_doubling: Score gained per doubling of the annotated foreground. None with a single round.
    """

    rate: Interval | None
    per_doubling: Interval | None


NOT_COUNTED = ForegroundEfficiency(None, None)
"""Of a classification, or without a second round."""


def labels_needed(curves: Sequence[Curve], full: Mapping[int, float], share: float, pool: int, rng: np.random.Generator) -> Needed:
    """Labels to a share of the full-data score, with an interval over seeds.

    Every resampling draws seeds, averages their curves and their full-data scores, and looks where one crosses the
    share of the other; where it never does, the labels count as infinite.

    Args:
        curves: All runs of one strategy.
        full: Seed → full-data score, at least one.
        share: Of the full-data score, 0..1.
        pool: Number of cases that could be asked.
        rng: Source of the draws.
    """
    scores, labelled = np.array([c.scores for c in curves]), curves[0].labelled
    weights = seed_weights(len(curves), rng)
    targets = share * _full_means([c.seed for c in curves], full, weights)
    drawn = sorted(_labels(labelled, mean, target) for mean, target in zip(weights @ scores, targets, strict=True))
    own = _labels(labelled, scores.mean(axis=0), share * float(np.mean(list(full.values()))))
    last = len(drawn) - 1
    low, high = min(drawn[math.floor(_TAIL * last)], own), max(drawn[math.ceil((1 - _TAIL) * last)], own)
    return Needed(
        labels=_or_none(own),
        low=_or_none(low),
        high=_or_none(high),
        of_pool=_or_none(own / pool),
        of_pool_low=_or_none(low / pool),
        of_pool_high=_or_none(high / pool),
        reached=float(np.mean(np.isfinite(drawn))),
    )


def foreground_efficiency(
    curves: Sequence[Curve], full: float | None, pool_foreground: int, rng: np.random.Generator
) -> ForegroundEfficiency:
    """Fit scores against annotated foreground instead of cases: labelling background costs little.

    Args:
        curves: All runs of one strategy, with their foreground counted.
        full: Mean full-data score, or None.
        pool_foreground: Foreground voxels of all cases that could be asked.
        rng: Source of the draws.

    Source: the rate is FG-Eff of Lüth et al. 2025, nnActive, arXiv:2511.19183: an exponential approach to the full-data score
        by least squares. Ours: every seed starts from its own first round, the interval comes from drawing seeds, and
        the slope per doubling, which needs no full-data score.
    """
    if not pool_foreground or any(len(c.foreground) != len(c.scores) or len(c.scores) < 2 for c in curves):
        return NOT_COUNTED
    weights = seed_weights(len(curves), rng)
    return ForegroundEfficiency(_rate(curves, full, pool_foreground, weights), _per_doubling(curves, weights))


def _labels(labelled: Sequence[int], scores: FloatArray, target: float) -> float:
    # Means summed in another order differ in the last bit; a curve that ends exactly at the target reaches it.
    found = labels_to_reach(labelled, [float(s) for s in scores], float(target) - _ROUNDING)
    return math.inf if found is None else found


def _or_none(value: float) -> float | None:
    """JSON knows no infinity: None says that a score is not reached."""
    return None if math.isinf(value) else value


def _full_means(seeds: Sequence[int], full: Mapping[int, float], weights: FloatArray) -> FloatArray:
    """Mean full-data score of each draw; draws that hit no seed with one take the mean of all."""
    known = np.array([s in full for s in seeds])
    values = np.array([full.get(s, 0.0) for s in seeds])
    total = weights[:, known].sum(axis=1)
    overall = float(np.mean(list(full.values())))
    means: FloatArray = np.where(total > 0, weights[:, known] @ values[known] / np.maximum(total, 1e-12), overall)
    return means


def _rate(curves: Sequence[Curve], full: float | None, pool_foreground: int, weights: FloatArray) -> Interval | None:
    """The best rate of a grid; errors of every seed at every rate are kept, so that a resampling is a matrix product."""
    gaps = [full - c.scores[0] for c in curves] if full is not None else []
    if full is None or min(gaps) <= 0:
        return None
    x = [np.diff(c.foreground, prepend=c.foreground[0]).cumsum() / pool_foreground for c in curves]
    span = max(float(np.max(one)) for one in x)
    if span <= 0:
        return None
    errors = np.array([_errors(one / span, np.array(c.scores), full, gap) for one, c, gap in zip(x, curves, gaps, strict=True)])
    best = RATES[np.argmin(weights @ errors, axis=1)] / span
    return _interval(float(RATES[np.argmin(errors.sum(axis=0))]) / span, best, len(curves))


def _errors(x: FloatArray, scores: FloatArray, full: float, gap: float) -> FloatArray:
    """Sum of squares of one seed at every rate, shape (rates,)."""
    fitted = full - gap * np.exp(-RATES[:, None] * x[None, :])
    squares: FloatArray = ((fitted - scores) ** 2).sum(axis=1)
    return squares


def _per_doubling(curves: Sequence[Curve], weights: FloatArray) -> Interval | None:
    """Common least-squares slope on log2 of the foreground, every seed with its own level."""
    if min(min(c.foreground) for c in curves) <= 0:
        return None
    x = [np.log2(c.foreground) - np.mean(np.log2(c.foreground)) for c in curves]
    y = [np.array(c.scores) - np.mean(c.scores) for c in curves]
    products, squares = np.array([a @ b for a, b in zip(x, y, strict=True)]), np.array([a @ a for a in x])
    if min(squares) <= 0:
        return None
    return _interval(float(products.sum() / squares.sum()), (weights @ products) / (weights @ squares), len(curves))


def _interval(estimate: float, drawn: FloatArray, seeds: int) -> Interval:
    low, high = np.quantile(drawn, (_TAIL, 1 - _TAIL))
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate), seeds)
