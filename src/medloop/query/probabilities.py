"""Arithmetic on tables of class probabilities, in blocks that stay in the cache.

A table has one row per case and the classes on the last axis. Rows are read in blocks, turned so that each class
is contiguous, and worked on class by class: no temporary is larger than a block, and the result of a row does not
depend on the rows around it. So a score of a few rows equals, bit by bit, the same rows' scores in a large table.
"""

from collections.abc import Callable, Iterator

import numpy as np

from medloop.core.arrays import CaseProbabilities, CaseScores, ClassSamples, FloatArray
from medloop.core.errors import InputError, ShapeError

SUM_TOLERANCE = 1e-3
"""Probabilities of one case may miss 1 by this much: the rounding of float16 over a few hundred classes."""

BLOCK_NUMBERS = 80_000
"""Probabilities per block: 320 KB of float32, which fits the second cache of common processors."""


def blocks(cases: int, classes: int) -> Iterator[slice]:
    """Slices of whole rows with about `BLOCK_NUMBERS` probabilities each."""
    step = max(1, BLOCK_NUMBERS // max(classes, 1))
    return (slice(start, min(start + step, cases)) for start in range(0, cases, step))


def as_table(probabilities: FloatArray, *, axes: int = 2) -> FloatArray:
    """The array as float32 or float64 if it has that many axes.

    Raises:
        ShapeError: Another number of axes, or no classes.
    """
    if probabilities.ndim != axes or not probabilities.shape[-1]:
        raise ShapeError(f"Expected {axes} axes ending in (cases, classes), got shape {probabilities.shape}")
    if probabilities.dtype in (np.float32, np.float64):
        return probabilities
    return probabilities.astype(np.float32 if probabilities.dtype == np.float16 else np.float64)


def block_deviation(block: FloatArray, *, axis: int = -1, first: int = 0) -> float:
    """How far the sums over the classes are from 1 at most.

    Args:
        block: Probabilities, any number of axes.
        axis: Which axis holds the classes: the last, or 0 of two.
        first: Index of the first case, for the message.

    Raises:
        InputError: NaN, negative, or sums that miss 1 by more than `SUM_TOLERANCE`.
    """
    if not block.size:
        return 0.0
    ones = np.ones(block.shape[axis], dtype=block.dtype)
    with np.errstate(invalid="ignore"):
        deviation = float(np.abs((ones @ block if axis == 0 else block @ ones) - 1.0).max())
    if block.min() >= 0 and deviation <= SUM_TOLERANCE:  # NaN fails both
        return deviation
    missing = np.isnan(block).any(axis=axis)
    if missing.any():
        case = first + int(np.argwhere(missing)[0][-1])
        raise InputError(f"Probabilities must be numbers, got NaN at case {case}", remedy="check the model's output")
    raise InputError("Probabilities must not be negative and must sum to 1 over the classes", remedy="apply softmax to logits first")


def checked(samples: ClassSamples) -> ClassSamples:
    """The samples, if they are probabilities; read once, without a copy of float32 or float64.

    Raises:
        ShapeError: Not three axes.
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    table = as_table(samples, axes=3)
    for part in blocks(table.shape[1], table.shape[0] * table.shape[2]):
        block_deviation(table[:, part], first=part.start)
    return table


def by_blocks(score: Callable[[FloatArray], FloatArray], probabilities: CaseProbabilities) -> CaseScores:
    """Check and score a table block by block.

    Args:
        score: From a block with one contiguous row per class, shape (classes, rows), to scores (rows,).
        probabilities: Shape (cases, classes).

    Returns:
        Shape (cases,).

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    table = as_table(probabilities)
    scores = np.empty(len(table), dtype=table.dtype)
    for part in blocks(len(table), 2 * table.shape[1]):  # twice: a score holds about as much again
        turned = np.array(table[part].T, order="C")
        block_deviation(turned, axis=0, first=part.start)
        scores[part] = score(turned)
    return scores


def disagreements(samples: ClassSamples) -> CaseScores:
    """Entropy of the mean sample minus the mean entropy of the samples, shape (cases,); not below 0.

    Args:
        samples: Probabilities in float32 or float64, shape (samples, cases, classes).

    Raises:
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    scores = np.empty(samples.shape[1], dtype=samples.dtype)
    for part in blocks(samples.shape[1], 2 * samples.shape[0] * samples.shape[2]):
        block_deviation(samples[:, part], first=part.start)
        scores[part] = _disagreements_of(samples[:, part])
    return scores


def entropy_of(turned: FloatArray) -> FloatArray:
    """Entropy over the first axis."""
    return np.maximum(-_sum_classes(_p_log_p(turned)), 0.0)


def two_best(turned: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The highest and the second highest probability over the first axis.

    Raises:
        ShapeError: A single class.
    """
    if len(turned) < 2:
        raise ShapeError(f"A margin needs at least 2 classes, got {len(turned)}")
    best, second = np.maximum(turned[0], turned[1]), np.minimum(turned[0], turned[1])
    lower = np.empty_like(best)
    for row in turned[2:]:
        np.minimum(best, row, out=lower)
        np.maximum(second, lower, out=second)
        np.maximum(best, row, out=best)
    return best, second


def _disagreements_of(samples: ClassSamples) -> FloatArray:
    """Sums run over the samples first, so that only two tables have to be turned."""
    count, rows, classes = samples.shape
    flat = np.ascontiguousarray(samples).reshape(count, rows * classes)
    mean = np.add.reduce(flat, axis=0) / samples.dtype.type(count)
    own = np.add.reduce(_p_log_p(flat), axis=0).reshape(rows, classes)
    shared = entropy_of(np.array(mean.reshape(rows, classes).T, order="C"))
    return np.maximum(shared + _sum_classes(np.array(own.T, order="C")) / samples.dtype.type(count), 0.0)


def _p_log_p(probabilities: FloatArray) -> FloatArray:
    """Each p ln p; a zero gives zero, because its logarithm is replaced by a finite one."""
    logs = np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)
    np.log(logs, out=logs)
    logs *= probabilities
    return logs


def _sum_classes(turned: FloatArray) -> FloatArray:
    """Sum over the first axis in its order: no row depends on how many there are."""
    total: FloatArray = turned[0].copy()
    for row in turned[1:]:
        total += row
    return total
