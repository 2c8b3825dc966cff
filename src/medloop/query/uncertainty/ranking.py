"""The highest scores of a large table, exactly, without scoring every row.

Each function returns what a stable argsort of the plain score in `medloop.query.scores` returns, index by index, ties
to the lower index. Rows are bounded by sums of squares (`medloop.query.uncertainty.bounds`); only those whose bound reaches the
`count`-th best score found so far are scored. Bounds are widened by what rounding and rows that miss a sum of 1 can do.
"""

from collections.abc import Callable

import numpy as np

from medloop.core.arrays import CaseProbabilities, CaseScores, ClassSamples, IntArray
from medloop.core.errors import SettingError, ShapeError
from medloop.query import scores
from medloop.query.uncertainty.bounds import most_squares
from medloop.query.uncertainty.probabilities import as_table, block_deviation, blocks, disagreements, entropies

_SAMPLE = 16_384
"""Rows looked at to guess a limit that about four times `count` rows pass."""

_LARGER = 2
"""Blocks of samples are this much larger: there are fewer steps per number than in a score."""


def top_entropy(probabilities: CaseProbabilities, count: int) -> IntArray:
    """Indices of the rows with the highest `scores.entropy`.

    Args:
        probabilities: Shape (cases, classes); rows sum to 1.
        count: How many; at most all.

    Returns:
        Shape (min(count, cases),), highest first, ties to the lower index.

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.
        SettingError: A negative count.
    """
    table = as_table(probabilities)
    wanted = _checked_count(count, len(table))
    squares, deviation = _sums_of_squares(table)
    if not wanted or wanted * 4 >= len(table):
        return _highest(entropies(table), wanted)
    sure = _lowest(squares, wanted)
    reached = float(np.partition(entropies(table[sure]), len(sure) - wanted)[len(sure) - wanted])
    limit = _square_limit(reached, table.shape[1], deviation, _rounding(table))
    return _best_of(np.flatnonzero(squares <= limit), lambda rows: entropies(table[rows]), wanted)


def top_margin(probabilities: CaseProbabilities, count: int) -> IntArray:
    """Indices of the rows with the highest `scores.margin`, the two likeliest classes closest.

    Args:
        probabilities: Shape (cases, classes), at least two classes; rows sum to 1.
        count: How many; at most all.

    Returns:
        Shape (min(count, cases),), highest first, ties to the lower index.

    Raises:
        ShapeError: Not two axes, or a single class.
        InputError: NaN, negative, or rows that do not sum to 1.
        SettingError: A negative count.
    """
    wanted = _checked_count(count, len(probabilities))
    return _highest(scores.margin(probabilities), wanted)


def top_mutual_information(samples: ClassSamples, count: int) -> IntArray:
    """Indices of the cases with the highest `scores.mutual_information` (BALD).

    Args:
        samples: Class probabilities, shape (samples, cases, classes), at least two samples.
        count: How many; at most all.

    Returns:
        Shape (min(count, cases),), highest first, ties to the lower index.

    Raises:
        ShapeError: Not three axes, or fewer than two samples.
        InputError: NaN, negative, or rows that do not sum to 1.
        SettingError: A negative count.
    """
    table = as_table(samples, axes=3)
    if len(table) < 2:
        raise ShapeError(f"Disagreement needs >= 2 samples per case, got {len(table)}", remedy="use dropout or an ensemble")
    wanted = _checked_count(count, table.shape[1])
    highest = _disagreement_bounds(table)
    if not wanted or wanted * 4 >= table.shape[1]:
        return _highest(disagreements(table), wanted)
    sure = _lowest(-highest, wanted)
    found = disagreements(table.take(sure, axis=1))
    reached = float(np.partition(found, len(sure) - wanted)[len(sure) - wanted])
    return _best_of(np.flatnonzero(highest >= reached), lambda rows: disagreements(table.take(rows, axis=1)), wanted)


def _best_of(rows: IntArray, score: Callable[[IntArray], CaseScores], wanted: int) -> IntArray:
    best: IntArray = rows[_highest(score(rows), wanted)]
    return best


def _highest(values: CaseScores, wanted: int) -> IntArray:
    """Indices of the highest values, as a stable argsort gives them, without sorting the rest."""
    if not wanted:
        return np.zeros(0, dtype=np.intp)
    last = np.partition(values, len(values) - wanted)[len(values) - wanted]
    passing = np.flatnonzero(values >= last)
    order: IntArray = passing[np.argsort(-values[passing], kind="stable")[:wanted]]
    return order


def _lowest(values: CaseScores, wanted: int) -> IntArray:
    """At least `wanted` rows with low values, cheaply: those below a limit guessed from some of the rows."""
    stride = max(1, len(values) // _SAMPLE)
    some = np.sort(values[::stride])
    guess = np.flatnonzero(values <= some[min(4 * wanted // stride + 4, len(some) - 1)])
    if wanted <= len(guess) <= 64 * wanted + 4096:
        return guess
    lowest: IntArray = np.argpartition(values, wanted - 1)[:wanted]
    return lowest


def _sums_of_squares(table: CaseProbabilities) -> tuple[CaseScores, float]:
    """Σp² of every row, and how far the rows' sums are from 1 at most. One pass, checked on the way."""
    cases, classes = table.shape
    squares, ones, deviation = np.empty(cases, dtype=table.dtype), np.ones(classes, dtype=table.dtype), 0.0
    for part in blocks(cases, classes):
        block = table[part]
        deviation = max(deviation, block_deviation(block, first=part.start))
        squares[part] = (block * block) @ ones
    return squares, deviation


def _disagreement_bounds(samples: ClassSamples) -> CaseScores:
    """No case's mutual information, as computed, is above these; shape (cases,).

    With m the mean of the samples p, mutual information is the mean of KL(p | m) <= ln(1 + χ²(p, m)), so, by Jensen,
    at most ln Σ mean(p²) / m over the classes. Sums of 1 - d to 1 + d turn that into (1 + d) ln of (1 + d) / (1 - d)²
    times as much.
    """
    count, cases, classes = samples.shape
    spread, deviation = np.empty(cases, dtype=samples.dtype), 0.0
    per_class, per_sample = np.ones(classes, dtype=samples.dtype), np.ones(count, dtype=samples.dtype)
    whole = samples.reshape(count, cases * classes)
    for part in blocks(cases, max(1, count * classes // _LARGER)):
        flat = whole[:, part.start * classes : part.stop * classes]
        deviation = max(deviation, block_deviation(flat.reshape(count, -1, classes), first=part.start))
        total = np.maximum(per_sample @ flat, np.finfo(samples.dtype).tiny)
        spread[part] = (per_sample @ (flat * flat) / total).reshape(-1, classes) @ per_class
    slack = _rounding(samples)
    widened = spread.astype(np.float64) * ((1.0 + deviation) / (1.0 - deviation) ** 2 * (1.0 + slack))
    bounds: CaseScores = (1.0 + deviation) * np.log(np.maximum(widened, 1.0)) + slack
    return bounds


def _square_limit(reached: float, classes: int, deviation: float, slack: float) -> float:
    """Rows with more than this Σp² have, as computed, less than the entropy `reached`.

    With sums up to s = 1 + deviation, H(p) <= s U(q / s²) + deviation.
    """
    total = 1.0 + deviation
    limit = most_squares((reached - slack - deviation) / total, classes)
    return total**2 * max(limit, 1.0 / classes) * (1.0 + slack)


def _rounding(table: CaseProbabilities) -> float:
    """More than what rounding changes in sums over the classes, and samples, of this table."""
    terms = table.shape[-1] + (len(table) if table.ndim == 3 else 0)
    return float(8 * terms * np.finfo(table.dtype).eps * (1.0 + np.log(table.shape[-1])))


def _checked_count(count: int, cases: int) -> int:
    if count < 0:
        raise SettingError(f"The number of cases to choose must be 0 or more, got {count}")
    return min(count, cases)
