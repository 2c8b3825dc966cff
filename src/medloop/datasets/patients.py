"""Which patient a case belongs to: a pattern that was asked for, else what the source says, else what its name tells."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from medloop.core.errors import SettingError
from medloop.core.names import first_named, folded

PATIENT_PATTERN = r"^(.*?)[_-](frame|ed|es|t|time|visit|v)\d+$"
"""Default rule: `patient001_frame01` and `patient001_frame12` are one patient; other names stand for themselves."""


UNMATCHED = "the patient pattern does not match its name"


@dataclass(frozen=True)
class PatientRule:
    """How a case's name tells its patient.

    Attributes:
        pattern: Its first group is the patient.
        given: Somebody asked for it: then it wins over whatever the source says.
    """

    pattern: re.Pattern[str]
    given: bool = False

    def caught(self, name: str) -> str:
        """The patient in a name; "" when the pattern does not match or its group is empty."""
        match = self.pattern.search(name)
        return (match.group(1) or "") if match else ""


def patient_rule(pattern: str | None) -> PatientRule:
    """The compiled rule; None means the default.

    Raises:
        SettingError: Not a regular expression, or one without a group.
    """
    try:
        rule = re.compile(PATIENT_PATTERN if pattern is None else pattern, re.IGNORECASE)
    except re.error as error:
        raise SettingError(f"patient_pattern must be a regular expression, got {pattern!r} ({error})") from None
    if rule.groups < 1:
        raise SettingError(f"patient_pattern needs a group that catches the patient, got {pattern!r}", remedy="put it in ( )")
    return PatientRule(rule, pattern is not None)


def alike_notes(patients: Iterable[str]) -> tuple[str, ...]:
    """Patients whose ids differ in letter case or spaces only: they count as different people, which has to be said."""
    spelled: dict[str, dict[str, None]] = {}
    for patient in patients:
        spelled.setdefault(" ".join(folded(patient).split()), {})[patient] = None
    alike = [" and ".join(map(repr, ids)) for ids in spelled.values() if len(ids) > 1]
    if not alike:
        return ()
    shown = first_named(alike)
    return (f"patients whose ids differ in letter case or spaces only count as different people: {shown}; correct them if they are one",)
