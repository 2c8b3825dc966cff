"""What the tests of a group of new cases say together: drift, none shown, or too few patients to tell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from medloop.core.names import counted
from medloop.metrics.two_sample import FEWEST_PATIENTS, holm

Kind: TypeAlias = Literal["embedding", "classifier", "intensities", "calibration"]
Verdict: TypeAlias = Literal["drift", "other images", "none shown", "too few"]

LEVEL = 0.05
"""Chance of any false alarm in a report, over all of its groups and tests."""

SEEN: tuple[Kind, ...] = ("embedding", "classifier", "calibration")
"""What the model sees or errs by: a change of unit alone, which every network normalises away, is in none of these."""

MEANINGS: dict[Verdict, str] = {
    "drift": "the model sees cases unlike those it was judged on: its measured quality and risk do not hold for them",
    "other images": "the images differ (unit, intensities, voxels), and what the model makes of them does not show it",
    "none shown": "no difference is shown; a small one may be there all the same",
    "too few": "no verdict",
}


@dataclass(frozen=True)
class DriftTest:
    """One test of a group.

    Attributes:
        kind: What was compared.
        about: Which number differs most, in words; "" for all together.
        statistic: Of the test.
        p: Without correction; `corrected` for all tests of the report.
        effect: How large the difference is; `effect_name` says in which measure.
    """

    kind: Kind
    about: str
    statistic: float
    p: float
    effect: float
    effect_name: str
    corrected: float = 1.0

    @property
    def shown(self) -> bool:
        """Whether it shows a difference."""
        return self.corrected <= LEVEL


@dataclass(frozen=True)
class GroupDrift:
    """What is found of one group of cases.

    Attributes:
        group: Such as "scanner B"; "all" for all.
        cases, patients: Of the group that were compared.
        reference: With whom, in words.
        reference_cases, reference_patients: These.
        tests: Corrected; () with too few patients.
        outside: Cases of the group outside of the domain by their own p-value; None where that cannot be told.
        verdict: See `MEANINGS`.
        meaning: In words, with why there is no verdict.
        notes: What could not be looked at.
    """

    group: str
    cases: int
    patients: int
    reference: str
    reference_cases: int
    reference_patients: int
    tests: tuple[DriftTest, ...]
    outside: int | None
    verdict: Verdict
    meaning: str
    notes: tuple[str, ...] = ()


def few_words(patients: int, reference_patients: int) -> str:
    """Why there is no verdict; "" where both sides are enough."""
    if patients < FEWEST_PATIENTS:
        return f"no verdict: {counted(patients, 'patient')}, at least {FEWEST_PATIENTS} needed"
    if reference_patients < FEWEST_PATIENTS:
        return f"no verdict: {counted(reference_patients, 'evaluated patient')} to compare with, at least {FEWEST_PATIENTS} needed"
    return ""


def corrected(groups: Sequence[GroupDrift]) -> tuple[GroupDrift, ...]:
    """The groups with their p-values corrected over all tests of all groups, and their verdicts."""
    raised = iter(holm([test.p for group in groups for test in group.tests]))
    return tuple(_judged(replace(group, tests=tuple(replace(test, corrected=next(raised)) for test in group.tests))) for group in groups)


def _judged(group: GroupDrift) -> GroupDrift:
    shown = {test.kind for test in group.tests if test.shown}
    if not shown and all(test.kind == "calibration" for test in group.tests):
        return group  # too few patients to compare, and the errors of a few are no proof that nothing differs
    verdict: Verdict = "drift" if shown & set(SEEN) else "other images" if shown else "none shown"
    return replace(group, verdict=verdict, meaning=MEANINGS[verdict])
