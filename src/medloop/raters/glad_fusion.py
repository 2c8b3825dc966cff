"""GLAD: how able each annotator and how difficult each item is, from one number each.

Annotator a gives the true class of item i with probability sigma(alpha_a * exp(beta_i)), and each other class equally often
otherwise. alpha and beta have normal priors of mean 1 and variance 1, as in crowd-kit; exp(-beta) is the difficulty.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray, IntArray
from medloop.raters.confusion import normalised
from medloop.raters.fused import Fused, accuracies, fuse
from medloop.raters.votes import NONE, Votes, check_votes

CLOSE = 1e-5
"""No probability changes by more in the last step."""

MOST_STEPS = 200

PRIOR_MEAN = 1.0
"""Of alpha and of beta."""

BEFORE = (1.4, 0.6)
"""Right and wrong annotations of the interval's prior: together 2, in the proportion of an accuracy near sigma(1)."""


@dataclass(frozen=True, eq=False)
class _Entries:
    """The annotations one by one: item, annotator and class of each."""

    item: IntArray
    person: IntArray
    given: IntArray


def glad(table: npt.ArrayLike, *, classes: int | None = None) -> Fused:
    """The most probable class when annotators differ in ability and items in difficulty.

    Args:
        table: Class of each item by each annotator, integers, shape (items, annotators); -1 where there is none.
        classes: Number of classes; by default one more than the highest entry.

    Returns:
        Classes are equally frequent beforehand. `difficulty` is exp(-beta): 0.37 at the prior's mean.

    Raises:
        ShapeError, InputError, LabelError: A table that is not one.

    Source: Whitehill et al. 2009, "Whose Vote Should Count More", equations 1 to 4; several classes as in crowd-kit.
    """
    votes = check_votes(table, classes)
    item, person = np.nonzero(votes.table != NONE)
    entries = _Entries(item, person, votes.table[item, person])
    point = np.full(votes.annotators + len(votes.table), PRIOR_MEAN)
    beliefs = _e_step(votes, entries, point)
    converged = False
    for _ in range(MOST_STEPS):
        point = _m_step(votes, entries, beliefs, point)
        newer = _e_step(votes, entries, point)
        moved, beliefs = float(np.abs(newer - beliefs).max()), newer
        if converged := moved < CLOSE:
            break
    fused = fuse("glad", votes, beliefs, accuracies(votes, beliefs, BEFORE), difficulty=np.exp(-point[votes.annotators :]))
    return fused if converged else replace(fused, note="; ".join(filter(None, [fused.note, "not converged"])))


def _e_step(votes: Votes, entries: _Entries, point: FloatArray) -> FloatArray:
    """Probability of each class, shape (items, classes)."""
    from scipy import special

    strength = _strength(votes, entries, point)
    wrong = special.log_expit(-strength) - np.log(votes.classes - 1)
    gain = special.log_expit(strength) - wrong
    size = len(votes.table)
    logs = np.zeros((size, votes.classes))
    np.add.at(logs, (entries.item, entries.given), gain)
    return normalised(logs)


def _m_step(votes: Votes, entries: _Entries, beliefs: FloatArray, point: FloatArray) -> FloatArray:
    """The abilities and difficulties that these beliefs make most probable."""
    from scipy import optimize

    right = np.where(votes.shared[entries.item], beliefs[entries.item, entries.given], np.nan)
    used = ~np.isnan(right)
    kept = _Entries(entries.item[used], entries.person[used], entries.given[used])
    found = optimize.minimize(_loss, point, args=(votes, kept, right[used]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def _loss(point: FloatArray, votes: Votes, entries: _Entries, right: FloatArray) -> tuple[float, FloatArray]:
    """Minus the expected log posterior, and its gradient.

    Args:
        point: alpha of all annotators, then beta of all items.
        votes: The annotations.
        entries: Those that count.
        right: Probability that each of them is right.
    """
    from scipy import special

    strength = _strength(votes, entries, point)
    off = point - PRIOR_MEAN
    expected = right * special.log_expit(strength) + (1.0 - right) * special.log_expit(-strength)
    pull = (right - special.expit(strength)) * np.exp(point[votes.annotators + entries.item])
    gradient = off.copy()
    gradient[: votes.annotators] -= np.bincount(entries.person, pull, votes.annotators)
    gradient[votes.annotators :] -= np.bincount(entries.item, pull * point[entries.person], len(votes.table))
    return float(0.5 * off @ off - expected.sum()), gradient


def _strength(votes: Votes, entries: _Entries, point: FloatArray) -> FloatArray:
    return np.asarray(point[entries.person] * np.exp(point[votes.annotators + entries.item]))
