"""Spread: choose cases that stand for the others, from a table of features or similarities.

Both algorithms are greedy, deterministic and break ties by the lower index.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError

_BLOCK_NUMBERS = 1 << 23
"""Distances held at once while comparing with many centres: 32 MB of float32."""


def k_centre(features: Features, centres: Features | None, count: int, *, first: int = 0) -> list[int]:
    """Greedy k-centre: again and again the case farthest from everything chosen so far.

    The largest distance of any case to its nearest choice stays within twice the least possible. Cost:
    cases × (centres + count) × dimensions multiplications, done as matrix products in blocks; memory for
    one distance per case.

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
    checked_count = _checked_count(count, len(features))
    table = _checked_features(features, "features")
    known = _checked_features(centres, "labelled features") if centres is not None and len(centres) else table[:0]
    if len(known) and len(table) and known.shape[1] != table.shape[1]:
        raise ShapeError(f"Features and labelled features must have the same dimensions, got {table.shape[1]} and {known.shape[1]}")
    if not checked_count:
        return []
    # Distances come from norms and products; near the origin these lose fewest digits.
    middle = table.mean(axis=0)
    table, known = table - middle, known[np.lexsort(known.T)] - middle  # sorted: products round by position
    if not len(known) and not 0 <= first < len(table):
        raise SettingError(f"The first pick must lie in 0..{len(table) - 1}, got {first}")
    nearest = _nearest_squared(table, known) if len(known) else np.full(len(table), np.inf, dtype=table.dtype)
    return _farthest_first(table, nearest, checked_count, start=None if len(known) else first)


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
    wanted = _checked_count(count, len(candidates))
    if not wanted:
        return []
    covered = np.full(similarity.shape[1], similarity.min(initial=0.0), dtype=similarity.dtype)
    gains = [(-_gain(row, covered), r) for r, row in enumerate(similarity)]
    heapq.heapify(gains)
    picks: list[int] = []
    while len(picks) < wanted:
        _, row = heapq.heappop(gains)
        fresh = (-_gain(similarity[row], covered), row)
        if gains and fresh > gains[0]:
            heapq.heappush(gains, fresh)
            continue
        picks.append(int(candidates[row]))
        covered = np.maximum(covered, similarity[row])
    return picks


def cosine_similarity(features: Features, others: Features) -> FloatArray:
    """Cosine of the angle between every pair of rows; a row of zeros is similar to nothing (0).

    Args:
        features: Shape (cases, dimensions).
        others: Shape (others, dimensions).

    Returns:
        Shape (cases, others), -1 to 1.

    Raises:
        ShapeError: Tables of different dimensions.
        InputError: NaN or infinity.
    """
    a, b = _checked_features(features, "features"), _checked_features(others, "features")
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"Features to compare must have the same dimensions, got {a.shape[1]} and {b.shape[1]}")
    return np.clip(_unit(a) @ _unit(b).T, -1.0, 1.0)


def _farthest_first(table: Features, nearest: FloatArray, count: int, *, start: int | None) -> list[int]:
    squares = np.einsum("nd,nd->n", table, table)
    picks: list[int] = []
    for n in range(count):
        pick = start if n == 0 and start is not None else int(np.argmax(nearest))
        picks.append(pick)
        reach = squares - 2.0 * (table @ table[pick]) + squares[pick]
        np.minimum(nearest, np.maximum(reach, 0.0), out=nearest)
        nearest[picks[-1]] = -1.0
    return picks


def _nearest_squared(table: Features, centres: Features) -> FloatArray:
    """Squared distance of each row to its nearest centre, shape (cases,)."""
    squares = np.einsum("nd,nd->n", centres, centres)
    nearest = np.empty(len(table), dtype=table.dtype)
    block = max(1, _BLOCK_NUMBERS // len(centres))
    for start in range(0, len(table), block):
        rows = table[start : start + block]
        reach = squares - 2.0 * (rows @ centres.T)
        nearest[start : start + block] = reach.min(axis=1) + np.einsum("nd,nd->n", rows, rows)
    return np.maximum(nearest, 0.0)


def _gain(row: FloatArray, covered: FloatArray) -> float:
    return float(np.maximum(row - covered, 0.0).sum(dtype=np.float64))


def _unit(table: Features) -> FloatArray:
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    unit: FloatArray = table / np.where(lengths > 0, lengths, 1.0)
    return unit


def _checked_count(count: int, cases: int) -> int:
    if count < 0:
        raise SettingError(f"The number of cases to choose must be 0 or more, got {count}")
    return min(count, cases)


def _checked_features(features: Features, what: str) -> Features:
    if features.ndim != 2:
        raise ShapeError(f"{what.capitalize()} must be a table (cases, dimensions), got shape {features.shape}")
    table = features if features.dtype == np.float32 else features.astype(np.float64)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise InputError(f"{what.capitalize()} must be finite, row {int(np.argmin(finite))} is not", remedy="check the model's output")
    return table
