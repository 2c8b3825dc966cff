"""What an import did, with everything that was noticed grouped and counted."""

from dataclasses import dataclass, field

from medloop.datasets.dataset import Refusal
from medloop.images.notes import NoteGroup, grouped_notes


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
        notes: What was noticed and not repaired, the same over many cases as one; those without cases are about the source.
    """

    added: tuple[str, ...]
    labelled: int
    duplicates: tuple[str, ...]
    refused: tuple[Refusal, ...]
    annotated: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    notes: tuple[NoteGroup, ...] = ()


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

    @property
    def kept(self) -> int:
        """Cases that something was stored of."""
        return len(self.added) + len(self.annotated) + len(self.corrected)

    def remark(self, name: str, *texts: str) -> None:
        """Note things about a case."""
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
        )
