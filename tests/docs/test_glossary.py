"""Every record has its line in the glossary, and an old name is listed only while the code carries it."""

import dataclasses
import re

from medloop.core import records

from ..conftest import REPOSITORY
from .test_snippets import TEXTS

NOUNS, OLDER = TEXTS["docs/glossary.md"].split("## Older names that stay")


def test_every_record_is_in_the_glossary() -> None:
    kept = [name for name, kind in vars(records).items() if dataclasses.is_dataclass(kind) and kind.__module__ == records.__name__]
    words = {word.lower() for word in re.findall(r"\w+", NOUNS + OLDER)}
    assert len(kept) > 20
    assert [name for name in kept if name.lower() not in words] == []


def test_every_noun_has_one_line() -> None:
    nouns = [noun.strip() for noun in re.findall(r"^\| ([A-Z][^|]*)\|", NOUNS, re.MULTILINE) if noun.strip() != "Noun"]
    assert len(nouns) > 40
    assert nouns == sorted(set(nouns), key=str.casefold)


def test_an_older_name_is_still_in_the_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    names = re.findall(r"^\| `([^`]+)` \|", OLDER, re.MULTILINE)
    assert len(names) > 8
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", code)] == []
