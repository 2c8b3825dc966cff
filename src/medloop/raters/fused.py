"""One class per item from several annotations, with the skill of each annotator and what stays uncertain: the values.

An annotator's accuracy is the expected share of right annotations given what the method believes about each item. Its 90 %
interval is a Beta posterior, widened by the share of information that is missing because the truth of a disputed item is not
known (Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x, section 3). An item that one person annotated says nothing about that
person, and is left out. Votes believe what they chose, so with them accuracy is agreement with the majority, which flatters.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.names import counted
from medloop.raters.votes import NONE, Votes

CONFIDENCE = 0.9
"""Coverage of every interval of a skill."""

DECIDED = 0.75
"""A class counts as decided from this probability on."""

MOST_MISSING = 0.9
"""Of the information that certain truths would carry; an interval is at most about three times as wide as with these."""

TIE = 1e-9
"""Probabilities closer than this are equal: rounding must not decide."""


@dataclass(frozen=True, eq=False)
class Skill:
    """How right one annotator is, as far as the others show.

    Attributes:
        accuracy: Expected share of right annotations, 0..1; with no shared item that of the prior.
        low, high: 90 % interval.
        annotations: Items annotated that others annotated too.
        confusion: Row: true class, column: class given; rows sum to 1, shape (classes, classes). None where the method has none.
    """

    accuracy: float
    low: float
    high: float
    annotations: int
    confusion: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Fused:
    """One class per item.

    Attributes:
        method: Name of the function that made it.
        classes: The most probable class, the lowest of several, shape (items,); -1 where nobody annotated.
        probabilities: Shape (items, classes); rows sum to 1.
        skills: One per annotator, in the order of columns.
        difficulty: Of each item, higher is harder, shape (items,); None where the method has none.
        note: What fell back, or could not be known, in words; "" otherwise.
    """

    method: str
    classes: IntArray
    probabilities: FloatArray
    skills: tuple[Skill, ...]
    difficulty: FloatArray | None = None
    note: str = ""

    @property
    def uncertainty(self) -> FloatArray:
        """Entropy of each item in nats, shape (items,)."""
        return row_entropy(self.probabilities)

    @property
    def undecided(self) -> BoolArray:
        """Items in which no class reaches `DECIDED`, shape (items,)."""
        return np.asarray(self.probabilities.max(axis=1) < DECIDED)

    @property
    def expected_error(self) -> FloatArray:
        """Probability that the class of each item is wrong, shape (items,): how much one more reading may change."""
        return np.asarray(1.0 - self.probabilities.max(axis=1))


def row_entropy(probabilities: FloatArray) -> FloatArray:
    """Entropy over the last axis in nats."""
    from scipy.special import entr

    entropy: FloatArray = entr(probabilities).sum(axis=-1)
    return entropy


def choose(probabilities: FloatArray) -> IntArray:
    """The most probable class of each row; of equal ones the lowest."""
    best = probabilities.max(axis=1, keepdims=True)
    chosen: IntArray = (probabilities >= best - TIE).argmax(axis=1)
    return chosen


def winners(probabilities: FloatArray) -> FloatArray:
    """1 for the most probable class of each row, shared between equal ones, so that no annotator is right by a tie."""
    best = (probabilities >= probabilities.max(axis=1, keepdims=True) - TIE).astype(np.float64)
    shared: FloatArray = best / best.sum(axis=1, keepdims=True)
    return shared


def fuse(method: str, votes: Votes, probabilities: FloatArray, skills: tuple[Skill, ...], *, difficulty: FloatArray | None = None) -> Fused:
    """Put a result together, with the notes that hold for every method."""
    classes = np.where(votes.given > 0, choose(probabilities), NONE)
    return Fused(method, classes, probabilities, skills, difficulty, "; ".join(_notes(votes)))


def _notes(votes: Votes) -> list[str]:
    notes = []
    if votes.annotators == 1:
        notes.append("one annotator: the skill is that of the prior")
    elif not votes.shared.any():
        notes.append("no item has two annotations: skills are those of the prior")
    elif lonely := int(((votes.table[votes.shared] != NONE).sum(axis=0) == 0).sum()):
        notes.append(f"{counted(lonely, 'annotator')} without a shared item: the skill is that of the prior")
    if empty := int((votes.given == 0).sum()):
        notes.append(f"{counted(empty, 'item')} without an annotation: class -1")
    if pairs := _copies(votes):
        notes.append(f"equal annotations throughout by annotators {pairs}: if copies, they count twice")
    return notes


def _copies(votes: Votes) -> str:
    """Pairs of annotators with equal columns, on ten items or more: fewer may agree by skill."""
    columns = [votes.table[:, a].tobytes() for a in range(votes.annotators)]
    first = {column: a for a, column in reversed(list(enumerate(columns)))}
    found = [(first[c], a) for a, c in enumerate(columns) if first[c] != a and (votes.table[:, a] != NONE).sum() >= COPIED]
    return ", ".join(f"{a} and {b}" for a, b in found)


COPIED = 10
"""Items on which two annotators must agree, all of them, to be named as possible copies."""


def accuracies(votes: Votes, beliefs: FloatArray, prior: tuple[float, float]) -> tuple[Skill, ...]:
    """Skill of each annotator from what is believed about the items.

    Args:
        votes: The annotations.
        beliefs: Probability of each class, shape (items, classes).
        prior: Right and wrong annotations assumed beforehand.
    """
    given = votes.table != NONE
    counted_items = given & votes.shared[:, None]
    right = np.where(counted_items, np.take_along_axis(beliefs, np.maximum(votes.table, 0), axis=1), 0.0)
    weight = np.where(counted_items, votes.counts[:, None], 0.0)
    hits, total = (weight * right).sum(axis=0), weight.sum(axis=0)
    spread = (weight * right * (1.0 - right)).sum(axis=0)
    return tuple(_skill(h, n, s, prior) for h, n, s in zip(hits, total, spread, strict=True))


def _skill(hits: float, total: float, spread: float, prior: tuple[float, float]) -> Skill:
    from scipy.special import betaincinv

    a, b = prior[0] + hits, prior[1] + total - hits
    mean, size = a / (a + b), a + b
    missing = min(spread / max(total, 1e-12) / (mean * (1.0 - mean)), MOST_MISSING)
    strength = max((size + 1.0) * (1.0 - missing) - 1.0, 1e-3)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = betaincinv(max(mean * strength, 1e-6), max((1.0 - mean) * strength, 1e-6), [tail, 1.0 - tail])
    return Skill(float(mean), float(low), float(high), round(total))
