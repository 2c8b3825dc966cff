"""How good what several readers make of one case will probably be, before anybody knows the truth.

Readings add up as weights. For masks a reader of skill s errs by e = 1 − s (Dice), and independent errors average as
independent measurements do:

    weight = 1/e² − 1,    quality = 1 − h / √(1 + Σ weights)

so that one reading is worth its reader's skill. h says how much this case differs from the usual one: below 1 where the
readers came closer to each other than they usually do. A reader who is further from the consensus than usual weighs by that
distance. For classes a reader is right with probability s, and the quality is the probability of the most probable class; in
planning, readers add up as in signal detection, weight = Φ⁻¹(s)², quality = Φ(√Σ weights), s taken for two classes.

Source: inverse variances, Cochran 1937; for classes the independent readers of Dawid and Skene 1979, doi:10.2307/2346806, and
d′ in quadrature, Sorkin, Hays and West 2001, doi:10.1037/0033-295X.108.1.183.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray

HALVINGS = 40

LEAST_ERROR = 0.02
"""Nobody's outline, nor class, is surer than this."""


@dataclass(frozen=True)
class Standing:
    """What the readings of a case amount to so far.

    Attributes:
        quality: Expected Dice of the consensus with the truth, or probability of its class, 0..1.
        weight: What its readings add up to; more readings add theirs.
        spread: h of the module for masks, 1 for classes.
    """

    quality: float
    weight: float
    spread: float = 1.0


class Scale(Protocol):
    """How readings of one kind of task add up."""

    def weight(self, skill: float) -> float:
        """What one reading adds, 0 or more."""

    def quality(self, weights: FloatArray, spread: float) -> FloatArray:
        """Expected quality of readings that add up to each of these weights, same shape, 0..1."""


@dataclass(frozen=True)
class MaskScale:
    """For segmentations: skills are Dice."""

    def weight(self, skill: float) -> float:
        """What one reading adds."""
        return 1.0 / max(1.0 - skill, LEAST_ERROR) ** 2 - 1.0

    def quality(self, weights: FloatArray, spread: float) -> FloatArray:
        """Expected Dice of the consensus; 0 without a reading."""
        return np.asarray(np.maximum(1.0 - spread / np.sqrt(1.0 + weights), 0.0) * (weights > 0))


@dataclass(frozen=True)
class ClassScale:
    """For classifications: skills are shares of right classes."""

    classes: int

    def weight(self, skill: float) -> float:
        """What one reading adds; 0 for one that is no better than chance."""
        from scipy.special import ndtri

        return float(ndtri(self._of_two(skill))) ** 2

    def quality(self, weights: FloatArray, spread: float) -> FloatArray:  # noqa: ARG002 - classes of one case do not differ in how far they err
        """Probability that the consensus is right; that of chance without a reading."""
        from scipy.special import ndtr

        return np.asarray(1.0 / self.classes + (2.0 * ndtr(np.sqrt(weights)) - 1.0) * (1.0 - 1.0 / self.classes))

    def _of_two(self, skill: float) -> float:
        """The same lead over chance with two classes, within 0.5..1 − LEAST_ERROR."""
        chance = 1.0 / self.classes
        return min(max(0.5 + 0.5 * (skill - chance) / (1.0 - chance), 0.5), 1.0 - LEAST_ERROR)


def no_surer_than(standing: Standing, scale: Scale, error: float | None) -> Standing:
    """A standing whose quality is at most 1 minus the error that its fused annotation expects of itself; its weight is cut to that.

    Skills know the people and not the case: readers who are usually right may all be unsure of one outline.

    Args:
        standing: By the skills of the readers.
        scale: How readings add up.
        error: Expected of the fused mask or class, 0..1; None where nothing was fused.
    """
    most = 1.0 if error is None else 1.0 - error
    if standing.quality <= most or standing.weight <= 0:
        return standing
    low, high = 0.0, standing.weight
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(scale.quality(np.array(middle), standing.spread)) < most else (low, middle)
    return Standing(most, high, standing.spread)


AnyScale: TypeAlias = MaskScale | ClassScale


def masks_standing(skills: Sequence[float], dice: Sequence[float] | None = None) -> Standing:
    """Where the masks of a case stand.

    Args:
        skills: Of its readers, expected Dice with the truth.
        dice: Each reading's Dice with the consensus of this case; None while there is none, or there is one reading only.
    """
    errors = np.maximum(1.0 - np.asarray(skills, dtype=np.float64), LEAST_ERROR)
    spread = 1.0
    if dice is not None and len(errors) > 1:
        away = 1.0 - np.asarray(dice, dtype=np.float64)
        spread = float(np.sqrt((1.0 + np.minimum((away / errors) ** 2, 1.0).sum()) / (1.0 + len(errors))))
        errors = np.maximum(errors, away)
    weight = float((1.0 / errors**2 - 1.0).sum())
    return Standing(float(MaskScale().quality(np.array(weight), spread)), weight, spread)


def classes_standing(tags: Sequence[int], skills: Sequence[float], classes: int) -> Standing:
    """Where the classes given to a case stand.

    Args:
        tags: The class that each reader gave, any whole numbers.
        skills: Of these readers, probability to be right.
        classes: How many classes the task has, 2 or more.
    """
    if not tags:
        return Standing(1.0 / classes, 0.0)
    right = np.clip(np.asarray(skills, dtype=np.float64), 1.0 / classes, 1.0 - LEAST_ERROR)
    gains = np.log(right * (classes - 1) / (1.0 - right))
    given = {tag: float(gains[np.asarray(tags) == tag].sum()) for tag in set(tags)}
    best = max(given.values())
    rest = sum(np.exp(one - best) for one in given.values()) + (classes - len(given)) * np.exp(-best)
    quality = float(1.0 / rest)
    return Standing(quality, ClassScale(classes).weight(quality))
