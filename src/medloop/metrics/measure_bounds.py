"""How far a measure may be off: bounds from a model's samples, widened until they hold on cases with a known truth.

Each sample of a prediction is measured; the middle of these figures gives a range. Models are too sure of themselves, so
the range is widened on both sides by a share of the measure that is fitted on evaluated cases (conformal quantile
regression). A case whose samples differ more than those of nearly all evaluated cases is not accepted: its image had
better be acquired, or at least looked at, again. The widening is fitted on the accepted evaluated cases, since only for
accepted ones are bounds promised.

Sources: Budd et al. 2019, Confident head circumference measurement from ultrasound, arXiv:1908.02582 (bounds from samples
and rejection); Romano et al. 2019, Conformalized quantile regression, arXiv:1905.03222, equation 6.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.core.errors import SettingError, ShapeError
from medloop.core.names import counted
from medloop.metrics.conformal import conformal_quantile
from medloop.metrics.intervals import group_numbers

FEWEST_PATIENTS = 10
"""With fewer evaluated patients, 90 % coverage has no finite widening: nine leave a tenth that none stands for."""

TOLERANCE = 0.25
"""Half the width of bounds, as a share of the measure, up to which a figure is accepted: a volume to a quarter."""

MOST_TOLERANCE = 10
"""Bounds ten times as far away as the measure is large accept anything."""

MIDDLE = 0.9
"""Share of the samples' figures that the unwidened range holds."""


@dataclass(frozen=True)
class BoundsRule:
    """What evaluated cases taught about a measure.

    Attributes:
        margin: Share of the measure by which a range is widened on both sides (negative: narrowed); None until it is fitted.
        largest_spread: Width of a range, as a share of the measure, up to which a case is accepted.
        coverage: Share of accepted cases whose truth the bounds should hold.
        patients: Evaluated patients it was fitted on.
        tolerance: Half the width of bounds, as a share of the measure, up to which a figure is accepted.
    """

    margin: float | None = None
    largest_spread: float = math.inf
    coverage: float = 0.9
    patients: int = 0
    tolerance: float = TOLERANCE

    @property
    def calibrated(self) -> bool:
        """Whether bounds hold at a stated rate."""
        return self.margin is not None


@dataclass(frozen=True)
class Bounds:
    """A measure with its bounds.

    Attributes:
        low, high: Bounds in the unit of the measure, `low` at least 0; None where none hold at a known rate.
        spread: Width of the samples' range as a share of the measure; infinite when nothing was found.
        accepted: Whether the figure can be used; None while there are too few evaluated cases to say.
        reason: Why it was not accepted, or cannot be; "" when accepted.
    """

    low: float | None
    high: float | None
    spread: float
    accepted: bool | None
    reason: str


def sample_range(estimate: float, samples: FloatArray) -> tuple[float, float]:
    """The middle 90 % of the samples' figures, widened where needed to hold the estimate.

    Args:
        estimate: The measure of the prediction itself.
        samples: The measure of each sample, shape (samples,); a sample without a finite figure counts as the estimate.

    Raises:
        ShapeError: Without samples.
    """
    if samples.ndim != 1 or not len(samples):
        raise ShapeError(f"Bounds need the figures of at least one sample, got shape {samples.shape}", remedy="take more")
    low, high = _ranges(np.array([estimate]), samples[None])[0]
    return float(low), float(high)


def spread_of(estimate: float, samples: FloatArray) -> float:
    """Width of the samples' range as a share of the estimate; infinite for an estimate of nothing."""
    low, high = sample_range(estimate, samples)
    return (high - low) / estimate if math.isfinite(estimate) and estimate > 0 else math.inf


def _ranges(estimates: FloatArray, samples: FloatArray) -> FloatArray:
    """The range of each case, shape (cases, 2)."""
    figures = np.where(np.isfinite(samples), samples, estimates[:, None])
    low, high = np.quantile(figures, [(1 - MIDDLE) / 2, (1 + MIDDLE) / 2], axis=1)
    return np.stack([np.minimum(low, estimates), np.maximum(high, estimates)], axis=1)


def require_tolerance(tolerance: float) -> None:
    """Refuse what is no tolerance.

    Raises:
        SettingError: It is not above 0 and at most `MOST_TOLERANCE`.
    """
    if not 0 < tolerance <= MOST_TOLERANCE:
        raise SettingError(f"A tolerance must lie above 0 and at most at {MOST_TOLERANCE}, got {tolerance:g}")


def fit_bounds(
    estimates: FloatArray,
    samples: FloatArray,
    truths: FloatArray,
    *,
    patients: Sequence[Hashable] | None = None,
    coverage: float = 0.9,
    accepted: float = 0.9,
    tolerance: float = TOLERANCE,
) -> BoundsRule:
    """Learn from evaluated cases how much to widen, and what to accept.

    Args:
        estimates: Measures of the predictions, shape (cases,).
        samples: Measures of their samples, shape (cases, samples).
        truths: Measures of the true answers, shape (cases,), in the same unit.
        patients: Patient of each case; None takes every case as its own patient.
        coverage: Share of accepted cases whose truth the bounds should hold.
        accepted: Share of the evaluated cases that is to be accepted at most: those with the least spread. Fewer are where that
            makes bounds narrow enough.
        tolerance: Half the width of bounds, as a share of the measure, up to which a figure is accepted.

    Returns:
        The rule; without a margin when fewer than `FEWEST_PATIENTS` patients are left, or too few for the coverage.

    Raises:
        ShapeError: Arrays that do not belong together.
        SettingError: A share outside 0..1, or a tolerance as of `require_tolerance`.
    """
    _require_pairs(estimates, samples, truths, coverage, accepted)
    require_tolerance(tolerance)
    names = group_numbers(patients) if patients else np.arange(len(estimates))
    if len(names) != len(estimates):
        raise ShapeError(f"Every case needs its patient, got {len(estimates)} cases and {len(names)} patients")
    usable = np.isfinite(estimates) & (estimates > 0) & np.isfinite(truths)
    estimates, samples, truths, names = estimates[usable], samples[usable], truths[usable], names[usable]
    count = len(np.unique(names))
    if count < FEWEST_PATIENTS:
        return BoundsRule(coverage=coverage, patients=count, tolerance=tolerance)
    ranges = _ranges(estimates, samples) / estimates[:, None]
    shares = truths / estimates
    outside = np.maximum(ranges[:, 0] - shares, shares - ranges[:, 1])
    margin, largest = _margin(outside, ranges[:, 1] - ranges[:, 0], names, coverage, accepted, tolerance)
    return BoundsRule(margin, largest if margin is not None else math.inf, coverage, count, tolerance)


def _margin(
    outside: FloatArray, spreads: FloatArray, names: IntArray, coverage: float, accepted: float, tolerance: float
) -> tuple[float | None, float]:
    """The widening, and the spread it holds up to: the largest at which bounds are tolerated, else that of all to be accepted."""
    largest = float(np.quantile(spreads, accepted, method="inverted_cdf"))
    found: tuple[float | None, float] = (None, largest)
    for spread in sorted({float(s) for s in spreads if s <= largest}, reverse=True):
        calm = spreads <= spread
        margin = conformal_quantile(outside[calm], coverage, names[calm].tolist())
        if math.isinf(margin):
            break  # with fewer cases it stays so
        if found[0] is None:
            found = (margin, spread)
        if spread / 2 + margin <= tolerance:
            return margin, spread
    return found


def bound_measure(estimate: float, samples: FloatArray, rule: BoundsRule) -> Bounds:
    """Bounds of one measure, and whether to accept it.

    Args:
        estimate: The measure of the prediction.
        samples: The measure of each sample, shape (samples,).
        rule: From `fit_bounds`.

    Raises:
        ShapeError: Without samples.
    """
    low, high = sample_range(estimate, samples)
    spread = spread_of(estimate, samples)
    if math.isinf(spread):
        return Bounds(None, None, spread, False, "nothing measurable was found")
    if rule.margin is None:
        words = counted(rule.patients, "evaluated patient")
        return Bounds(None, None, spread, None, f"no bounds: {words}, at least {FEWEST_PATIENTS} needed")
    if spread > rule.largest_spread:
        reason = f"the model's samples differ by {spread:.1%} of the measure, bounds hold up to {rule.largest_spread:.1%}"
        return Bounds(None, None, spread, False, reason)
    low, high = max(0.0, low - rule.margin * estimate), high + rule.margin * estimate
    low, high = min(low, estimate), max(high, estimate)
    half = max(estimate - low, high - estimate) / estimate
    if half > rule.tolerance + 1e-9:
        return Bounds(low, high, spread, False, f"bounds are {half:.0%} away, more than the {rule.tolerance:.0%} tolerated")
    return Bounds(low, high, spread, True, "")


def _require_pairs(estimates: FloatArray, samples: FloatArray, truths: FloatArray, coverage: float, accepted: float) -> None:
    if estimates.ndim != 1 or samples.ndim != 2 or estimates.shape != truths.shape or len(samples) != len(estimates):
        shapes = f"{estimates.shape}, {samples.shape} and {truths.shape}"
        raise ShapeError(f"Estimates (cases,), samples (cases, samples) and truths (cases,) belong together, got {shapes}")
    if not (0 < coverage < 1 and 0 < accepted <= 1):
        raise SettingError(f"Coverage and the accepted share lie between 0 and 1, got {coverage:g} and {accepted:g}")
