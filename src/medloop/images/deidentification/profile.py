"""What happens to each DICOM attribute, from one table: `profile.csv`. An attribute that is not in it goes, and so does every private one.

The table has a row for each attribute that DICOM PS3.15 table E.1-1 (edition 2024b) lists, whose code stands in the column `table`, and
one for each that is kept for what the image means: its grid, its values, how it was acquired. An attribute of E.1-1 is never kept.
Where the standard lets one choose (X/Z, X/D), it is removed. Kept words must be terms (`terms.txt`), codes must be in the standard's
own dictionaries, numbers must be numbers: free text is never kept.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

from pydicom.datadict import tag_for_keyword

Action: TypeAlias = Literal["keep", "remove", "empty", "replace", "pseudonym", "uid", "date"]
"""keep · remove · leave empty · write REMOVED · the project's word · a UID by keyed hash · a shifted date, or none."""

PRIVATE = "private attributes"
"""What private attributes are counted as."""

_FOLDER = "medloop.images.deidentification"


@cache
def actions() -> Mapping[int, Action]:
    """Tag → what happens to it."""
    found: dict[int, Action] = {}
    for row in csv.DictReader((files(_FOLDER) / "profile.csv").read_text(encoding="utf-8").splitlines()):
        tag = tag_for_keyword(row["attribute"])
        if tag is not None:
            found[tag] = row["action"]  # type: ignore[assignment]  # a test holds the table to the words of `Action`
    return found


@cache
def table_codes() -> Mapping[int, str]:
    """Tag → its code in table E.1-1, "" for what the standard's table does not list."""
    rows = csv.DictReader((files(_FOLDER) / "profile.csv").read_text(encoding="utf-8").splitlines())
    return {tag: row["table"] for row in rows if (tag := tag_for_keyword(row["attribute"])) is not None}


@cache
def terms() -> frozenset[str]:
    """Every word that a kept attribute may hold, in capitals."""
    lines = (files(_FOLDER) / "terms.txt").read_text(encoding="utf-8").splitlines()
    words = (word.strip() for line in lines if not line.startswith("#") for word in line.split(", "))
    return frozenset(word.upper() for word in words if word)


def is_term(text: str) -> bool:
    """Whether a word is a term of the standard, whatever its letter case."""
    return text.strip().upper() in terms()


@cache
def known_codes() -> Mapping[object, str]:
    """Code of a dictionary of the standard → its meaning; older SNOMED values (SRT) are found, too."""
    from pydicom.sr.codedict import codes

    found: dict[object, str] = {}
    for scheme in codes.schemes():
        for code in getattr(codes, scheme).concepts.values():
            found[code] = code.meaning
    return found
