"""Which subgroups of patients a DICOM header puts a case into, and which of these words may be kept.

What is kept where identifiers are removed follows the table of `medloop.images.deidentification.profile`: the manufacturer where it is a
known term, and the field strength, a number. The name of a scanner's model is free text; sex and age are attributes of the patient, which
PS3.15 table E.1-1 empties and removes: these are kept with `identifiers=kept` only, an age in tens of years.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from medloop.images.deidentification.profile import is_term

SUBGROUPS = "subgroups"
"""Among what a reader says of a DICOM file, and never among what a project keeps: `header_subgroups`."""

SUBGROUP_TAGS = ("Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "PatientSex", "PatientAge")

MANUFACTURER, SCANNER, FIELD, SEX, AGE = "manufacturer", "scanner", "field strength", "sex", "age group"
"""Attributes, called as in `medloop.datasets.table.SUBGROUPS`."""

LONGEST = 64
"""Characters of a word at most: the most of a DICOM long string."""

OLDEST = 90
"""From this age on nobody is told apart (as in 45 CFR 164.514 (b)(2)(i)(C))."""

_SEXES: Mapping[str, str] = {"F": "female", "M": "male", "O": "other"}
_GAUSS = 100.0
"""A field strength from this number on was written in gauss."""


def header_subgroups(tags: Any) -> dict[str, str]:
    """What a header says, by attribute; what is missing or makes no sense is left out."""
    found = {
        MANUFACTURER: _words(tags, "Manufacturer").upper(),
        SCANNER: _words(tags, "ManufacturerModelName"),
        FIELD: _field(tags.get("MagneticFieldStrength", None)),
        SEX: _SEXES.get(_words(tags, "PatientSex").upper(), ""),
        AGE: _age_group(_words(tags, "PatientAge")),
    }
    return {name: value for name, value in found.items() if value}


def permitted_subgroups(found: Mapping[str, str], *, keeps: bool) -> dict[str, str]:
    """What of it a project may keep; `keeps` where identifiers are kept."""
    if keeps:
        return dict(found)
    return {name: value for name, value in found.items() if name == FIELD or (name == MANUFACTURER and is_term(value))}


def _words(tags: Any, name: str) -> str:
    text = " ".join(str(tags.get(name, "") or "").split())
    return text[:LONGEST] if text.isprintable() else ""


def _field(value: Any) -> str:
    try:
        tesla = float(value)
    except (TypeError, ValueError):
        return ""
    tesla = tesla / 10_000 if tesla >= _GAUSS else tesla
    return f"{round(tesla, 1):g} T" if math.isfinite(tesla) and 0.05 <= tesla < _GAUSS else ""


def _age_group(text: str) -> str:
    read = re.fullmatch(r"(\d{1,3})([DWMY])", text.upper())
    if read is None:
        return ""
    years = int(read[1]) if read[2] == "Y" else 0
    if read[2] == "M":
        years = int(read[1]) // 12
    return f"{OLDEST} and older" if years >= OLDEST else f"{years // 10 * 10} to {years // 10 * 10 + 9}"
