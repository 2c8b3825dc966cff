"""Names as people mean them: one spelling per text, upper and lower case alike, and 2 before 10.

A composed and a decomposed spelling (macOS writes the latter) are one name. Keys are plain strings, so that Python
and both databases compare them alike.

Source: Unicode Standard Annex 15 (normalisation forms) and section 5.18 (case folding).
"""

import re
import unicodedata
from collections.abc import Iterable

_DIGITS = re.compile(r"\d+")


def composed(text: str) -> str:
    """The text in its composed form (NFC)."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """The text without upper and lower case, in every script; equal texts are one word to a reader."""
    return composed(composed(text).casefold())


def natural_key(text: str) -> str:
    """A key whose plain order puts `img2` before `img10`, whatever the case of letters."""
    return _DIGITS.sub(_number_key, folded(text))


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names as people count; those that differ in case or leading zeros only, by their code points."""
    return sorted(names, key=lambda name: (natural_key(name), name))


def _number_key(match: re.Match[str]) -> str:
    digits = "".join(str(int(digit)) for digit in match.group()).lstrip("0")
    return f"{len(digits):03d}{digits}"
