"""How right somebody probably is: what their expertise says at first, then what they have shown.

    skill ~ Beta(m s, (1 − m) s) before anything is known, m and s by expertise

Each gold case adds its score as that share of one case done right; each case read with others adds its agreement with their
consensus at half weight, since a consensus moves towards its readers. One mask says more than one class: a person's Dice varies little
from case to case, with a variance of σ² where right or wrong has m (1 − m), so a mask counts for m (1 − m) / σ² cases.

Source: normal means with a known variance within and between groups, Lindley and Smith 1972, doi:10.1111/j.2517-6161.1972.tb00885.x.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from medloop.core.errors import SettingError
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

MASK_SPREAD = 0.1
"""σ, standard deviation of one person's Dice between cases: 0.10 for crowd workers and 0.05 for experts (benchmarks/results/raters.md)."""

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


def estimate_skill(
    expertise: Expertise, gold: Sequence[float] = (), shared: Sequence[float] = (), *, spread: float | None = None
) -> SkillEstimate:
    """The skill of somebody of this expertise who has shown so much.

    Args:
        expertise: As stated by whoever manages the project.
        gold: Scores on gold cases, 0..1: Dice, or 1 for the right class and 0 for another.
        shared: The same of cases read with others, against their consensus.
        spread: Standard deviation of one person's scores, above 0: `MASK_SPREAD` for Dice; None where a case is right or wrong.

    Raises:
        SettingError: A spread that is not above 0.
    """
    from scipy.special import betaincinv

    if spread is not None and not spread > 0:
        raise SettingError(f"The spread of a person's scores must lie above 0, got {spread}")
    prior = PRIORS[expertise]
    cases = 1.0 if spread is None else prior.mean * (1.0 - prior.mean) / spread**2
    shown = [cases * (sum(gold) + SHARED_WEIGHT * sum(shared)), cases * (len(gold) + SHARED_WEIGHT * len(shared))]
    right = prior.mean * prior.cases + shown[0]
    wrong = (1.0 - prior.mean) * prior.cases + shown[1] - shown[0]
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = betaincinv(right, wrong, [tail, 1.0 - tail])
    return SkillEstimate(right / (right + wrong), float(low), float(high), len(gold), len(shared))
