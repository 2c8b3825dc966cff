"""The most valuable cases within a time budget: 0/1 knapsack with a fixed number of cases.

Minutes are rounded up to a grain, so a budget that is kept on paper is kept on the clock.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, CaseScores, IntArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.pool import checked_number

GRAINS = 500
"""A batch's budget is divided into so many steps: minutes are rounded up to 1/500 of it."""

MAX_CELLS = 20_000_000
"""Larger tables than this (bytes) give way to the Lagrangian rule."""


@dataclass(frozen=True)
class Packing:
    """Cases that fit a budget.

    Attributes:
        indices: Which, ascending.
        value, minutes: Their sums.
        bound: No choice within the budget is worth more (equal to `value` when exact, up to rounding of minutes).
        exact: Whether no better choice exists once minutes are rounded up to the grain.
    """

    indices: tuple[int, ...]
    value: float
    minutes: float
    bound: float
    exact: bool


def best_batch(values: CaseScores, minutes: CaseScores, count: int, budget_minutes: float) -> Packing:
    """Exactly `count` cases of highest total value that together stay within a budget.

    Only cases that fewer than `count` others beat in both value and time can matter; the table over these is exact on
    minutes rounded up to `budget / GRAINS`. Where it would be too large, a price per minute is sought by bisection
    (Lagrangian relaxation); `bound` then tells how much could be missing. When even the cheapest cases do not fit,
    these are the answer.

    Args:
        values: Worth of an answer, shape (cases,), >= 0.
        minutes: Predicted minutes, shape (cases,), > 0.
        count: How many; at most all cases.
        budget_minutes: Time for all of them together, > 0.

    Raises:
        ShapeError: Different lengths.
        InputError: As `require_prices`.
        SettingError: A negative count, or a budget that is not above 0.

    Source: Kellerer et al. 2004, Knapsack Problems, section 9.7 (cardinality constraint).
    """
    require_prices(values, minutes)
    wanted = checked_number(count, len(values))
    if not wanted:
        return Packing((), 0.0, 0.0, 0.0, True)
    _require_budget(budget_minutes, budget_minutes / GRAINS)
    room, sizes = _rounded(minutes, budget_minutes, budget_minutes / GRAINS)
    left = _undominated(values, minutes, wanted)
    cheapest = np.argsort(minutes, kind="stable")[:wanted]
    if int(np.sort(sizes)[:wanted].sum()) > room:
        return _packing(values, minutes, [int(n) for n in cheapest], exact=False)
    if len(left) * wanted * (room + 1) > MAX_CELLS:
        return _by_price(values, minutes, wanted, budget_minutes)
    chosen = _exactly(values[left], sizes[left], wanted, room)
    return _packing(values, minutes, [left[n] for n in chosen], exact=True)


def require_prices(values: CaseScores, minutes: CaseScores) -> None:
    """Refuse numbers that are no values and prices.

    Raises:
        ShapeError: Not one number per case.
        InputError: Values below 0, minutes that are not above 0, NaN or infinity.
    """
    if values.shape != minutes.shape or values.ndim != 1:
        raise ShapeError(f"Values and minutes need one number per case, got shapes {values.shape} and {minutes.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError("Values of cases must be finite and 0 or more", remedy="check the scores")
    if not np.isfinite(minutes).all() or (minutes <= 0).any():
        raise InputError("Minutes of cases must be finite and above 0", remedy="check the recorded times")


def _rounded(minutes: CaseScores, budget: float, grain: float) -> tuple[int, IntArray]:
    """Budget and minutes in grains: one rounded down, the others up; clipped just above the budget."""
    room = int(np.floor(budget / grain + 1e-9))
    sizes: IntArray = np.ceil(np.minimum(minutes / grain, room + 1.0) - 1e-9).astype(np.int64)
    return room, sizes


def _undominated(values: CaseScores, minutes: CaseScores, count: int) -> list[int]:
    """Cases that fewer than `count` others beat or equal in both respects, ascending."""
    left: list[int] = []
    top: list[float] = []  # the highest values so far, lowest first
    for n in np.lexsort((np.arange(len(values)), -values, minutes)):
        if len(top) < count:
            heapq.heappush(top, values[n])
        elif values[n] > top[0]:
            heapq.heapreplace(top, values[n])
        else:
            continue
        left.append(int(n))
    return sorted(left)


def _exactly(values: CaseScores, sizes: IntArray, count: int, room: int) -> list[int]:
    best = np.full((count + 1, room + 1), -np.inf)
    best[0] = 0.0
    took: BoolArray = np.zeros((len(values), count, room + 1), dtype=bool)
    for n, size in enumerate(sizes):
        if size <= room:
            with_it = best[:-1, : room + 1 - size] + values[n]
            took[n, :, size:] = with_it > best[1:, size:]
            best[1:, size:] = np.maximum(best[1:, size:], with_it)
    chosen, open_places, left = [], count, room
    for n in range(len(values) - 1, -1, -1):
        if open_places and took[n, open_places - 1, left]:
            chosen.append(n)
            open_places, left = open_places - 1, left - int(sizes[n])
    return chosen


def _by_price(values: CaseScores, minutes: CaseScores, count: int, budget: float) -> Packing:
    """The `count` cases of highest value minus price × minutes, at the lowest price that keeps the budget."""

    def at(price: float) -> IntArray:
        return np.lexsort((minutes, price * minutes - values))[:count]

    low, high = 0.0, 1.0
    while minutes[at(high)].sum() > budget and high < 1e12:
        high *= 4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if minutes[at(middle)].sum() > budget else (low, middle)
    price = 0.0 if minutes[at(0.0)].sum() <= budget else high
    chosen = at(price)
    bound = float((values - price * minutes)[chosen].sum() + price * budget)
    return _packing(values, minutes, [int(n) for n in chosen], exact=False, bound=bound)


def _packing(values: CaseScores, minutes: CaseScores, chosen: list[int], *, exact: bool, bound: float | None = None) -> Packing:
    indices = tuple(sorted(chosen))
    value = float(values[list(indices)].sum())
    return Packing(indices, value, float(minutes[list(indices)].sum()), value if bound is None else max(bound, value), exact)


def _require_budget(budget: float, grain: float) -> None:
    if not np.isfinite(budget) or budget < 0:
        raise SettingError(f"A time budget must be 0 or more minutes, got {budget}")
    if not np.isfinite(grain) or grain <= 0:
        raise SettingError(f"Minutes must be rounded to a grain above 0, got {grain}")
