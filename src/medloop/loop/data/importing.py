"""Bring cases in: read, check, split, store. One bad case never stops the rest.

Splits are fixed here, at first sight of a patient, and never move. Every case is one transaction: its
voxels (blob first), its row, its imported answer. A file that cannot be read, whatever the reason, is named and left out;
only a store that cannot write ends an import, and what was finished before stays.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from medloop.core.errors import MedloopError, StorageError
from medloop.datasets.dataset import Dataset
from medloop.datasets.discover import open_dataset
from medloop.loop.data.adding import AnnotationsWanted, Intake
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.source_more import take_beside
from medloop.loop.foundation.pseudonyms import known_as
from medloop.loop.foundation.workspace import Workspace

__all__ = ["AnnotationsWanted", "ImportProgress", "ImportReport", "import_dataset"]

ImportProgress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, name of the case)."""


def import_dataset(
    workspace: Workspace,
    source: str | Path | Dataset,
    *,
    annotations: AnnotationsWanted = "all",
    annotated: Sequence[str] | None = None,
    actor: str = "system",
    report: ImportProgress | None = None,
    rehash: bool = False,
) -> ImportReport:
    """Import every readable case of a folder or CSV in a known layout, or of what `open_dataset` found.

    Args:
        workspace: The project.
        source: The folder, CSV or opened source.
        annotations: Which of its labels become annotations.
        annotated: Names of the labels that its masks annotate where its table has no `annotated` for a case; None for the labels that
            the source names, or every label where it names none.
        actor: Who imports, for the audit.
        report: Called before each case.
        rehash: Read every file, also those that were taken before and have not changed by size, times and number since.

    Raises:
        FormatError: The source as a whole is in no known layout.
        SettingError: It is of another kind than the project's task.
        LabelError: Its labels, or those that `annotated` names, are not the project's.
        ConflictError: It gives a patient another split than the project has fixed.
        StorageError: The project's disk or database cannot write; the cases finished before stay.
    """
    dataset = open_dataset(source, known_as=known_as(workspace)) if isinstance(source, str | Path) else source
    intake = Intake(workspace, dataset, annotations, actor, annotated, rehash=rehash)
    try:
        for done, case in enumerate(intake.cases):
            if report is not None:
                report(done, len(intake.cases), case.name)
            with _told(done, len(intake.cases), case.name):
                intake.take(case)
    except BaseException:  # an interrupt too: what is there must be described, but the first error is the one to tell
        with suppress(MedloopError):
            intake.close()
        raise
    if annotations == "all":
        take_beside(workspace, dataset, intake.values, intake.tally, actor)
    intake.close()
    return intake.tally.report()


@contextmanager
def _told(done: int, total: int, name: str) -> Iterator[None]:
    """Say how far an import came when the store itself fails."""
    try:
        yield
    except (StorageError, OSError) as error:
        message, remedy = (error.message, error.remedy) if isinstance(error, StorageError) else (str(error), "")
        raise StorageError(
            f"The import stopped at {name}, {done} of {total} cases are done and kept: {message}",
            remedy=f"{remedy}, then repeat the same import" if remedy else "repair the project's disk and repeat the same import",
        ) from error
