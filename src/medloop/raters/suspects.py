"""Which annotations are probably wrong, most suspicious first, each with its reason.

With a model: confident learning. A class counts as predicted where its probability reaches what it usually has on items
annotated so; an item predicted confidently as another class than annotated is suspect. Probabilities must come from models
that did not learn from the item (cross-validation), or mistakes are learned and agree with themselves.
With several annotators: each annotation against the consensus of the others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import CaseProbabilities, FloatArray, IntArray
from medloop.core.errors import InputError, ShapeError
from medloop.raters.confusion import Prior, estimate, log_likelihoods, normalised
from medloop.raters.votes import NONE, check_votes

SUM_TOLERANCE = 1e-3
"""Probabilities of one item may miss 1 by this much."""


@dataclass(frozen=True)
class Suspect:
    """An annotation that is probably wrong.

    Attributes:
        item: Its row, or the position of its case.
        annotator: Column or name; None where there is one annotation per item.
        score: 0..1, higher is more suspicious.
        reason: One line for people.
        suggested: The class that is more probable; None for masks.
    """

    item: int
    annotator: int | str | None
    score: float
    reason: str
    suggested: int | None = None


def suspect_classes(classes: npt.ArrayLike, probabilities: CaseProbabilities) -> list[Suspect]:
    """Items annotated as one class and confidently predicted as another.

    Args:
        classes: As annotated, shape (items,), -1 for none.
        probabilities: Out-of-sample, shape (items, classes); rows sum to 1.

    Returns:
        Suspects by descending margin of the predicted over the annotated class, which is the score.

    Raises:
        ShapeError: Not one row per item.
        InputError: Probabilities that are not.
        LabelError: Classes outside the columns.

    Source: Northcutt et al. 2021, doi:10.1613/jair.1.12125, section 3.1 ("confident joint") and 3.2 (method C_confusion),
        ranked by normalized margin.
    """
    given = _checked_classes(classes, probabilities)
    usual = _usual(given, probabilities)
    confident = predicted_confidently(probabilities, usual)
    rows = np.flatnonzero((given != NONE) & (confident != NONE) & (confident != given))
    margins = probabilities[rows, confident[rows]] - probabilities[rows, given[rows]]
    order = np.lexsort((rows, -margins))
    return [_class_suspect(int(rows[n]), given, confident, probabilities, usual) for n in order if margins[n] > 0]


def confident_joint(classes: npt.ArrayLike, probabilities: CaseProbabilities) -> IntArray:
    """How many items annotated as one class are confidently predicted as each class.

    Args:
        classes: As annotated, shape (items,), -1 for none.
        probabilities: Out-of-sample, shape (items, classes).

    Returns:
        Row: annotated, column: predicted; shape (classes, classes). Items that reach no class's usual probability do not count.

    Raises:
        ShapeError, InputError, LabelError: As for `suspect_classes`.

    Source: Northcutt et al. 2021, doi:10.1613/jair.1.12125, equation 1.
    """
    given = _checked_classes(classes, probabilities)
    confident = predicted_confidently(probabilities, _usual(given, probabilities))
    size = probabilities.shape[1]
    used = (given != NONE) & (confident != NONE)
    return np.bincount(given[used] * size + confident[used], minlength=size**2).reshape(size, size)


def suspect_votes(table: npt.ArrayLike, *, classes: int | None = None) -> list[Suspect]:
    """Annotations that the other annotators of the same item make improbable.

    Args:
        table: Class of each item by each annotator, shape (items, annotators), -1 for none.
        classes: Number of classes; by default one more than the highest entry.

    Returns:
        Annotations to which the others prefer another class, by descending score: 1 minus the probability of the given class
        under Dawid and Skene's model without that annotation.

    Raises:
        ShapeError, InputError, LabelError: Not a table of classes.
    """
    votes = check_votes(table, classes)
    found = estimate(votes, Prior())
    logs = log_likelihoods(votes, found.confusion) + np.log(found.frequency)
    suspects = []
    for item, person in zip(*np.nonzero((votes.table != NONE) & votes.shared[:, None]), strict=True):
        given = int(votes.table[item, person])
        chance = normalised((logs[item] - np.log(found.confusion[person, :, given]))[None])[0]
        best = int(chance.argmax())
        if best != given:
            why = f"annotator {person} gave {given}; the others make {best} probable at {chance[best]:.2f}"
            suspects.append(Suspect(int(item), int(person), float(1.0 - chance[given]), why, best))
    return sorted(suspects, key=lambda s: (-s.score, s.item, str(s.annotator)))


def _checked_classes(classes: npt.ArrayLike, probabilities: CaseProbabilities) -> IntArray:
    given = np.asarray(classes)
    if probabilities.ndim != 2 or given.shape != probabilities.shape[:1] or probabilities.shape[1] < 2:
        raise ShapeError(f"One row of at least two probabilities per item is needed, got {given.shape} and {probabilities.shape}")
    require_probabilities(probabilities)
    return check_votes(given[:, None], probabilities.shape[1]).table[:, 0]


def require_probabilities(rows: FloatArray) -> None:
    """Raise unless rows are probabilities.

    Raises:
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    if not (rows.min(initial=0.0) >= 0 and (np.abs(rows.sum(axis=1) - 1.0) <= SUM_TOLERANCE).all()):  # NaN fails
        raise InputError("Probabilities must not be NaN or negative and must sum to 1 over the classes", remedy="apply softmax first")


def _usual(given: IntArray, probabilities: FloatArray) -> FloatArray:
    """Mean probability of each class where it was annotated; infinity for one that never was, so that it is never confident."""
    return np.array([probabilities[given == k, k].mean() if (given == k).any() else np.inf for k in range(probabilities.shape[1])])


def predicted_confidently(probabilities: FloatArray, usual: FloatArray) -> IntArray:
    """The most probable of the classes that reach their usual probability; -1 where none does."""
    reached = np.where(probabilities >= usual, probabilities, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), NONE)


def _class_suspect(item: int, given: IntArray, confident: IntArray, probabilities: FloatArray, usual: FloatArray) -> Suspect:
    was, seems = int(given[item]), int(confident[item])
    chance = probabilities[item]
    why = f"annotated {was} (probability {chance[was]:.2f}), predicted {seems} at {chance[seems]:.2f}, usually {usual[seems]:.2f}"
    return Suspect(item, None, float(chance[seems] - chance[was]), why, seems)
