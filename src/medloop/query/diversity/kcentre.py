"""Greedy k-centre, exact and lazy: only cases that may be the farthest are compared with every centre.

A distance to some of the centres is an upper bound of the distance to all. All cases are compared with a few
well-placed centres. While a case outside the *front* may be farther than all within, those of the highest bounds
are compared with four times as many centres; cases that have seen all join the front, which is kept up to date.
Matrix products round, so each distance carries the most that rounding can amount to; where that leaves the
farthest case open, differences in double precision settle it. So the picks are those of the plain rule, whatever
the blocks, and ties go to the lower index.
"""

import numpy as np

from medloop.core.arrays import Features, FloatArray, IntArray
from medloop.core.errors import SettingError
from medloop.query.diversity.tables import BLOCK_NUMBERS, checked_pair, product, squared_distances, squared_lengths
from medloop.query.pool import checked_number

FIRST_CENTRES = 64
"""Centres that every case is compared with."""

_STEP = 4
"""Times as many centres for cases whose bound is still among the highest."""

_SAMPLE = 512
"""Cases by which the first centres are placed."""

_GROWTH = 1024
"""Least number of cases that are compared with further centres at a time."""


def k_centre(features: Features, centres: Features | None, count: int, *, first: int = 0) -> list[int]:
    """Greedy k-centre: again and again the case farthest from everything chosen so far.

    The largest distance of any case to its nearest choice stays within twice the least possible. Cost: cases ×
    64 × dimensions multiplications, and (centres + count) × dimensions for each case that comes near to being
    picked, usually a tenth of them; memory for the rows of these and a few numbers per case.

    Args:
        features: Shape (cases, dimensions).
        centres: Features of what is chosen already (labelled cases), shape (centres, dimensions); None or empty
            if nothing is.
        count: How many to choose; at most all cases.
        first: The first pick when there are no centres.

    Returns:
        Indices in order of picking.

    Raises:
        ShapeError: Features that are not a table, or centres of other dimensions.
        InputError: NaN or infinity among the features.
        SettingError: A negative count, or a first pick outside the table.

    Source: Sener and Savarese 2018, arXiv:1708.00489, algorithm 1; Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5.
    """
    wanted = checked_number(count, len(features))
    table, known = checked_pair(features, centres)
    if not wanted:
        return []
    if len(known):
        front = Front(table, known, wanted)
        return [front.pick() for _ in range(wanted)]
    require_first(first, len(table))
    front = Front(table, table[first : first + 1], wanted - 1, without=first)
    return [first, *(front.pick() for _ in range(wanted - 1))]


def require_first(first: int, cases: int) -> None:
    """Refuse a first pick that is no case.

    Raises:
        SettingError: It lies outside the table.
    """
    if not 0 <= first < cases:
        raise SettingError(f"The first pick must lie in 0..{cases - 1}, got {first}")


class Front:
    """The cases that may be the farthest, their distances up to date; upper bounds for all others.

    Args:
        table: Shape (cases, dimensions).
        known: The first centres, shape (centres, dimensions).
        count: How many further centres will follow.
        without: A case that is never picked.
    """

    def __init__(self, table: Features, known: Features, count: int, *, without: int | None = None) -> None:
        self._table, self._known, self._left = table, known, len(table) - (without is not None)
        self._added = np.empty((count, table.shape[1]), dtype=table.dtype)
        self._number = 0
        # Distances come from norms and products; near the origin these lose fewest digits.
        self._middle = known.mean(axis=0, dtype=np.float64).astype(table.dtype)
        self._centres = np.empty((len(known) + count, table.shape[1]), dtype=table.dtype)
        self._centres[: len(known)] = _well_placed(self._rows(_spaced(len(table), _SAMPLE)), known - self._middle)
        self._outside, self._slacks = self._bounds()
        self._seen = np.full(len(table), min(FIRST_CENTRES, len(known)))
        self._indices: IntArray = np.zeros(0, dtype=np.intp)
        self._front = table[:0]
        self._squares, self._nearest = (np.zeros(0, dtype=table.dtype) for _ in range(2))
        self._settled: FloatArray = np.zeros(0, dtype=np.float64)
        self._settled_by: IntArray = np.zeros(0, dtype=np.intp)
        if without is not None:
            self._outside[without] = -np.inf

    def pick(self) -> int:
        """The case farthest from all centres, which makes it one of them."""
        place = self._farthest()
        index = int(self._indices[place])
        self.add(self._table[index], index)
        return index

    @property
    def is_exhausted(self) -> bool:
        """Whether no case is left to pick."""
        return not self._left

    def farthest(self) -> tuple[int, float]:
        """The case farthest from all centres, and its squared distance in double precision."""
        place = self._farthest()
        return int(self._indices[place]), float(self._settle(np.array([place]))[0])

    def nominees(self, most: int) -> tuple[IntArray, float]:
        """The cases of the highest upper bounds, at most so many, and what no other case's squared distance exceeds."""
        upper = self._nearest.astype(np.float64) + self._slacks[self._indices]
        order = np.argsort(-upper, kind="stable")
        order = order[upper[order] > -np.inf]
        beyond = float(upper[order[most]]) if len(order) > most else -np.inf
        return self._indices[order[:most]], max(beyond, float(self._outside.max(initial=-np.inf)))

    def add(self, row: Features, index: int | None = None) -> None:
        """A further centre, shape (dimensions,); with the index of a case of this table, which then is never picked."""
        number = len(self._known) + self._number
        self._added[self._number] = row
        self._centres[number] = row - self._middle
        np.minimum(self._nearest, _nearest(self._front, self._squares, self._centres[number : number + 1]), out=self._nearest)
        if index is not None:
            self._nearest[self._indices == index] = self._outside[index] = -np.inf
            self._left -= 1
        self._number += 1

    def _farthest(self) -> int:
        """Place in the front; ties by the lower index."""
        slack = self._slacks[self._indices]
        while self._outside.max() >= (sure := float((self._nearest - slack).max(initial=-np.inf))):
            self._advance(sure)
            slack = self._slacks[self._indices]
        tied = np.flatnonzero(self._nearest + slack >= sure)
        if len(tied) == 1:
            return int(tied[0])
        exact = self._settle(tied)
        best = tied[exact == exact.max()]
        return int(best[np.argmin(self._indices[best])])

    def _advance(self, sure: float) -> None:
        """Compare the cases of the highest bounds with further centres; those that have seen all join the front.

        Few more than may be farther than `sure`: whoever joins is kept up to date from then on.
        """
        left = int(np.count_nonzero(self._outside > -np.inf))
        farther = int(np.count_nonzero(self._outside >= sure))
        size = min(left, max(_GROWTH, min(farther, left // 128)))
        highest = np.argpartition(-self._outside, size - 1)[:size]
        before = self._seen[highest]  # what they had seen: nobody takes two steps at once
        for seen in np.unique(before):
            cases = highest[before == seen]
            rows = self._rows(cases)
            if seen < len(self._known):
                self._tighten(cases, rows, int(seen))
            else:
                self._join(cases, rows)

    def _tighten(self, cases: IntArray, rows: Features, seen: int) -> None:
        up_to = min(seen * _STEP, len(self._known))
        further = _nearest(rows, squared_lengths(rows), self._centres[seen:up_to])
        self._outside[cases] = np.minimum(self._outside[cases], further + self._slacks[cases])
        self._seen[cases] = up_to

    def _join(self, cases: IntArray, rows: Features) -> None:
        squares, nearest = squared_lengths(rows), self._outside[cases] - self._slacks[cases]
        picked = self._centres[len(self._known) : len(self._known) + self._number]
        self._outside[cases] = -np.inf
        self._indices = np.concatenate([self._indices, cases])
        self._front = np.concatenate([self._front, rows])
        self._squares = np.concatenate([self._squares, squares])
        self._nearest = np.concatenate([self._nearest, np.minimum(nearest, _nearest(rows, squares, picked))])
        self._settled = np.concatenate([self._settled, np.full(len(cases), np.inf)])
        self._settled_by = np.concatenate([self._settled_by, np.zeros(len(cases), dtype=np.intp)])

    def _settle(self, places: IntArray) -> FloatArray:
        """Squared distances to the nearest centre in double precision, from differences."""
        done = len(self._known) + self._number
        for by in np.unique(self._settled_by[places]):
            group = places[self._settled_by[places] == by]
            picks = self._added[max(0, by - len(self._known)) : self._number]
            for place in group:
                row = self._table[self._indices[place]].astype(np.float64)
                fresh = min(_least_exactly(row, self._known[by:]), _least_exactly(row, picks))
                self._settled[place] = min(self._settled[place], fresh)
            self._settled_by[group] = done
        return self._settled[places]

    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        """Per case: a bound of the squared distance to its nearest centre, and the most that rounding changes it.

        Rounding changes |x|² + |c|² - 2x·c by at most one unit per product and sum.
        """
        first = self._centres[: min(FIRST_CENTRES, len(self._known))]
        bounds, squares = np.empty((2, len(self._table)), dtype=self._table.dtype)
        block = max(1, BLOCK_NUMBERS // max(self._table.shape[1], len(first), 1))
        for start in range(0, len(bounds), block):
            rows = self._table[start : start + block] - self._middle
            squares[start : start + block] = squared_lengths(rows)
            bounds[start : start + block] = _nearest(rows, squares[start : start + block], first)
        longest = np.sqrt(max(squares.max(), squared_lengths(self._centres[: len(self._known)]).max()))
        slacks = np.square(np.sqrt(squares) + longest) * ((self._table.shape[1] + 8) * np.finfo(squares.dtype).eps / 2)
        return bounds + slacks.astype(bounds.dtype), slacks.astype(bounds.dtype)

    def _rows(self, indices: IntArray) -> Features:
        rows: Features = self._table[indices]
        rows -= self._middle
        return rows


def _spaced(cases: int, most: int) -> IntArray:
    """At most that many cases, evenly spaced."""
    return np.arange(0, cases, -(-cases // most))


def _well_placed(sample: Features, centres: Features) -> Features:
    """The centres, those first that serve the sample: greedy k-medians, then the one nearest to the worst served row."""
    if len(centres) <= FIRST_CENTRES:
        return centres
    candidates = _spaced(len(centres), 2 * _SAMPLE)
    away = squared_distances(centres[candidates], sample)
    served = np.full(len(sample), away.max(), dtype=away.dtype)
    order: dict[int, None] = {}
    for n in range(FIRST_CENTRES + len(sample)):
        worst = int(np.argmax(served))
        best = int(np.argmin(np.minimum(away, served).sum(axis=1) if n < FIRST_CENTRES else away[:, worst]))
        order[int(candidates[best])] = None
        np.minimum(served, away[best], out=served)
        served[worst] = served[worst] if n < FIRST_CENTRES else -np.inf
    rest = np.setdiff1d(np.arange(len(centres)), list(order))
    return np.concatenate([centres[list(order)], centres[rest]])


def _nearest(rows: Features, squares: FloatArray, centres: Features) -> FloatArray:
    """Squared distance of each row (of these squared lengths) to its nearest centre, shape (rows,)."""
    lengths = squared_lengths(centres)
    nearest: FloatArray = np.empty(len(rows), dtype=rows.dtype)
    block = max(1, BLOCK_NUMBERS // max(1, len(centres)))
    for start in range(0, len(rows), block):
        reach = product(rows[start : start + block], centres.T)
        reach *= -2.0
        reach += lengths
        nearest[start : start + block] = reach.min(axis=1, initial=np.inf)
    nearest += squares
    return nearest


def _least_exactly(row: FloatArray, centres: Features) -> float:
    """Squared distance to the nearest centre from differences, which lose no digits; `row` in double precision."""
    away = centres - row
    return float(np.einsum("cd,cd->c", away, away).min(initial=np.inf))
