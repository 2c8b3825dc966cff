"""How much consecutive models agree on the pool: when predictions stop changing, more answers change little."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import IntArray
from medloop.core.errors import InputError, ShapeError
from medloop.metrics.kappa import kappa_of

KAPPA_CUTOFF = 0.99
KAPPA_WINDOW = 3
"""Bloodgood and Vijay-Shanker 2009, section 3: mean agreement of at least 0.99 over the last three pairs of models."""


def confusion(first: IntArray, second: IntArray, classes: int) -> IntArray:
    """How often one model said r and the other c, shape (classes, classes).

    Args:
        first: Predicted classes, any shape.
        second: The same, same shape.
        classes: Number of classes.

    Raises:
        ShapeError: Different shapes.
        InputError: A class outside 0..classes - 1.
    """
    if first.shape != second.shape:
        raise ShapeError(f"Predictions to compare must have one shape, got {first.shape} and {second.shape}")
    for answer in (first, second):
        if answer.size and (answer.min() < 0 or answer.max() >= classes):
            raise InputError(f"Predicted classes must lie in 0..{classes - 1}, got {answer.min()} to {answer.max()}")
    pairs = first.astype(np.int64).ravel() * classes + second.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def kappa(table: IntArray) -> float:
    """Cohen's kappa of two models, and 1 where it is not defined: two that only ever say one and the same class did not change.

    Between people that shows nothing, and `medloop.raters.cohen_kappa` is NaN.

    Args:
        table: From `confusion`, shape (classes, classes).

    Raises:
        InputError: An empty table.

    Source: see `medloop.metrics.kappa`.
    """
    if not table.any():
        raise InputError("Agreement needs at least one prediction of both models")
    return float(np.nan_to_num(kappa_of(table), nan=1.0))


def has_stabilised(kappas: Sequence[float], *, cutoff: float = KAPPA_CUTOFF, window: int = KAPPA_WINDOW) -> bool:
    """Whether the last agreements, oldest first, are high on average and there are enough of them.

    Source: Bloodgood and Vijay-Shanker 2009, arXiv:1409.5165.
    """
    recent = list(kappas)[-window:]
    return len(recent) == window and float(np.mean(recent)) >= cutoff
