"""How much work a strategy saves: labels to a share of the full-data score, and what annotated foreground buys."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.metrics.intervals import MIN_RUNS, Interval, student_interval, t_quantile, too_few
from medloop.simulation.curves import Curve, labels_to_reach

LABEL_SHARES = (0.95, 0.98, 0.99)
"""Shares of the full-data score whose price in labels is reported."""

RATES = np.linspace(-5.0, 40.0, 4501)
"""Rates that the foreground fit tries, per span of foreground a study covers; a fit at an end means "at least" or "at most"."""

STEPS = 33
"""Places between two rounds at which the band around a curve is looked at."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Needed:
    """Answered cases at which the mean curve first reaches a score; None says "not reached with these rounds".

    Attributes:
        labels: On the mean curve, by linear interpolation.
        low, high: 95 % interval over seeds; a high of None says that the score may not be reached at all.
        of_pool, of_pool_low, of_pool_high: The same as shares of all cases that could be asked, 0..1.
        reached: Share of the seeds whose own curve reaches it, 0..1.
        note: Why there is no interval, in words; "" where there is one.
    """

    labels: float | None
    low: float | None
    high: float | None
    of_pool: float | None
    of_pool_low: float | None
    of_pool_high: float | None
    reached: float
    note: str = ""


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


def labels_needed(curves: Sequence[Curve], full: Mapping[int, float], share: float, pool: int) -> Needed:
    """Labels to a share of the full-data score, with an interval over seeds.

    The interval holds the numbers of labels at which the mean curve may just reach the share: where Student's band of the
    distance between them includes zero. Where even its upper end stays below, the labels count as infinite.

    Args:
        curves: All runs of one strategy.
        full: Seed → full-data score, at least one.
        share: Of the full-data score, 0..1.
        pool: Number of cases that could be asked.

    Source: inverting a test, as in Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x.
    """
    scores, labelled, overall = np.array([c.scores for c in curves]), curves[0].labelled, float(np.mean(list(full.values())))
    own = _labels(labelled, scores.mean(axis=0), share * overall)
    reached = [math.isfinite(_labels(labelled, row, share * full.get(c.seed, overall))) for row, c in zip(scores, curves, strict=True)]
    steps = np.unique([np.linspace(a, b, STEPS) for a, b in pairwise(labelled)] or labelled)
    band, note = _band(curves, np.array([np.interp(steps, labelled, row) for row in scores]), full, share)
    low, high = (_labels(steps, band[1], 0.0), _labels_for_good(steps, band[0])) if band is not None else (math.inf, math.inf)
    labels, shares = ((_or_none(own / of), _or_none(low / of), _or_none(high / of)) for of in (1, pool))
    return Needed(*labels, *shares, float(np.mean(reached)), note)


def _band(curves: Sequence[Curve], scores: FloatArray, full: Mapping[int, float], share: float) -> tuple[FloatArray | None, str]:
    """Ends of the distance between mean curve and target at each place, shape (2, places); None and why with too few seeds."""
    seeds = len(curves)
    if seeds < MIN_RUNS:
        return None, too_few(seeds, MIN_RUNS, "seeds")
    paired = all(c.seed in full for c in curves)
    if not paired and len(full) < MIN_RUNS:
        return None, too_few(len(full), MIN_RUNS, "full-data scores")
    known = np.array(list(full.values()))
    targets = share * np.array([full[c.seed] for c in curves]) if paired else np.full(seeds, share * known.mean())
    gaps = scores - targets[:, None]
    apart = 0.0 if paired else share**2 * known.var(ddof=1) / len(known)
    error = np.sqrt(gaps.var(axis=0, ddof=1) / seeds + apart)
    half = t_quantile((seeds if paired else min(seeds, len(known))) - 1, 0.95) * error
    return np.stack([gaps.mean(axis=0) - half, gaps.mean(axis=0) + half]), ""


def _labels_for_good(labelled: FloatArray, gaps: FloatArray) -> float:
    """From where on gaps stay at zero or above, by linear interpolation."""
    below = np.flatnonzero(gaps < -_ROUNDING)
    start = int(below[-1]) if len(below) else 0
    return _labels(labelled[start:], gaps[start:], 0.0)


def foreground_efficiency(curves: Sequence[Curve], full: float | None, pool_foreground: int) -> ForegroundEfficiency:
    """Fit scores against annotated foreground instead of cases: labelling background costs little.

    Args:
        curves: All runs of one strategy, with their foreground counted.
        full: Mean full-data score, or None.
        pool_foreground: Foreground voxels of all cases that could be asked.

    Source: the rate is FG-Eff of Lüth et al. 2025, nnActive, arXiv:2511.19183: an exponential approach to the full-data score
        by least squares. Ours: every seed starts from its own first round, the interval comes from leaving out seeds, and
        the slope per doubling, which needs no full-data score.
    """
    if not pool_foreground or any(len(c.foreground) != len(c.scores) or len(c.scores) < 2 for c in curves):
        return NOT_COUNTED
    return ForegroundEfficiency(_rate(curves, full, pool_foreground), _per_doubling(curves))


def _labels(labelled: Sequence[float] | FloatArray, scores: FloatArray, target: float) -> float:
    # Means summed in another order differ in the last bit; a curve that ends exactly at the target reaches it.
    found = labels_to_reach(list(labelled), [float(s) for s in scores], float(target) - _ROUNDING)
    return math.inf if found is None else found


def _or_none(value: float) -> float | None:
    """JSON knows no infinity: None says that a score is not reached."""
    return None if math.isinf(value) else value


def _rate(curves: Sequence[Curve], full: float | None, pool_foreground: int) -> Interval | None:
    """The best rate of a grid."""
    gaps = [full - c.scores[0] for c in curves] if full is not None else []
    if full is None or min(gaps) <= 0:
        return None
    x = [np.diff(c.foreground, prepend=c.foreground[0]).cumsum() / pool_foreground for c in curves]
    span = max(float(np.max(one)) for one in x)
    if span <= 0:
        return None
    errors = np.array([_errors(one / span, np.array(c.scores), full, gap) for one, c, gap in zip(x, curves, gaps, strict=True)])
    without = RATES[np.argmin(errors.sum(axis=0) - errors, axis=1)] / span
    return _jackknife(float(RATES[np.argmin(errors.sum(axis=0))]) / span, without)


def _errors(x: FloatArray, scores: FloatArray, full: float, gap: float) -> FloatArray:
    """Sum of squares of one seed at every rate, shape (rates,)."""
    fitted = full - gap * np.exp(-RATES[:, None] * x[None, :])
    squares: FloatArray = ((fitted - scores) ** 2).sum(axis=1)
    return squares


def _per_doubling(curves: Sequence[Curve]) -> Interval | None:
    """Common least-squares slope on log2 of the foreground, every seed with its own level."""
    if min(min(c.foreground) for c in curves) <= 0:
        return None
    x = [np.log2(c.foreground) - np.mean(np.log2(c.foreground)) for c in curves]
    y = [np.array(c.scores) - np.mean(c.scores) for c in curves]
    products, squares = np.array([a @ b for a, b in zip(x, y, strict=True)]), np.array([a @ a for a in x])
    if min(squares) <= 0:
        return None
    without = (products.sum() - products) / np.maximum(squares.sum() - squares, 1e-12)
    return _jackknife(float(products.sum() / squares.sum()), without)


def _jackknife(estimate: float, without: FloatArray) -> Interval:
    """An estimate with Student's interval, from the estimates without each seed, shape (seeds,).

    Source: Tukey 1958, Bias and confidence in not quite large samples; Miller 1974, doi:10.1093/biomet/61.1.1.
    """
    seeds = len(without)
    if seeds < MIN_RUNS:
        return Interval(estimate, None, None, seeds, too_few(seeds, MIN_RUNS, "seeds"))
    error = float(np.sqrt((seeds - 1) / seeds * ((without - without.mean()) ** 2).sum()))
    return student_interval(estimate, error, seeds - 1, seeds, alike=f"all {seeds} seeds agree")
