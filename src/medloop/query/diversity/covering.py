"""Cover: choose cases so that every case has a similar one among the chosen.

F(S) = Σ over cases of the highest similarity to a member of S is submodular: the greedy choice reaches at least
1 - 1/e of the best, and gains only shrink, so an older gain is an upper bound that leaves most cases unevaluated
(Minoux 1978, doi:10.1007/BFb0006528). No table (cases, cases) is kept.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray, Features, FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError
from medloop.query.diversity.sides import SIDE, cut, gaps, neighbourhoods, runs
from medloop.query.diversity.similarities import Cosine, Similarity
from medloop.query.diversity.tables import BLOCK_NUMBERS, checked_number, checked_pair

EQUAL_GAINS = 1e-5
"""Gains that differ by less than this share count as equal, and the lower index goes first: sums of products round."""

_FEW = 16
"""Cases evaluated together at first; doubled while the choice stays open."""


def cover(
    features: Features,
    similarity: Similarity,
    count: int,
    *,
    known: Features | None = None,
    candidates: Sequence[int] | None = None,
) -> list[int]:
    """Greedy cover of all cases by some of them; what is known already covers first.

    Cost: half of cases × cases × dimensions multiplications for the first gains (one block serves both of its
    sides, and blocks are left out whose sides are too far apart to matter), then a few evaluations of cases ×
    dimensions per pick; memory for two more tables.

    Args:
        features: Shape (cases, dimensions).
        similarity: A form of `medloop.query.diversity.similarities`, for instance `Ball(radius)`.
        count: How many to choose; at most all candidates.
        known: Features of answered cases, shape (answered, dimensions).
        candidates: Cases that may be chosen; None for all.

    Returns:
        Indices in order of picking; gains equal within `EQUAL_GAINS` go to the lower index.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Yehuda et al. 2022, arXiv:2205.11320, algorithm 1 (balls); Bae et al. 2024, arXiv:2407.12212 (kernels).
    """
    table, answered = checked_pair(features, known)
    allowed = np.arange(len(table)) if candidates is None else np.unique(np.asarray(candidates, dtype=np.intp))
    wanted = checked_number(count, len(allowed))
    if not wanted:
        return []
    greedy = _Greedy(table, answered, similarity, allowed)
    return [greedy.pick() for _ in range(wanted)]


def facility_location(features: Features, count: int, *, known: Features | None = None) -> list[int]:
    """`cover` by the cosine where it is positive: the classical facility location.

    Args:
        features: Shape (cases, dimensions).
        count: How many to choose; at most all.
        known: Features of answered cases, shape (answered, dimensions).

    Returns:
        Indices in order of picking.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Wei et al. 2015, Submodularity in data subset selection and active learning, section 3.
    """
    return cover(features, Cosine(), count, known=known)


class _Greedy:
    """The lazy greedy rule over rows in order of neighbourhood, apart by whether they are wholly covered."""

    def __init__(self, table: Features, answered: Features, similarity: Similarity, allowed: IntArray) -> None:
        self._similarity = similarity
        middle = table.mean(axis=0, dtype=np.float64).astype(table.dtype) if not isinstance(similarity, Cosine) else table.dtype.type(0)
        rows = similarity.prepare(table - middle)
        covered = self._highest(rows, similarity.prepare(answered - middle))
        labels = 2 * neighbourhoods(rows[:, : table.shape[1]]) + (covered >= 1.0)
        self._order = np.argsort(labels, kind="stable")
        self._rows, self._covered = rows[self._order], covered[self._order]
        self._sides = cut(labels[self._order])
        self._side_of = np.repeat(np.arange(len(self._sides)), [side.stop - side.start for side in self._sides])
        self._matters = self._which_matter(table.shape[1])
        self._allowed = np.isin(self._order, allowed)
        self._gains = self._first_gains()
        self._gains[~self._allowed] = -np.inf

    def pick(self) -> int:
        """The candidate of the highest gain, which then covers."""
        place = self._best()
        self._gains[place] = -np.inf
        np.maximum(self._covered, self._similarities(place), out=self._covered)
        return int(self._order[place])

    def _best(self) -> int:
        """Evaluate the highest older gains until none can exceed what is known."""
        sure = self._gains == 0.0  # gains only shrink
        size, best = _FEW, 0.0 if sure.any() else -np.inf
        while len(stale := np.flatnonzero(~sure & (self._gains >= best * (1.0 - EQUAL_GAINS)) & (self._gains > 0.0))):
            some = stale[np.argpartition(-self._gains[stale], min(size, len(stale)) - 1)[:size]]
            self._gains[some] = self._evaluate(np.sort(some))[np.argsort(np.argsort(some))]
            sure[some] = True
            best, size = max(best, float(self._gains[some].max())), min(2 * size, SIDE)
        tied = np.flatnonzero(sure & (self._gains >= best * (1.0 - EQUAL_GAINS)) & np.isfinite(self._gains))
        return int(tied[np.argmin(self._order[tied])])

    def _which_matter(self, dimensions: int) -> BoolArray:
        """Whether a row of the first side may be more similar to one of the second than what covers that; cover only grows."""
        least = np.array([self._covered[side].min() for side in self._sides])
        matters: BoolArray = self._similarity.nearness(gaps(self._rows[:, :dimensions], self._sides)) > least
        return matters

    def _evaluate(self, some: IntArray) -> FloatArray:
        """Gains of those cases now, shape (some,)."""
        gains, mirrored = np.zeros(len(some)), self._similarity.mirror(self._rows[some])
        for columns in runs(np.flatnonzero(self._matters[np.unique(self._side_of[some])].any(axis=0)), self._sides):
            if self._covered[columns].min() < 1.0:
                gains += _gains(self._similarity.finish(mirrored @ self._rows[columns].T), self._covered[columns])
        return self._without_noise(gains)

    def _first_gains(self) -> FloatArray:
        """Gains of all cases; each block of similarities serves its rows and its columns."""
        if np.count_nonzero(self._allowed) < len(self._rows) // 2:
            return self._gains_of_few()
        gains = np.zeros(len(self._rows))
        both = self._matters | self._matters.T
        for n, side in enumerate(self._sides):
            mirrored = self._similarity.mirror(self._rows[side])
            for others in runs(np.flatnonzero(both[n, n:]) + n, self._sides):
                block = self._similarity.finish(mirrored @ self._rows[others].T)
                gains[side] += _gains(block, self._covered[others])
                later = slice(max(others.start, side.stop), others.stop)
                gains[later] += _gains(block[:, later.start - others.start :].T, self._covered[side])
        return self._without_noise(gains)

    def _without_noise(self, gains: FloatArray) -> FloatArray:
        """Gains as small as rounding may feign are none."""
        gains[gains < 4.0 * np.finfo(self._rows.dtype).eps * len(self._rows)] = 0.0
        return gains

    def _gains_of_few(self) -> FloatArray:
        gains = np.zeros(len(self._rows))
        few = np.flatnonzero(self._allowed)
        for start in range(0, len(few), SIDE):
            gains[few[start : start + SIDE]] = self._evaluate(few[start : start + SIDE])
        return gains

    def _similarities(self, place: int) -> FloatArray:
        """To all cases."""
        mirrored = self._similarity.mirror(self._rows[place : place + 1])[0]
        return self._similarity.finish(self._rows @ mirrored)

    def _highest(self, rows: FloatArray, answered: FloatArray) -> FloatArray:
        """Similarity of each case to the most similar answered one, 0 without any."""
        highest: FloatArray = np.zeros(len(rows), dtype=rows.dtype)
        mirrored = self._similarity.mirror(answered)
        block = max(1, BLOCK_NUMBERS // max(1, len(answered)))
        for start in range(0, len(rows) if len(answered) else 0, block):
            some = slice(start, start + block)
            highest[some] = self._similarity.finish(rows[some] @ mirrored.T).max(axis=1)
        return highest


def _gains(similarities: FloatArray, covered: FloatArray) -> FloatArray:
    """Σ over columns of what exceeds their cover, shape (rows,); sums of a block in its own precision."""
    if covered.any():
        similarities = similarities - covered
        np.maximum(similarities, 0.0, out=similarities)
    gains: FloatArray = similarities @ np.ones(len(covered), dtype=similarities.dtype)
    return gains


def greedy_cover(similarity: FloatArray, candidates: Sequence[int], count: int) -> list[int]:
    """Choose candidates so that every case has a similar one among the chosen.

    Maximises F(S) = Σ over cases of the highest similarity to a member of S. F is submodular, so the
    greedy choice reaches at least 1 - 1/e of the best, and gains only shrink, which lets most of them go
    unevaluated.

    Args:
        similarity: Row r = similarity of candidate r to every case, shape (candidates, cases).
        candidates: Index of each row's case, shape (candidates,); this is what is returned.
        count: How many to choose; at most all candidates.

    Returns:
        Members of `candidates` in order of picking; equal gains go to the earlier row.

    Raises:
        ShapeError: Not one row per candidate.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Yang et al. 2017, arXiv:1706.04737, section 2.3; lazy gains of Minoux 1978, doi:10.1007/BFb0006528.
    """
    if similarity.ndim != 2 or len(similarity) != len(candidates):
        raise ShapeError(f"Similarity needs one row per candidate, got shape {similarity.shape} for {len(candidates)} candidates")
    if not np.isfinite(similarity).all():
        raise InputError("Similarities must be finite", remedy="check the features they come from")
    wanted = checked_number(count, len(candidates))
    if not wanted:
        return []
    covered = np.full(similarity.shape[1], similarity.min(initial=0.0), dtype=similarity.dtype)
    gains = [(-_gain_of(row, covered), r) for r, row in enumerate(similarity)]
    heapq.heapify(gains)
    picks: list[int] = []
    while len(picks) < wanted:
        _, row = heapq.heappop(gains)
        fresh = (-_gain_of(similarity[row], covered), row)
        if gains and fresh > gains[0]:
            heapq.heappush(gains, fresh)
            continue
        picks.append(int(candidates[row]))
        covered = np.maximum(covered, similarity[row])
    return picks


def _gain_of(row: FloatArray, covered: FloatArray) -> float:
    return float(np.maximum(row - covered, 0.0).sum(dtype=np.float64))
