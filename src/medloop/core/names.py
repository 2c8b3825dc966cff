"""The one rule for names: of people who answer, and of whoever the audit names.

The audit must never leave open who did something, so the names of medloop's own parts, and whatever looks like one of
its ids, belong to programs only. Compared without regard to upper and lower case, and in Unicode's NFKC form, so that
neither full-width letters nor a capital make a double.
"""

import re
import unicodedata

from medloop.core.errors import InputError

MAX_NAME = 80

RESERVED = frozenset(
    {
        "system",
        "worker",
        "server",
        "assistant",
        "import",
        "imported",
        "cli",
        "python",
        "demo",
        "export",
        "simulation",
        "simulated",
        "medloop",
    }
)
"""What medloop's own parts are called in the audit, and what could be mistaken for them."""

_JOINERS = re.compile("(?<=[^\x00-\x7f\u200c\u200d])[\u200c\u200d](?=[^\x00-\x7f\u200c\u200d])")
"""The invisible joiners that Persian and Indic names are written with; elsewhere they would only make doubles."""

_LIKE_AN_ID = re.compile(r"(annotator|worker|inline|cli|job|project)-")


def checked_name(name: str, *, program: bool = False) -> str:
    """A name as it is kept: Unicode NFC, without surrounding spaces.

    Args:
        name: As given.
        program: Whether a part of medloop gives it; only these may use reserved names.

    Raises:
        InputError: Empty, over-long, with characters that do not print, or reserved.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned or len(cleaned) > MAX_NAME or not _JOINERS.sub("", cleaned).isprintable():
        raise InputError(f"A name has 1 to {MAX_NAME} printable characters, got {len(cleaned)}", remedy="choose another name")
    if not program and is_reserved(cleaned):
        raise InputError(f"The name {cleaned!r} is kept for medloop itself, so that the audit can be trusted", remedy="choose another name")
    return cleaned


def is_reserved(name: str) -> bool:
    """Whether only medloop's own parts may be called so."""
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    return plain in RESERVED or _LIKE_AN_ID.match(plain) is not None
