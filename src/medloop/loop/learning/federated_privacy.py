"""Differential privacy of a site: how much noise its updates carry, and what they have cost each of its patients so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Json
from medloop.loop.learning.decisions import TrainingPlan
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.private import Private

SPENT = 1.001
"""Times the ε that was allowed, for what an accountant rounds."""


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """What a site allows its updates to cost each patient.

    Attributes:
        epsilon: ε over all rounds.
        delta: δ, below one over the number of patients.
        clip: Longest gradient of one patient.
    """

    epsilon: float
    delta: float = 1e-5
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingError(f"{name} is a number above 0, got {getattr(self, name)}")
        if not 0 < self.delta < 1:
            raise SettingError(f"delta lies between 0 and 1, got {self.delta}")


def private_of(privacy: Privacy, plan: TrainingPlan, recipe: Recipe, cases: "Sequence[TrainingCase]", *, steps: int) -> "Private":
    """How a site's steps are private: the least noise that keeps all of them within its ε, decided at its first round.

    Args:
        privacy: What is allowed.
        plan: Keeps the noise.
        recipe: What is trained.
        cases: That are learned from.
        steps: Of all rounds together.

    Raises:
        InputError: A case whose patient is not known, or too few patients for the δ.
        SettingError: No noise keeps the steps within ε.
        UnavailableError: Opacus is not installed.
    """
    from medloop.models.training.private import Private, noise_for

    groups: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        if case.case is None:
            raise InputError(f"A private training needs the patient of every case, {case.id} has none", remedy="leave pseudo-labels off")
        groups.setdefault(case.case.patient, []).append(number)
    if privacy.delta >= 1 / len(groups):
        rule = f"delta must be below one over the number of patients, 1/{len(groups)}, got {privacy.delta:g}"
        raise InputError(rule, remedy="give a smaller --delta")
    patients = tuple(tuple(numbers) for numbers in groups.values())
    rate = Private(0.0, privacy.clip, patients).rate(recipe)
    noise = plan.decide("noise", lambda: noise_for(privacy.epsilon, rate, steps, privacy.delta))
    return Private(float(noise), privacy.clip, patients)


def spent(privacy: Privacy, private: "Private", recipe: Recipe, steps: int) -> Json:
    """What so many steps have cost each patient."""
    from medloop.models.training.private import epsilon_of

    epsilon = epsilon_of(private.noise, private.rate(recipe), steps, privacy.delta)
    return {"epsilon": round(epsilon, 4), "delta": privacy.delta, "noise": private.noise, "clip": private.clip, "steps": steps}


def require_budget(privacy: Privacy, cost: Json) -> None:
    """Refuse a round that would cost more than is allowed.

    Raises:
        InputError: It would.
    """
    if cost["epsilon"] > SPENT * privacy.epsilon:
        rule = f"the next round would cost each patient ε {cost['epsilon']:g}, {privacy.epsilon:g} is allowed"
        raise InputError(rule, remedy="this site is done with this federation, or joins it with a larger --epsilon")
