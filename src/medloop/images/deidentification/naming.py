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
_LEAST_NAME, _LEAST_ID = 2, 4
_GLUED = 5
"""From this length on a word counts within another, as in MUSTERMANNERIKA."""

_COMMON = frozenset(
    {"patient", "phantom", "test", "study", "series", "scan", "image", "images", "case", "dicom", "data", "water", "research"}
)
_MOST = 60
_HIDDEN = "…"


def identifiers_in(tags: Any) -> tuple[str, ...]:
    """The words of a header that name its patient."""
    if str(tags.get("PatientIdentityRemoved", "") or "").upper() == "YES":
        return ()
    found = [word for name in _NAMES for value in _values(tags, name) for word in re.split(r"[\s^=,._]+", value)]
    found += [part for word in found if re.search(r"[-']", word) for part in (*re.split(r"[-']", word), re.sub(r"[-']", "", word))]
    named = [word for word in found if len(word) >= _LEAST_NAME]
    ids = [value.strip() for name in _IDS for value in _values(tags, name)]
    ids += [form for value in _values(tags, "PatientBirthDate") for form in _days(value.strip())]
    named += [value for value in ids if len(value) >= _LEAST_ID]
    return tuple(word[:64] for word in dict.fromkeys(named) if not _is_common(word))[:_MOST]


def _days(date: str) -> list[str]:
    """A birth date as people write it in names of files."""
    if not re.fullmatch(r"[0-9]{8}", date):
        return []
    year, month, day = date[:4], date[4:6], date[6:]
    turned = [f"{day}{month}{year}"]
    return turned + [mark.join(parts) for mark in "-._" for parts in ((year, month, day), (day, month, year))]


def _is_common(word: str) -> bool:
    """Whether a word names nobody in particular: a placeholder, a term of the standard such as a part of the body, or of daily use."""
    return is_placeholder(word) or is_term(word) or plain(word) in _COMMON


def names_somebody(text: str, identifiers: Iterable[str]) -> bool:
    """Whether a text holds one of the words, whatever its letter case and accents, and with ae for ä."""
    apart = re.sub(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])", "_", text)  # MuellerErika
    texts = {spell(one) for one in (text, apart) for spell in (plain, _transcribed)}
    patterns = [_pattern(spell(word)) for word in identifiers for spell in (plain, _transcribed)]
    return any(pattern.search(one) for pattern in patterns for one in texts)


def hidden(text: str, words: Sequence[str]) -> str:
    """A text without some words: whole where accents stand in the way."""
    made = text
    for word in sorted(words, key=len, reverse=True):
        made = re.sub(_pattern(word).pattern, _HIDDEN, made, flags=re.IGNORECASE)
    return _HIDDEN if names_somebody(made, words) else made


def plain(text: str) -> str:
    """Without accents and in small letters."""
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def _transcribed(text: str) -> str:
    """As `plain`, with letters in the place of umlauts: ae for ä."""
    composed = unicodedata.normalize("NFC", text)
    return plain(composed.translate(_LETTERS))


_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa", "ø": "oe", "Ø": "Oe"})


def _pattern(word: str) -> "re.Pattern[str]":
    """Finds a word, which may have been spelled by `plain`: a short one between other signs, or between digits where it has letters."""
    bare = re.escape(word)
    if len(word) >= _GLUED:
        return re.compile(bare)
    letter = r"[^\W\d_]" if word.isalpha() else r"\d" if word.isdigit() else r"[^\W_]"
    return re.compile(rf"(?<!{letter}){bare}(?!{letter})")


def _values(tags: Any, keyword: str) -> list[str]:
    value = tags.get(keyword, None)
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, MultiValue) else [str(value)]
