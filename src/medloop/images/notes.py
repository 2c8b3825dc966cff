"""What reading said, grouped: the same kind of remark over many cases is one line with a count."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medloop.core.names import first_named

KINDS: tuple[tuple[str, str], ...] = (
    ("time", r"frames are moments"),
    ("tilt", r"gantry tilt"),
    ("missing", r"slice\(s\) seem to be missing"),
    ("uneven", r"slice spacing is uneven"),
    ("repeat", r" repeats .* and is left out"),
    ("split", r"one of \d+ parts of its series"),
    ("exif", r"orientation \d"),
    ("alpha", r"transparen|opacity"),
    ("grid", r"grid of its image"),
    ("units", r"unit of length"),
    ("transform", r"qform|sform"),
    ("shear", r"axes are sheared"),
    ("orientation", r"no orientation is stored|have no positions"),
    ("size", r"no pixel size is stored|1 mm|of the detector|spacing of (slices|frames)|pixdim"),
    ("burned-in", r"burned into its pixels"),
    ("window", r"window"),
    ("colour", r"grey stored as colour|white is stored|MONOCHROME1|without a stated meaning"),
)
"""A stable word for each kind of remark, and how its text is told; the first that fits counts."""


@dataclass(frozen=True)
class NoteGroup:
    """One kind of remark over the cases that it was made of.

    Attributes:
        kind: A word of `KINDS`, or "other".
        text: The first case's remark, its figures included.
        cases: Names, in the order they came.
    """

    kind: str
    text: str
    cases: tuple[str, ...]

    def __str__(self) -> str:
        count = len(self.cases)
        if count == 0:
            return self.text
        if count == 1:
            return f"{self.cases[0]}: {self.text}"
        return f"{count} cases: {self.text} ({first_named(self.cases)})"


def kind_of(note: str) -> str:
    """The stable word for a remark's kind."""
    return next((kind for kind, pattern in KINDS if re.search(pattern, note)), "other")


def grouped_notes(pairs: Iterable[tuple[str, Sequence[str]]]) -> tuple[NoteGroup, ...]:
    """Group the remarks of many cases by what they say, their figures aside.

    Args:
        pairs: Name of a case and its notes.

    Returns:
        Most frequent first, then in the order they came.
    """
    texts: dict[str, str] = {}
    cases: dict[str, dict[str, None]] = {}
    for name, notes in pairs:
        for note in notes:
            # Numbers and file names differ from case to case and are the same remark.
            words = re.sub(r"\S+ repeats \S+", "a slice repeats another", note)
            pattern = re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "#", words)
            texts.setdefault(pattern, note)
            cases.setdefault(pattern, {})[name] = None
    groups = [NoteGroup(kind_of(text), text, tuple(cases[pattern])) for pattern, text in texts.items()]
    return tuple(sorted(groups, key=lambda group: -len(group.cases)))


def without_values(error: str) -> str:
    """A decoder's words without what it quotes from a file, which may be a patient's."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", error)
