"""How right somebody probably is: what their expertise says at first, then what they have shown.

    skill ~ Beta(m s, (1 − m) s) before anything is known, m and s by expertise

Each gold case adds its score as that share of one case done right; each case read with others adds its agreement with their
consensus at half weight, since a consensus moves towards its readers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from medloop.core.records import Expertise
from medloop.raters.fused import CONFIDENCE


@dataclass(frozen=True)
class ExpertisePrior:
    """What an expertise says: the mean skill, 0..1, and how many cases it weighs as much as."""

    mean: float
    cases: float


PRIORS: Mapping[Expertise, ExpertisePrior] = MappingProxyType(
    {"novice": ExpertisePrior(0.75, 4.0), "expert": ExpertisePrior(0.9, 6.0), "consultant": ExpertisePrior(0.95, 8.0)}
)
"""Dice, or share of right classes; two experts agree with a Dice of 0.85 (benchmarks/results/raters.md), each with the truth better."""

SHARED_WEIGHT = 0.5
"""Of a case read with others, where a gold case counts 1."""


@dataclass(frozen=True)
class SkillEstimate:
    """How right somebody probably is.

    Attributes:
        value: Expected Dice, or share of right classes, 0..1.
        low, high: 90 % interval.
        gold: Gold cases behind it.
        shared: Cases read with others behind it.
    """

    value: float
    low: float
    high: float
    gold: int = 0
    shared: int = 0


def estimate_skill(expertise: Expertise, gold: Sequence[float] = (), shared: Sequence[float] = ()) -> SkillEstimate:
    """The skill of somebody of this expertise who has shown so much.

    Args:
        expertise: As stated by whoever manages the project.
        gold: Scores on gold cases, 0..1: Dice, or 1 for the right class and 0 for another.
        shared: The same of cases read with others, against their consensus.
    """
    from scipy.special import betaincinv

    prior = PRIORS[expertise]
    right = prior.mean * prior.cases + sum(gold) + SHARED_WEIGHT * sum(shared)
    wrong = (1.0 - prior.mean) * prior.cases + sum(1.0 - s for s in gold) + SHARED_WEIGHT * sum(1.0 - s for s in shared)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = betaincinv(right, wrong, [tail, 1.0 - tail])
    return SkillEstimate(right / (right + wrong), float(low), float(high), len(gold), len(shared))
