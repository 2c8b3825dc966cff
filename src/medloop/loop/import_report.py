"""What an import did, with everything that was noticed grouped and counted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from medloop.datasets.dataset import Refusal

_FIGURES = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Note:
    """One thing that was noticed and not repaired.

    Attributes:
        text: In words; where cases differ in their figures only, those of the first.
        cases: Whom it is about, in the order of the import.
    """

    text: str
    cases: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.cases[:_SHOWN]) + (f" and {len(self.cases) - _SHOWN} more" if len(self.cases) > _SHOWN else "")
        return f"{len(self.cases)} {'case' if len(self.cases) == 1 else 'cases'}: {self.text} ({shown})"


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: Names of new cases.
        labelled: How many of them came with an answer that was kept.
        duplicates: Cases that were already there and stayed as they were.
        refused: One line per file or label that was left out.
        annotated: Cases that were already there and have their first imported annotation now.
        corrected: Cases whose imported annotation was superseded by what the source says now.
        notes: What was noticed and not repaired.
    """

    added: tuple[str, ...]
    labelled: int
    duplicates: tuple[str, ...]
    refused: tuple[Refusal, ...]
    annotated: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass
class Tally:
    """An import's report while it grows."""

    added: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    annotated: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    labelled: int = 0

    @property
    def kept(self) -> int:
        """Cases that something was stored of."""
        return len(self.added) + len(self.annotated) + len(self.corrected)

    def remark(self, name: str, *texts: str) -> None:
        """Note things about a case."""
        self.remarks += [(name, text) for text in texts]

    def report(self) -> ImportReport:
        """The report as it stands."""
        return ImportReport(
            added=tuple(self.added),
            labelled=self.labelled,
            duplicates=tuple(self.duplicates),
            refused=tuple(self.refused),
            annotated=tuple(self.annotated),
            corrected=tuple(self.corrected),
            notes=grouped(self.remarks),
        )


def grouped(remarks: Iterable[tuple[str, str]]) -> tuple[Note, ...]:
    """Notes that say the same but for their figures, together; the most frequent first.

    Args:
        remarks: (case, text) each.
    """
    cases: dict[str, list[str]] = {}
    texts: dict[str, list[str]] = {}
    for name, text in remarks:
        key = _FIGURES.sub("#", text)
        cases.setdefault(key, []).append(name)
        texts.setdefault(key, []).append(text)
    found = [Note(_said(texts[key]), tuple(dict.fromkeys(names))) for key, names in cases.items()]
    return tuple(sorted(found, key=lambda note: -len(note.cases)))


_SHOWN = 5


def _said(texts: list[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]}; figures differ from case to case"
