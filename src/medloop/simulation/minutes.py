"""What a strategy costs in minutes of annotation instead of cases: a case that takes long counts as such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.metrics.intervals import Interval, mean_over_runs
from medloop.simulation.curves import Curve, labels_to_reach

_ROUNDING = 1e-12


@dataclass(frozen=True)
class MinutesNeeded:
    """Minutes of annotation at which runs first reach a score.

    Attributes:
        minutes: Mean over seeds, of each seed's own curve by linear interpolation; None where not every seed reaches the score, whose
            mean would leave out the slowest.
        reached: Share of the seeds that reach it, 0..1.
    """

    minutes: Interval | None
    reached: float


@dataclass(frozen=True)
class MinutesPoint:
    """A point of a mean curve over minutes; interval of the score over seeds, None with too few."""

    minutes: float
    mean: float
    low: float | None
    high: float | None


def timed(curves: Sequence[Curve]) -> bool:
    """Whether every round of every run has its minutes; runs of older versions and of classes have none."""
    return bool(curves) and all(len(c.minutes) == len(c.scores) and c.minutes[-1] > 0 for c in curves)


def minutes_points(curves: Sequence[Curve]) -> tuple[MinutesPoint, ...]:
    """The mean curve of one strategy over the mean minutes after each round; () where minutes are not known."""
    if not timed(curves):
        return ()
    minutes = np.array([c.minutes for c in curves]).mean(axis=0)
    scores = [mean_over_runs(column) for column in np.array([c.scores for c in curves]).T]
    return tuple(MinutesPoint(float(x), i.mean, i.low, i.high) for x, i in zip(minutes, scores, strict=True))


def minutes_needed(curves: Sequence[Curve], full: Mapping[int, float], share: float) -> MinutesNeeded | None:
    """Minutes to a share of the full-data score; None where minutes are not known.

    Args:
        curves: All runs of one strategy.
        full: Seed → full-data score, at least one; a seed without one is held against the mean.
        share: Of the full-data score, 0..1.
    """
    if not timed(curves):
        return None
    usual = float(np.mean(list(full.values())))
    own = [labels_to_reach(c.minutes, c.scores, share * full.get(c.seed, usual) - _ROUNDING) for c in curves]
    found = [minutes for minutes in own if minutes is not None]
    return MinutesNeeded(mean_over_runs(found) if len(found) == len(curves) else None, len(found) / len(curves))
