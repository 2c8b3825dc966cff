"""Collecting cases: names stay unique, and what collides is refused with a reason."""

from dataclasses import dataclass, field, replace

from medloop.core.errors import SettingError
from medloop.core.names import composed, natural_key
from medloop.datasets.dataset import CaseSource, Refusal
from medloop.datasets.files import MAX_NAME
from medloop.datasets.patients import UNMATCHED, PatientRule


@dataclass
class CaseList:
    """Cases as they are found, with everything that was left out.

    Args:
        rule: Tells the patient from a case's name.

    Attributes:
        found: By name; an empty patient is filled in by the rule at the end.
    """

    rule: PatientRule
    refused: list[Refusal] = field(default_factory=list)
    found: dict[str, CaseSource] = field(default_factory=dict)

    def refuse(self, file: str, rule: str, value: str = "", remedy: str = "") -> None:
        """Note one thing that is left out."""
        self.refused.append(Refusal(file, rule, value, remedy))

    def add(self, case: CaseSource, file: str) -> None:
        """Take a case, or note why not.

        Args:
            case: Its name is kept in its composed form.
            file: What to name when it is refused.
        """
        name = composed(case.name)
        if not name or len(name) > MAX_NAME or not name.isprintable():
            self.refuse(file, f"a case's name has 1 to {MAX_NAME} printable characters", f"{len(name)}", "rename the file")
        elif name in self.found:
            self.refuse(file, "every case needs a name of its own", name, "rename the file")
        else:
            self.found[name] = replace(case, name=name)

    def sorted(self) -> tuple[CaseSource, ...]:
        """The cases with their patients, in natural order of name.

        Raises:
            SettingError: A pattern that was asked for matches no name at all.
        """
        cases = [self.found[name] for name in sorted(self.found, key=lambda name: (natural_key(name), name))]
        if self.rule.given and cases and not any(self.rule.caught(case.name) for case in cases):
            raise SettingError(
                f"patient_pattern must catch a patient in the cases' names, got {self.rule.pattern.pattern!r}, which matches none of "
                f"{len(cases)}, for example {cases[0].name!r}",
                remedy="correct the pattern",
            )
        return tuple(self._with_patient(case) for case in cases)

    def _with_patient(self, case: CaseSource) -> CaseSource:
        caught = self.rule.caught(case.name)
        unmatched = self.rule.given and not caught
        notes = (*case.notes, f"{UNMATCHED}; the source's patient, or else the image, stands for it") if unmatched else case.notes
        patient = (caught or case.patient if self.rule.given else case.patient or caught) or case.name
        return replace(case, patient=composed(patient), notes=notes)  # one spelling, one person
