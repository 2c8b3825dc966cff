"""Cover: choose cases so that every case has a similar one among the chosen.

F(S) = Σ over cases of the highest similarity to a member of S is submodular: the greedy choice reaches at least
1 - 1/e of the best, and gains only shrink, so an older gain is an upper bound that leaves most cases unevaluated
(Minoux 1978, doi:10.1007/BFb0006528). No table (cases, cases) is kept.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import Features, FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError
from medloop.execution.executor import Task, ordered
from medloop.query.diversity.similarities import Cosine, Similarity
from medloop.query.diversity.tables import BLOCK_NUMBERS, checked_pair, product
from medloop.query.pool import checked_number
from medloop.query.sharding import WHOLE, Sharding, SharedTable, shared_tables

EQUAL_GAINS = 1e-5
"""Gains that differ by less than this share count as equal, and the lower index goes first: sums of products round."""

_FEW = 16
"""Cases evaluated together at first; doubled while the choice stays open."""

_PARTS = 4
"""Parts of the first gains for each worker, so that none waits long for the last."""

_SIDE, _WIDTH = 256, 4096
"""Rows and columns of similarities held at once."""


def cover(
    features: Features,
    similarity: Similarity,
    count: int,
    *,
    known: Features | None = None,
    candidates: Sequence[int] | None = None,
    sharding: Sharding = WHOLE,
) -> list[int]:
    """Greedy cover of all cases by some of them; what is known already covers first.

    Cost: half of cases × cases × dimensions multiplications for the first gains (one block serves both of its
    sides), then a few evaluations of cases × dimensions per pick; memory for one more table.

    Args:
        features: Shape (cases, dimensions).
        similarity: A form of `medloop.query.diversity.similarities`, for instance `Ball(radius)`.
        count: How many to choose; at most all candidates.
        known: Features of answered cases, shape (answered, dimensions).
        candidates: Cases that may be chosen; None for all.
        sharding: Who works out the first gains. Parts are summed in another order, which changes gains by far less than
            `EQUAL_GAINS`.

    Returns:
        Indices in order of picking; gains equal within `EQUAL_GAINS` go to the lower index.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Yehuda et al. 2022, arXiv:2205.11320, algorithm 1 (balls); Bae et al. 2024, arXiv:2407.12212 (kernels); by
        `Cosine` the classical facility location, Wei et al. 2015, Submodularity in data subset selection, section 3.
    """
    table, answered = checked_pair(features, known)
    allowed = np.arange(len(table)) if candidates is None else np.unique(np.asarray(candidates, dtype=np.intp))
    wanted = checked_number(count, len(allowed))
    if not wanted:
        return []
    greedy = _Greedy(table, answered, similarity, allowed, sharding)
    return [greedy.pick() for _ in range(wanted)]


class _Greedy:
    """The lazy greedy rule."""

    def __init__(self, table: Features, answered: Features, similarity: Similarity, allowed: IntArray, sharding: Sharding) -> None:
        self._similarity, self._sharding = similarity, sharding
        middle = table.mean(axis=0, dtype=np.float64).astype(table.dtype) if not isinstance(similarity, Cosine) else table.dtype.type(0)
        self._rows = similarity.prepare(table - middle)
        self._covered = self._highest(similarity.prepare(answered - middle))
        self._gains = np.full(len(table), -np.inf)
        if 2 * len(allowed) >= len(table):
            self._gains[allowed] = self._first_gains()[allowed]
        else:
            self._gains[allowed] = np.concatenate([self._evaluate(allowed[n : n + _SIDE]) for n in range(0, len(allowed), _SIDE)])

    def pick(self) -> int:
        """The candidate of the highest gain, which then covers."""
        case = self._best()
        self._gains[case] = -np.inf
        mirrored = self._similarity.mirror(self._rows[case : case + 1])[0]
        np.maximum(self._covered, self._similarity.finish(product(self._rows, mirrored)), out=self._covered)
        return case

    def _best(self) -> int:
        """Evaluate the highest older gains until none can exceed what is known."""
        sure = self._gains == 0.0  # gains only shrink
        size, best = _FEW, 0.0 if sure.any() else -np.inf
        while len(stale := np.flatnonzero(~sure & (self._gains >= best * (1.0 - EQUAL_GAINS)) & (self._gains > 0.0))):
            some = stale[np.argpartition(-self._gains[stale], min(size, len(stale)) - 1)[:size]]
            self._gains[some] = self._evaluate(some)
            sure[some] = True
            best, size = max(best, float(self._gains[some].max())), min(2 * size, _SIDE)
        return int(np.argmax(sure & (self._gains >= best * (1.0 - EQUAL_GAINS)) & np.isfinite(self._gains)))

    def _evaluate(self, some: IntArray) -> FloatArray:
        """Gains of those cases now, shape (some,)."""
        gains, mirrored = np.zeros(len(some)), self._similarity.mirror(self._rows[some])
        for columns in _blocks(0, len(self._rows)):
            if self._covered[columns].min() < 1.0:
                gains += _gains(self._similarity.finish(product(mirrored, self._rows[columns].T)), self._covered[columns])
        return self._without_noise(gains)

    def _first_gains(self) -> FloatArray:
        """Gains of all cases."""
        sides = range(0, len(self._rows), _SIDE)
        if not self._sharding.is_worth(len(self._rows)):
            return self._without_noise(_gains_by_sides(self._rows, self._covered, self._similarity, sides))
        parts = _PARTS * self._sharding.executor.width
        with shared_tables([self._rows, self._covered[:, None]], self._sharding.folder) as (rows, covered):
            turns = [sides[n::parts] for n in range(min(parts, len(sides)))]  # early sides are compared with more than late ones
            tasks = [
                Task(f"part {n + 1} of the gains", _gains_in_worker, (rows, covered, self._similarity, t)) for n, t in enumerate(turns)
            ]
            found = ordered(self._sharding.executor, tasks)
        return self._without_noise(np.sum(found, axis=0))

    def _without_noise(self, gains: FloatArray) -> FloatArray:
        """Gains as small as rounding may feign are none."""
        gains[gains < 4.0 * np.finfo(self._rows.dtype).eps * len(self._rows)] = 0.0
        return gains

    def _highest(self, answered: FloatArray) -> FloatArray:
        """Similarity of each case to the most similar answered one, 0 without any."""
        rows = self._rows
        highest: FloatArray = np.zeros(len(rows), dtype=rows.dtype)
        mirrored = self._similarity.mirror(answered)
        block = max(1, BLOCK_NUMBERS // max(1, len(answered)))
        for start in range(0, len(rows) if len(answered) else 0, block):
            some = slice(start, start + block)
            highest[some] = self._similarity.finish(product(rows[some], mirrored.T)).max(axis=1)
        return highest


def _gains_in_worker(rows: SharedTable, covered: SharedTable, similarity: Similarity, sides: Sequence[int]) -> FloatArray:
    return _gains_by_sides(np.asarray(rows.rows()), np.asarray(covered.rows()[:, 0]), similarity, sides)


def _gains_by_sides(rows: FloatArray, covered: FloatArray, similarity: Similarity, sides: Sequence[int]) -> FloatArray:
    """What some sides and all cases after them give each other; each block of similarities serves its rows and its columns."""
    gains = np.zeros(len(rows))
    for start in sides:
        side = slice(start, start + _SIDE)
        mirrored = similarity.mirror(rows[side])
        for others in _blocks(start, len(gains)):
            block = similarity.finish(product(mirrored, rows[others].T))
            gains[side] += _gains(block, covered[others])
            later = slice(max(others.start, side.stop), others.stop)
            gains[later] += _gains(block[:, later.start - others.start :].T, covered[side])
    return gains


def _blocks(start: int, stop: int) -> list[slice]:
    return [slice(n, min(n + _WIDTH, stop)) for n in range(start, stop, _WIDTH)]


def _gains(similarities: FloatArray, covered: FloatArray) -> FloatArray:
    """Σ over columns of what exceeds their cover, shape (rows,); sums of a block in its own precision."""
    if covered.any():
        similarities = similarities - covered
        np.maximum(similarities, 0.0, out=similarities)
    return product(similarities, np.ones(len(covered), dtype=similarities.dtype))


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
