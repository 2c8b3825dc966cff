"""Which patient a case belongs to, when only its name can tell."""

import re

from medloop.core.errors import SettingError

PATIENT_PATTERN = r"^(.*?)[_-](frame|ed|es|t|time|visit|v)\d+$"
"""Default rule: `patient001_frame01` and `patient001_frame12` are one patient; other names stand for themselves."""


def patient_rule(pattern: str | None) -> re.Pattern[str]:
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
    return rule


def patient_of(name: str, rule: re.Pattern[str]) -> str:
    """The rule's first group, or the name itself where the rule does not match."""
    match = rule.search(name)
    return (match.group(1) or name) if match else name
