"""Which patient a case belongs to: a pattern that was asked for, else what the source says, else what its name tells."""

import re
from dataclasses import dataclass

from medloop.core.errors import SettingError

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


def patient_of(name: str, said: str, rule: PatientRule) -> str:
    """The patient of a case.

    Args:
        name: The case's.
        said: What the source says; "" for nothing.
        rule: For its name.
    """
    if rule.given:
        return rule.caught(name) or said or name
    return said or rule.caught(name) or name
