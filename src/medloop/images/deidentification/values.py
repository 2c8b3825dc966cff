"""Whether a kept value says nothing about a person: numbers are numbers, words are terms, codes are known ones."""

import re
from datetime import datetime, timedelta
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from medloop.images.deidentification.profile import is_term, known_codes
from medloop.images.deidentification.pseudonyms import STANDARD

_BINARY = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT", "OB", "OW", "OF", "OD", "OL", "OV"})
_WORDS = frozenset({"CS", "SH", "LO"})
_NUMBER = re.compile(r"[ 0-9.eE+-]*")
_DIRECTIONS = re.compile(r"[APLRHFTB]{0,3}")
_KERNEL = re.compile(r"[A-Z]{1,2}[0-9]{1,3}[a-z]{0,2}")
_SHORT_NUMBER = re.compile(r"[0-9]{1,4}")
_FAR_PAST = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_OTHER = "OTHER"


def kept(element: DataElement) -> DataElement | None:
    """A kept element with what of its values may stay; None where nothing may.

    Args:
        element: No sequence.
    """
    if element.VR not in dictionary_VR(element.tag).split(" or "):
        return None
    if element.VR in _BINARY:
        return element
    values = [] if element.value is None or element.value == "" else _listed(element.value)
    if element.VR == "UI":
        return element if all(str(value).startswith(STANDARD) for value in values) else None
    if element.VR in ("DS", "IS"):
        return element if all(_NUMBER.fullmatch(str(value)) for value in values) else None
    if element.VR not in _WORDS:
        return None
    words = [str(value) for value in values]
    if all(_harmless(element.keyword, word) for word in words):
        return element
    if element.keyword not in ("ImageType", "FrameType"):  # their places mean something, and they may not lack
        return DataElement(element.tag, element.VR, "")
    return DataElement(element.tag, element.VR, [word if _harmless(element.keyword, word) else _OTHER for word in words])


def says_nothing(keyword: str, word: str) -> bool:
    """Whether a word of a kept attribute is a number or a term, so that it may stand in a name."""
    return keyword != "AcquisitionTime" and (bool(_NUMBER.fullmatch(word)) or _harmless(keyword, word))


def _harmless(keyword: str, word: str) -> bool:
    if not word.strip() or is_term(word):
        return True
    pattern = {"ConvolutionKernel": _KERNEL, "StackID": _SHORT_NUMBER, "PatientOrientation": _DIRECTIONS}.get(keyword)
    return bool(pattern and pattern.fullmatch(word.strip()))


def known_code(item: Dataset) -> Dataset | None:
    """A coded entry with the standard's own words; None for a code that is in none of its dictionaries."""
    scheme = {"SNM3": "SRT", "99SDM": "SRT"}.get(str(item.get("CodingSchemeDesignator", "")), str(item.get("CodingSchemeDesignator", "")))
    value = str(item.get("CodeValue", "") or "")
    try:
        meaning = known_codes().get(Code(value, scheme, ""))
    except (ValueError, KeyError):
        return None
    if meaning is None:
        return None
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, str(item.CodingSchemeDesignator), meaning[:64]
    return made


def shifted(element: DataElement, days: int) -> DataElement | None:
    """A date moved back by some days, a time of day as it is; None for what is neither."""
    values = [_moved(element.VR, str(value), days) for value in _listed(element.value)] if element.value else [""]
    return None if None in values else DataElement(element.tag, element.VR, values if len(values) > 1 else values[0])


def _moved(vr: str, text: str, days: int) -> str | None:
    if vr == "TM":
        return text if re.fullmatch(r"[0-9]{2,6}(\.[0-9]{1,6})? *", text) else None
    rest = text[8:]
    if not re.fullmatch(r"[0-9]{8}", text[:8]) or not re.fullmatch(r"[0-9.+-]{0,18}" if vr == "DT" else r" *", rest):
        return None
    try:
        return f"{datetime.strptime(text[:8], '%Y%m%d') - timedelta(days=days):%Y%m%d}{rest.strip()}"
    except (ValueError, OverflowError):
        return None


def undated(element: DataElement, code: str) -> DataElement | None:
    """What stands for a date that is not kept: nothing, an empty value, or a day that is none, by the standard's code."""
    if code in ("D", "Z/D", "X/Z/D"):
        return DataElement(element.tag, element.VR, _FAR_PAST[element.VR])
    return DataElement(element.tag, element.VR, "") if code.startswith("Z") else None


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int | float) or not hasattr(value, "__iter__") else list(value)
