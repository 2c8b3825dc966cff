"""Whether names of files, folders and cases hold what a DICOM header says of its patient.

A header that says that its patient's identity was removed names nobody, whatever stands in it: such ids are pseudonyms already.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.multival import MultiValue

from medloop.core.patients import is_placeholder
from medloop.images.deidentification.profile import is_term

_NAMES, _IDS = ("PatientName", "OtherPatientNames"), ("PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber")
_LEAST_NAME, _LEAST_ID = 3, 4
_GLUED = 5
"""From this length on a word counts within another, as in MUSTERMANNERIKA."""

_COMMON = frozenset(
    {"patient", "phantom", "test", "study", "series", "scan", "image", "images", "case", "dicom", "data", "water", "research"}
)
_MOST = 40
_HIDDEN = "…"


def identifiers_in(tags: Any) -> tuple[str, ...]:
    """The words of a header that name its patient."""
    if str(tags.get("PatientIdentityRemoved", "") or "").upper() == "YES":
        return ()
    found = [word for name in _NAMES for value in _values(tags, name) for word in re.split(r"[\s^=,._]+", value)]
    named = [word for word in found if len(word) >= _LEAST_NAME or (len(word) > 1 and not word.isascii())]
    named += [value.strip() for name in _IDS for value in _values(tags, name) if len(value.strip()) >= _LEAST_ID]
    return tuple(word[:64] for word in dict.fromkeys(named) if not _is_common(word))[:_MOST]


def _is_common(word: str) -> bool:
    """Whether a word names nobody in particular: a placeholder, a term of the standard such as a part of the body, or of daily use."""
    return is_placeholder(word) or is_term(word) or plain(word) in _COMMON


def names_somebody(text: str, identifiers: Iterable[str]) -> bool:
    """Whether a text holds one of the words, whatever its letter case and accents."""
    return any(pattern.search(plain(text)) for pattern in map(_pattern, identifiers))


def hidden(text: str, words: Sequence[str]) -> str:
    """A text without some words: whole where accents stand in the way."""
    made = text
    for word in sorted(words, key=len, reverse=True):
        made = re.sub(re.escape(word), _HIDDEN, made, flags=re.IGNORECASE)
    return _HIDDEN if names_somebody(made, words) else made


def plain(text: str) -> str:
    """Without accents and in small letters."""
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def _pattern(word: str) -> "re.Pattern[str]":
    bare = re.escape(plain(word))
    return re.compile(bare if len(word) >= _GLUED else rf"(?<![^\W_]){bare}(?![^\W_])")


def _values(tags: Any, keyword: str) -> list[str]:
    value = tags.get(keyword, None)
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, MultiValue) else [str(value)]
