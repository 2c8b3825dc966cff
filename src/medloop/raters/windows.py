"""Agreement of annotators over time: the same figures in consecutive windows, each with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import IntArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.raters.fused import CONFIDENCE
from medloop.raters.kappa import Scale, alphas
from medloop.raters.votes import Votes, check_votes

FEWEST_ITEMS = 10
"""With fewer shared items in a window there is no interval of alpha."""

DRAWS = 400


@dataclass(frozen=True)
class Window:
    """Agreement in a stretch of time.

    Attributes:
        start, stop: In the unit of the times given; `stop` is not inside.
        items: Items that count.
        value: The agreement; NaN where it is not defined.
        low, high: 90 % interval over items; None below `FEWEST_ITEMS`, or five for means.
    """

    start: float
    stop: float
    items: int
    value: float
    low: float | None
    high: float | None


def alpha_over_time(table: npt.ArrayLike, times: npt.ArrayLike, *, width: float, scale: Scale = "nominal") -> list[Window]:
    """Krippendorff's alpha in consecutive windows, with 90 % intervals (Bayesian bootstrap over items).

    Args:
        table: As for `krippendorff_alpha`.
        times: When each item was annotated, in any unit, shape (items,).
        width: Of a window, same unit.
        scale: As for `krippendorff_alpha`.

    Returns:
        Windows with at least one shared item, earliest first.

    Raises:
        ShapeError: Not one time per item.
        SettingError: A width of 0 or less, or an unknown scale.
        InputError: Times that are not finite, or not a table of classes.
    """
    votes = check_votes(table)
    found = []
    for start, inside in _windows(times, width, len(votes.table)):
        part = inside[votes.shared[inside]]
        if len(part):
            found.append(_alpha_window(Votes(votes.table[part], votes.classes, np.ones(len(part))), scale, start, width))
    return found


def mean_over_time(scores: npt.ArrayLike, times: npt.ArrayLike, *, width: float) -> list[Window]:
    """Mean of one score per case, such as a pairwise Dice, in consecutive windows, with 90 % intervals over cases.

    Args:
        scores: Shape (cases,), finite.
        times: When each case was annotated, shape (cases,).
        width: Of a window, same unit.

    Raises:
        ShapeError: Not one time per case.
        SettingError: A width of 0 or less.
        InputError: Numbers that are not finite.
    """
    from medloop.metrics.intervals import mean_over_cases

    values = np.asarray(scores, dtype=np.float64)
    windows = []
    for start, inside in _windows(times, width, len(values)):
        found = mean_over_cases(values[inside], confidence=CONFIDENCE)
        windows.append(Window(start, start + width, len(inside), found.mean, found.low, found.high))
    return windows


def _windows(times: npt.ArrayLike, width: float, items: int) -> Sequence[tuple[float, IntArray]]:
    """Start and items of every window that holds an item; the first one starts with the earliest item."""
    when = np.asarray(times, dtype=np.float64)
    if when.shape != (items,):
        raise ShapeError(f"One time per item is needed, {items} in all, got shape {when.shape}")
    if not width > 0:
        raise SettingError(f"A window must be wider than 0, got {width}")
    if not np.isfinite(when).all():
        raise InputError("Times must be finite numbers", remedy="leave out items without a time")
    number = np.floor((when - when.min(initial=np.inf)) / width).astype(np.int64) if items else np.zeros(0, dtype=np.int64)
    return [(float(when.min() + n * width), np.flatnonzero(number == n)) for n in np.unique(number)]


def _alpha_window(votes: Votes, scale: Scale, start: float, width: float) -> Window:
    value = float(alphas(votes, scale)[0])
    low = high = None
    if len(votes.table) >= FEWEST_ITEMS:
        drawn = alphas(votes, scale, np.random.default_rng(0).standard_exponential((DRAWS, len(votes.table))))
        if np.isfinite(drawn).all():
            tail = (1.0 - CONFIDENCE) / 2.0
            low, high = (float(q) for q in np.quantile(drawn, [tail, 1.0 - tail]))
    return Window(start, start + width, len(votes.table), value, low, high)
