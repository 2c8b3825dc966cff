"""Collecting cases: names stay unique, and what collides is refused with a reason."""

import re
from dataclasses import dataclass, field, replace

from medloop.datasets.dataset import CaseSource, Refusal
from medloop.datasets.files import name_refusal
from medloop.datasets.patients import patient_of


@dataclass
class CaseList:
    """Cases as they are found, with everything that was left out.

    Args:
        rule: Tells the patient from a case's name.
    """

    rule: re.Pattern[str]
    refused: list[Refusal] = field(default_factory=list)
    _cases: dict[str, CaseSource] = field(default_factory=dict)

    def refuse(self, file: str, rule: str, value: str = "", remedy: str = "") -> None:
        """Note one thing that is left out."""
        self.refused.append(Refusal(file, rule, value, remedy))

    def add(self, case: CaseSource, file: str) -> None:
        """Take a case, or note why not.

        Args:
            case: An empty patient is filled in by the rule.
            file: What to name when it is refused.
        """
        if bad := name_refusal(file, case.name):
            self.refused.append(bad)
        elif case.name in self._cases:
            self.refuse(file, "every case needs a name of its own", case.name, "rename the file")
        else:
            self._cases[case.name] = case if case.patient else self._with_patient(case)

    def sorted(self) -> tuple[CaseSource, ...]:
        """The cases in order of name."""
        return tuple(self._cases[name] for name in sorted(self._cases))

    def _with_patient(self, case: CaseSource) -> CaseSource:
        return replace(case, patient=patient_of(case.name, self.rule))
