"""Which words in the place of a patient's id name nobody."""

import re

from medloop.core.names import folded

_WORDS = (
    "anon anonym anonymous anonymized anonymised anonymouspatient anonymizedpatient anonymisedpatient deidentified",
    "pseudonym pseudonymized pseudonymised unknown unknownpatient unnamed noname none null nil na nan notavailable notapplicable",
    "undefined unspecified missing removed redacted deleted hidden masked blank empty patient patientid noid xxx xxxx xxxxx",
)
_PLACEHOLDERS = frozenset(word for line in _WORDS for word in line.split())
_SEPARATORS = re.compile(r"[\W_]+")


def is_placeholder(patient_id: str) -> bool:
    """Whether an id stands for nobody in particular: empty, noughts, or a word such as ANONYMOUS or n/a."""
    bare = _SEPARATORS.sub("", folded(patient_id))
    return not bare or not bare.strip("0") or bare in _PLACEHOLDERS


def is_zero(patient_id: str) -> bool:
    """Whether an id is noughts only, such as 0 or 000."""
    bare = _SEPARATORS.sub("", patient_id)
    return bool(bare) and not bare.strip("0")
