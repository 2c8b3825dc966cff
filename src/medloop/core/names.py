"""Names: of people who annotate and of whoever the audit names, and texts as people mean them.

The audit must never leave open who did something, so the names of medloop's own parts, and whatever looks like one of
its ids, belong to programs only. Names are compared without regard to upper and lower case; where a second one must not be
taken for the first, by their `appearance`, so that neither full-width letters nor those of another script make a double.

Names of cases and labels have one spelling per text: a composed and a decomposed one (macOS writes the latter) are one
name, upper and lower case count alike, and 2 comes before 10. Keys are plain strings, so that Python and both databases
compare them alike.

Source: Unicode Standard Annex 15 (normalisation forms) and section 5.18 (case folding).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from medloop.core.errors import InputError, SettingError

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


MAX_NAME, MAX_TITLE, MAX_INSTRUCTIONS = 80, 200, 20_000

RESERVED = frozenset(
    "system worker server assistant import imported cli python demo export simulation simulated medloop consensus".split()  # noqa: SIM905
) | {"retention rule"}
"""What medloop's own parts are called in the audit, and what could be mistaken for them."""

_JOINERS = re.compile("(?<=[^\x00-\x7f\u200c\u200d])[\u200c\u200d](?=[^\x00-\x7f\u200c\u200d])")
"""The invisible joiners that Persian and Indic names are written with; elsewhere they would only make doubles."""

_LOOK_ALIKE = str.maketrans("аеіјкмнорстухѕԁԛԝӏһοαινκρτυχειıʟ‐‑‒–—−", "aeijkmhopctyxsdqwlhoaivkptuxeiil------")
"""Cyrillic and Greek letters, after case folding, and dashes that a reader takes for these.

Source: Unicode Technical Standard 39 (confusables), the letters of the reserved names.
"""

_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Characters that count as printable and show nothing.

Source: Unicode Standard 16, Default_Ignorable_Code_Point; U+2800 is braille's empty pattern.
"""

_VARIANTS = re.compile("[\u180b-\u180d\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
"""Joiners, and what chooses between forms of a letter, as Japanese family names have them."""

_LIKE_AN_ID = re.compile(r"(annotator|worker|inline|cli|job|project)-")


def checked_name(name: str, *, program: bool = False) -> str:
    """A name as it is kept: Unicode NFC, without surrounding spaces; only a part of medloop (`program`) may use reserved ones.

    Raises:
        InputError: Empty, over-long, with characters that do not print, or reserved.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned or len(cleaned) > MAX_NAME or not is_written(cleaned):
        raise InputError(f"A name has 1 to {MAX_NAME} printable characters, got {len(cleaned)}", remedy="choose another name")
    if not program and is_reserved(cleaned):
        raise InputError(f"The name {cleaned!r} is kept for medloop itself, so that the audit can be trusted", remedy="choose another name")
    return cleaned


def checked_title(name: str) -> str:
    """A project's name as it is kept: composed, without surrounding spaces.

    Raises:
        SettingError: Empty, over-long, or with characters that do not print.
    """
    cleaned = composed(name.strip())
    if not 1 <= len(cleaned) <= MAX_TITLE or not is_written(cleaned):
        shown = cleaned[:MAX_TITLE]
        raise SettingError(f"The name has 1 to {MAX_TITLE} characters that print, got {shown!r}", remedy="choose another name")
    return cleaned


def checked_instructions(text: str) -> str:
    """A text for annotators, without surrounding blanks.

    Raises:
        SettingError: Over-long.
    """
    cleaned = text.strip()
    if len(cleaned) > MAX_INSTRUCTIONS:
        raise SettingError(f"Instructions may have {MAX_INSTRUCTIONS} characters, got {len(cleaned)}", remedy="shorten them")
    return cleaned


def counted(count: int, what: str) -> str:
    """How many of something there are: "1 pair", "2 pairs"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


NAMED = 5
"""How many of a kind are named one by one before the rest is counted."""


def nearest_names(name: str, known: Sequence[str]) -> list[str]:
    """The known names most like one that is none, the likest first."""
    return get_close_matches(name, known)


def nearest(name: str, known: Sequence[str]) -> str:
    """Begin a remedy with the known names most like one that is none: "use entropy or margin; ", or "" where none is alike."""
    near = nearest_names(name, known)
    return f"use {' or '.join(near)}; " if near else ""


def first_named(names: Sequence[str], *, most: int = NAMED) -> str:
    """A list on one line: the first few by name, "and 695 more" for the rest."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def brief_lines(lines: Mapping[str, Sequence[object]]) -> list[str]:
    """The first few lines of every kind, by any text that tells kinds apart, and how many more there are of it."""
    found: list[str] = []
    for own in lines.values():
        found += [str(line) for line in own[:NAMED]]
        if len(own) > NAMED:
            found.append(f"and {len(own) - NAMED} more of this kind")
    return found


def is_written(text: str) -> bool:
    """Whether every character prints, or joins letters of scripts that are written with joiners."""
    return _UNSEEN.search(text) is None and _JOINERS.sub("", text).isprintable()


def one_line(text: str) -> str:
    """A free text as a single line that every terminal and table shows as it is: what does not print becomes a space."""
    return " ".join("".join(c if c.isprintable() or c in "\u200c\u200d" else " " for c in composed(text)).split())


def appearance(name: str) -> str:
    """How a name looks to a reader: names that are alike in this are taken for one, whatever their letters are."""
    plain = unicodedata.normalize("NFKC", _VARIANTS.sub("", name)).casefold().translate(_LOOK_ALIKE)
    return " ".join(plain.split())


def is_reserved(name: str) -> bool:
    """Whether only medloop's own parts may be called so, also when written with letters that look the same."""
    plain = appearance(name)
    return plain in RESERVED or _LIKE_AN_ID.match(plain) is not None
