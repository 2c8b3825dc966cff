"""Truth and confusion matrices from each other, by expectation maximisation: the engine of Dawid-Skene and of STAPLE.

Both are one model: item i has the true class k with probability p_ik; annotator a calls a true k by l with probability
theta_akl. The rows of theta have Dirichlet priors, so that few annotations end near the prior and not at 0 or 1. Items that
one person annotated do not count for theta: nothing in them shows whether the annotation is right.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import SettingError
from medloop.raters.votes import Votes

LEAST = 1e-10
"""Probabilities are kept above this, so that a logarithm stays finite."""

CLOSE = 1e-8
"""No confusion changes by more in the last step."""

MOST_STEPS = 2000


@dataclass(frozen=True)
class Prior:
    """Annotations assumed before any is seen.

    Attributes:
        right, wrong: Right and wrong annotations per true class and annotator; the wrong ones are spread over the other classes.
        frequency: Items of each class.

    Raises:
        SettingError: A negative number.
    """

    right: float = 2.0
    wrong: float = 1.0
    frequency: float = 1.0

    def __post_init__(self) -> None:
        if min(self.right, self.wrong, self.frequency) < 0:
            raise SettingError(f"Prior counts must be 0 or more, got {self.right:g}, {self.wrong:g} and {self.frequency:g}")

    def rows(self, classes: int) -> FloatArray:
        """Dirichlet counts of a confusion matrix, shape (classes, classes)."""
        return np.where(np.eye(classes, dtype=bool), self.right, self.wrong / (classes - 1))


@dataclass(frozen=True, eq=False)
class Estimate:
    """What the annotations amount to.

    Attributes:
        beliefs: Probability of each class, shape (items, classes).
        confusion: Row: true class, column: class given; shape (annotators, classes, classes).
        frequency: Of each class, shape (classes,), or (items, classes) where it was given.
        converged: Whether the last step changed nothing that matters.
    """

    beliefs: FloatArray
    confusion: FloatArray
    frequency: FloatArray
    converged: bool


def estimate(votes: Votes, prior: Prior, *, frequency: FloatArray | None = None) -> Estimate:
    """Alternate between beliefs and confusion matrices until neither moves.

    Args:
        votes: The annotations.
        prior: Dirichlet counts.
        frequency: Probability of each class before any annotation, shape (classes,) or (items, classes); estimated by default.

    Source: Dawid and Skene 1979, doi:10.2307/2346806, equations 2.3 to 2.5, with Dirichlet priors; Warfield 2004,
        doi:10.1109/TMI.2004.828354, where the frequency is given.
    """
    beliefs = shares(votes)
    confusion, known = _confusion(votes, beliefs, prior), _frequency(votes, beliefs, prior, frequency)
    for _ in range(MOST_STEPS):
        beliefs = _beliefs(votes, confusion, known)
        newer, known = _confusion(votes, beliefs, prior), _frequency(votes, beliefs, prior, frequency)
        moved, confusion = float(np.abs(newer - confusion).max()), newer
        if moved < CLOSE:
            return Estimate(beliefs, confusion, known, converged=True)
    return Estimate(beliefs, confusion, known, converged=False)


def shares(votes: Votes, weights: FloatArray | None = None) -> FloatArray:
    """Share of each class among the annotations of an item, shape (items, classes); equal shares where there is none.

    Args:
        votes: The annotations.
        weights: Of each annotator, shape (annotators,), 0 or more.
    """
    tally = votes.tally(weights)
    total = tally.sum(axis=1, keepdims=True)
    return np.where(total > 0, tally / np.where(total > 0, total, 1.0), 1.0 / votes.classes)


def log_likelihoods(votes: Votes, confusion: FloatArray) -> FloatArray:
    """Logarithm of the chance of an item's annotations under each true class, shape (items, classes)."""
    logs = np.log(np.maximum(confusion, LEAST)).transpose(0, 2, 1).reshape(-1, votes.classes)
    found: FloatArray = votes.marks @ logs
    return found


def normalised(logs: FloatArray) -> FloatArray:
    """Rows of probabilities from logarithms up to a constant per row."""
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def _beliefs(votes: Votes, confusion: FloatArray, frequency: FloatArray) -> FloatArray:
    return normalised(log_likelihoods(votes, confusion) + np.log(np.maximum(frequency, LEAST)))


def _confusion(votes: Votes, beliefs: FloatArray, prior: Prior) -> FloatArray:
    weights = np.where(votes.shared, votes.counts, 0.0)[:, None] * beliefs
    found = (votes.marks.T @ weights).reshape(votes.annotators, votes.classes, votes.classes).transpose(0, 2, 1)
    found = found + prior.rows(votes.classes)
    total = found.sum(axis=2, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), np.eye(votes.classes))


def _frequency(votes: Votes, beliefs: FloatArray, prior: Prior, given: FloatArray | None) -> FloatArray:
    if given is not None:
        return given
    weights = np.where(votes.given > 0, votes.counts, 0.0)
    found = weights @ beliefs + prior.frequency
    return np.asarray(found / found.sum()) if found.sum() > 0 else np.full(votes.classes, 1.0 / votes.classes)
