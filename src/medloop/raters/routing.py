"""Who should read a case next: the readers whose readings are worth most beyond what they cost.

    value of readers R = worth · (quality with R, at most enough − quality now) − Σ cost

over every set R of people who may still read the case. Planning whole sets lets three cheap readings be weighed against one dear
one, which one step at a time cannot do.

Source: Nguyen, Wallace and Lease 2015, Combining Crowd and Expert Labels using Decision Theoretic Active Learning (HCOMP):
expected value of a label minus its cost. Ours: sets of readers, quality of masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray
from medloop.core.errors import InputError
from medloop.raters.case_quality import Scale, Standing

MOST_WEIGHED = 12
"""People whose sets are all compared, 4095 at most; of more, those with the most weight for their cost."""

SLACK = 0.25
"""Somebody whose reading is worth less than another's by no more than this share of its cost reads in their place, and nobody waits."""

ROUNDING = 1e-9


@dataclass(frozen=True)
class CaseReader:
    """Somebody who may read a case: their skill, 0..1, and what their reading of it costs, 0 or more."""

    name: str
    skill: float
    cost: float


@dataclass(frozen=True)
class Plan:
    """The readers that a case should get from here.

    Attributes:
        readers: Their names, in the order given.
        quality: Expected of the consensus with all of them, 0..1.
        cost: Of all of them.
        value: What they are worth beyond that, > 0.
    """

    readers: tuple[str, ...]
    quality: float
    cost: float
    value: float


def best_plan(
    standing: Standing,
    readers: Sequence[CaseReader],
    scale: Scale,
    *,
    most: int,
    worth: float,
    enough: float,
    preferred: str = "",
) -> Plan | None:
    """The set of readers of most value; None where the case is good enough, or none is worth its cost.

    Args:
        standing: What its readings amount to.
        readers: Who may still read it.
        scale: How readings add up.
        most: Readings that it may still get.
        worth: What raising the quality of a case from 0 to 1 is worth, in the unit of the costs.
        enough: Quality above which more has no value.
        preferred: Who is free to read now: a set with them is taken where it is as good but for `SLACK`.

    Returns:
        Of equal ones the set with fewer people, then of the people named first.

    Raises:
        InputError: A cost that is negative or not finite.
    """
    for reader in readers:
        if not np.isfinite(reader.cost) or reader.cost < 0:
            raise InputError(f"A reading must cost 0 or more, got {reader.cost} for {reader.name}", remedy="correct the rate")
    if most < 1 or standing.quality >= enough - ROUNDING:
        return None
    able = _foremost([r for r in readers if scale.weight(r.skill) > 0], scale)
    if not able:
        return None
    members = _sets(len(able), min(most, len(able)))
    weights = members @ np.array([scale.weight(r.skill) for r in able])
    costs = members @ np.array([r.cost for r in able])
    qualities = scale.quality(standing.weight + weights, standing.spread)
    values = worth * (np.minimum(qualities, enough) - standing.quality) - costs
    best = _first_best(values)
    free = members @ np.array([r.name == preferred for r in able]) & (values >= values[best] - SLACK * costs[best] - ROUNDING)
    best = _first_best(np.where(free, values, -np.inf)) if free.any() else best
    if values[best] <= ROUNDING:
        return None
    names = tuple(r.name for r, chosen in zip(able, members[best], strict=True) if chosen)
    return Plan(names, float(qualities[best]), float(costs[best]), float(values[best]))


def _first_best(values: FloatArray) -> int:
    return int(np.flatnonzero(values >= values.max() - ROUNDING)[0])


def _foremost(readers: Sequence[CaseReader], scale: Scale) -> list[CaseReader]:
    """The readers whose sets are compared, in the order given: those with most weight for their cost."""
    ranked = sorted(readers, key=lambda r: -scale.weight(r.skill) / max(r.cost, ROUNDING))
    kept = {r.name for r in ranked[:MOST_WEIGHED]}
    return [r for r in readers if r.name in kept]


@lru_cache(maxsize=64)
def _sets(people: int, most: int) -> BoolArray:
    """Every set of 1 to `most` of so many people, smaller ones first, shape (sets, people)."""
    chosen = [one for size in range(1, most + 1) for one in combinations(range(people), size)]
    members: BoolArray = np.zeros((len(chosen), people), dtype=np.bool_)
    for row, one in enumerate(chosen):
        members[row, list(one)] = True
    return members


def relabel_score(
    *, model: float | None, readers: Sequence[tuple[float, float]], typical_skill: float, chance: float, readings_per_case: float = 1.0
) -> float:
    """How far what stands for a case can be trusted, 0..1: the case with the least comes first, whether it was read already or not.

    Args:
        model: Probability, or expected Dice, that the model gives to what stands (of a new case: to its own proposal); None without.
        readers: Of each reading the reader's skill, and how far it agrees with what stands: 1 or 0, or Dice.
        typical_skill: Mean skill of the people.
        chance: Score of somebody who guesses: one over the classes; 0 for masks.
        readings_per_case: Mean number of readings of the cases read so far.

    Returns:
        A mean of the model, of a guess and of the readings, weighted by how much each is better than chance.

    Source: Goh and Mueller 2023, ActiveLab, arXiv:2301.11856, section 3, with weights of CROWDLAB, Goh et al. 2022,
        arXiv:2210.06812. Ours: skills come from `estimate_skill`, chance takes the place of the commonest class, Dice that of agreement.
    """
    typical = _over_chance(typical_skill, chance)
    terms: list[tuple[float, float]] = [(typical, chance)]
    if model is not None:
        terms.append((typical * float(np.sqrt(max(readings_per_case, 1.0))), model))
    terms += [(_over_chance(skill, chance), agreement * typical_skill + (1.0 - agreement) * chance) for skill, agreement in readers]
    total = sum(weight for weight, _ in terms)
    return sum(weight * value for weight, value in terms) / total if total > 0 else chance


def _over_chance(skill: float, chance: float) -> float:
    return max((skill - chance) / (1.0 - chance), 0.0)
