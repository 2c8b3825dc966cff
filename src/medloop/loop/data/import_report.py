"""What an import did, with everything that was noticed grouped and counted."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medloop.core.names import brief_lines, counted
from medloop.datasets.dataset import Refusal
from medloop.images.notes import NoteGroup, grouped_notes


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: Names of new cases.
        labelled: How many of them came with an annotation that was kept.
        duplicates: Cases that were already there and stayed as they were.
        refused: One line per file or label that was left out.
        annotated: Cases that were already there and have their first imported annotation now.
        corrected: Cases whose imported annotation was superseded by what the source says now.
        notes: What was noticed and not repaired, the same over many cases as one; those without cases are about the source.
        removed: DICOM attribute → in how many files it stood and is not kept; no values.
        references: How many other series were kept to look at beside the cases.
    """

    added: tuple[str, ...]
    labelled: int
    duplicates: tuple[str, ...]
    refused: tuple[Refusal, ...]
    annotated: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    notes: tuple[NoteGroup, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    references: int = 0


def removal_line(removed: Mapping[str, int], *, shown: int = 6) -> str:
    """What of headers is not kept, in one line; "" for nothing."""
    if not removed:
        return ""
    named = ", ".join(f"{name} {count}" for name, count in list(removed.items())[:shown])
    more = f" and {len(removed) - shown} more" if len(removed) > shown else ""
    return f"de-identified: {counted(len(removed), 'kind')} of DICOM attributes are not kept ({named}{more}; files each)"


def brief_refusals(refused: Sequence[Refusal]) -> list[str]:
    """What was left out, for people: the first few files of every rule, and how many more there are."""
    kinds: dict[str, list[Refusal]] = {}
    for one in refused:
        kinds.setdefault(_kind(one), []).append(one)
    return brief_lines(kinds)


def _kind(refusal: Refusal) -> str:
    """Its rule and remedy without the file that the rule begins with, the values it met, and numbers: what differs from file to file."""
    rule = re.sub(r"^[^:]*\.\w+: ", "", refusal.rule).partition(", got ")[0]
    return re.sub(r"\d+", "#", f"{rule} {refusal.remedy}")


@dataclass
class Tally:
    """An import's report while it grows."""

    added: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    annotated: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    remarks: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    about_source: tuple[str, ...] = ()
    labelled: int = 0
    further: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    references: int = 0

    @property
    def kept(self) -> int:
        """Cases that something was stored of."""
        return len(self.added) + len(self.annotated) + len(self.corrected)

    @property
    def said(self) -> int:
        """How many lines there are about cases."""
        return len(self.refused) + sum(len(texts) for _, texts in self.remarks)

    def remark(self, name: str, *texts: str) -> None:
        """Note things about a case."""
        if texts:
            self.remarks.append((name, texts))

    def report(self) -> ImportReport:
        """The report as it stands."""
        return ImportReport(
            added=tuple(self.added),
            labelled=self.labelled,
            duplicates=tuple(self.duplicates),
            refused=tuple(self.refused),
            annotated=tuple(self.annotated),
            corrected=tuple(self.corrected),
            notes=(*(NoteGroup("source", text, ()) for text in self.about_source), *grouped_notes(self.remarks)),
            removed=dict(self.removed.most_common()),
            references=self.references,
        )
