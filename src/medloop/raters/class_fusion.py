"""One class per item from several annotations: votes, weighted votes, and Dawid and Skene's model of each annotator."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.raters.confusion import Estimate, Prior, estimate, shares
from medloop.raters.fused import Fused, Skill, accuracies, choose, fuse, winners
from medloop.raters.votes import NONE, Votes, check_votes

PRIOR = Prior()


def majority(table: npt.ArrayLike, *, classes: int | None = None) -> Fused:
    """The class that most annotators gave; of equal ones the lowest.

    Args:
        table: Class of each item by each annotator, integers, shape (items, annotators); -1 where there is none.
        classes: Number of classes; by default one more than the highest entry.

    Returns:
        Probabilities are shares of the annotations; an annotator's skill is the agreement with the majority.

    Raises:
        ShapeError, InputError, LabelError: A table that is not one.
    """
    votes = check_votes(table, classes)
    found = shares(votes)
    return fuse("majority", votes, found, accuracies(votes, winners(found), (PRIOR.right, PRIOR.wrong)))


def weighted_majority(table: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, classes: int | None = None) -> Fused:
    """The class with the most weight behind it; of equal ones the lowest.

    Args:
        table: As for `majority`.
        weights: One per annotator, shape (annotators,), 0 or more; by default the share of annotations that agree with the majority.
        classes: As for `majority`.

    Raises:
        ShapeError: Not one weight per annotator, or a table that is not one.
        InputError: Weights that are negative or not finite.
        LabelError: Classes out of range.

    Source: "worker agreement with aggregate" (Wawa) of Appen, as in crowd-kit, where no weights are given.
    """
    votes = check_votes(table, classes)
    each = agreement_with(votes, shares(votes)) if weights is None else _checked(weights, votes.annotators)
    found = shares(votes, each)
    return fuse("weighted_majority", votes, found, accuracies(votes, winners(found), (PRIOR.right, PRIOR.wrong)))


def dawid_skene(table: npt.ArrayLike, *, classes: int | None = None, prior: Prior = PRIOR) -> Fused:
    """The most probable class when every annotator has a confusion matrix of their own.

    Where no item has two annotations, or there is one annotator, nothing shows who is right: confusion matrices stay those of
    the prior, probabilities follow from them, and the note says so.

    Args:
        table: As for `majority`.
        classes: As for `majority`.
        prior: Dirichlet counts of the rows of the confusion matrices and of the frequency of classes; zeros give the
            maximum likelihood of the paper.

    Returns:
        Skills have a confusion matrix and the expected accuracy.

    Raises:
        ShapeError, InputError, LabelError: A table that is not one.

    Source: Dawid and Skene 1979, doi:10.2307/2346806.
    """
    votes = check_votes(table, classes)
    found = estimate(votes, prior)
    fused = fuse("dawid_skene", votes, found.beliefs, _skills(votes, found, prior))
    return fused if found.converged else replace(fused, note="; ".join(filter(None, [fused.note, "not converged"])))


def agreement_with(votes: Votes, probabilities: FloatArray) -> FloatArray:
    """Share of each annotator's annotations that equal the most probable class, shape (annotators,)."""
    same = votes.table == choose(probabilities)[:, None]
    given = (votes.table != NONE).sum(axis=0)
    return np.asarray(same.sum(axis=0) / np.maximum(given, 1))


def _checked(weights: npt.ArrayLike, annotators: int) -> FloatArray:
    each = np.asarray(weights, dtype=np.float64)
    if each.shape != (annotators,):
        raise ShapeError(f"One weight per annotator is needed, {annotators} in all, got shape {each.shape}")
    if not np.isfinite(each).all() or each.min() < 0:
        raise InputError("Weights of annotators must be finite and 0 or more", remedy="give 0 to leave somebody out")
    return each


def _skills(votes: Votes, found: Estimate, prior: Prior) -> tuple[Skill, ...]:
    skills = accuracies(votes, found.beliefs, (prior.right, prior.wrong))
    return tuple(replace(skill, confusion=matrix) for skill, matrix in zip(skills, found.confusion, strict=True))
