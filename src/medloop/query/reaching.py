"""How many more annotations, and hours, a target score takes, each with its 95 % interval."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.metrics.intervals import CONFIDENCE, t_quantile
from medloop.query.stopping import Curve, next_gain

BOUNDS = ("expected", "high", "low")
"""Of a gain; the largest that may come needs the fewest annotations."""

FEWEST_TIMES = 3
"""Fewer recorded times have no interval worth showing."""


@dataclass(frozen=True)
class Reach:
    """Something with its interval; None where the cases that are left do not suffice, as far as the curve tells."""

    expected: float | None
    low: float | None
    high: float | None


def cases_to_target(curve: Curve, target: float, left: int) -> Reach | None:
    """How many more annotations bring the mean score to a target.

    Args:
        curve: The learning curve.
        target: Score to reach, 0..1.
        left: Cases that can still be annotated.

    Returns:
        0 where the score is there. None with too few models or patients to tell, see `next_gain`.

    Source: the smallest number of annotations whose expected gain, or the end of its interval (`expected_gain`), is what lacks.
    """
    lacking = target - float(curve.scores[-1])
    if next_gain(curve, 1) is None or left < 1:
        return Reach(0.0, 0.0, 0.0) if lacking <= 0 and curve.low is not None else None
    if lacking <= 0:
        return Reach(0.0, 0.0, 0.0)
    gain_of = cache(partial(next_gain, curve))

    def enough(bound: str, more: int) -> bool:
        return bool(getattr(gain_of(more), bound) >= lacking)

    return Reach(*(_fewest(left, partial(enough, bound)) for bound in BOUNDS))


def hours_for(cases: Reach, minutes: FloatArray) -> Reach | None:
    """Hours of work for a number of cases, by what recent ones took.

    Args:
        cases: How many, with its interval.
        minutes: Of recent cases, shape (times,), each > 0.

    Returns:
        The mean time per case, with its t interval, times the cases; both ends are taken together, so that the interval rather holds
        too much than too little. None with fewer than `FEWEST_TIMES` times.

    Raises:
        InputError: Times that are not above 0.
    """
    if len(minutes) < FEWEST_TIMES:
        return None
    if not (np.isfinite(minutes).all() and (minutes > 0).all()):
        raise InputError("Minutes per case must be finite and above 0")
    mean = float(minutes.mean())
    half = t_quantile(len(minutes) - 1, CONFIDENCE) * float(minutes.std(ddof=1)) / len(minutes) ** 0.5
    per_case = (mean, max(mean - half, float(minutes.min())), mean + half)
    ends = (cases.expected, cases.low, cases.high)
    return Reach(*(None if n is None else n * each / 60.0 for n, each in zip(ends, per_case, strict=True)))


def _fewest(left: int, enough: Callable[[int], bool]) -> float | None:
    """The smallest number from 1 to `left` that is enough, if any is: more never helps less."""
    found = bisect_left(range(1, left), x=True, key=enough) + 1
    return float(found) if enough(found) else None
