"""Where series wait, as files, until they are whole and imported.

A series has a folder of its own, named alike however it comes by, so that its case has one name and comes once. What is whole lies in
`ready`; an import takes all of that and then removes it: the project keeps voxels, never the files themselves.
"""

import fcntl
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import ConflictError, FormatError, StorageError
from medloop.datasets.channel_groups import grouped
from medloop.datasets.channel_names import Wanted
from medloop.datasets.dataset import Dataset, Refusal
from medloop.datasets.discover import open_dataset
from medloop.loop.data.adding import AnnotationsWanted
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.importing import ImportProgress, import_dataset
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.files import private_folder
from medloop.store.claims import opened_lock

NOTHING_TAKEN = ImportReport((), 0, (), ())


@dataclass(frozen=True)
class Importing:
    """How what is whole becomes cases.

    Attributes:
        annotations: Which of its labels become annotations.
        actor: Who imports, for the audit.
        report: See `ImportProgress`.
        together: Which series of a study are the channels of one case; None leaves each a case of its own.
    """

    annotations: AnnotationsWanted = "none"
    actor: str = "system"
    report: ImportProgress | None = None
    together: Wanted | None = None


class Spool:
    """A folder of series that grow, and of those that are whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self.ready = private_folder(folder / "ready")
        self.growing = private_folder(folder / "growing")
        for part in self.growing.rglob(".*.part"):
            part.unlink(missing_ok=True)  # of a process that was killed: nobody was told that it is there

    def series(self, name: str) -> Path:
        """The folder of a series that grows."""
        return private_folder(self.growing / name)

    def finish(self, name: str) -> None:
        """Say that a series is whole.

        Raises:
            StorageError: The disk refuses.
        """
        target = self.ready / name
        try:
            if target.exists():  # whole before, and came again before it was taken: the files of one instance are called alike
                _merge(self.growing / name, target)
            else:
                (self.growing / name).replace(target)
        except OSError as error:
            raise StorageError(f"{name} cannot be moved: {error.strerror}", remedy="check the project's disk, then repeat") from error

    def drop(self, name: str = "") -> None:
        """Remove what came of a series that is not taken; of every one without a name."""
        for part in (self.ready, self.growing):
            for path in [part / name] if name else list(part.iterdir()):
                shutil.rmtree(path, ignore_errors=True)

    def set_back(self, names: Collection[str] | None = None) -> None:
        """Let series that are whole, but not taken, wait until somebody says again that they are; all without names.

        Raises:
            StorageError: The disk refuses.
        """
        for path in sorted(self.ready.iterdir()):
            if names is None or path.name in names:
                try:
                    _merge(path, self.series(path.name))
                except OSError as error:
                    raise StorageError(
                        f"{path.name} cannot be moved: {error.strerror}", remedy="check the project's disk, then repeat"
                    ) from error

    def take(self, workspace: Workspace, how: Importing, *, refused_to: Path | None = None) -> ImportReport:
        """Import what is whole, and remove its files.

        Args:
            workspace: The project.
            how: See `Importing`.
            refused_to: Where the files of what was left out go; None removes them, too.

        Raises:
            StorageError: The project cannot write; the files stay.
        """
        names = sorted(path.name for path in self.ready.iterdir())
        if not names:
            return NOTHING_TAKEN
        try:
            found: Dataset = open_dataset(self.ready, fmt="dicom")
            if how.together is not None:
                found = grouped(found, how.together)
            done = import_dataset(workspace, found, annotations=how.annotations, actor=how.actor, report=how.report)
        except FormatError as error:
            done = ImportReport((), 0, (), tuple(Refusal(name, error.message, "", error.remedy) for name in names))
        for name in names:
            if refused_to is not None and not _is_taken(name, done):
                set_aside(self.ready / name, refused_to)
            shutil.rmtree(self.ready / name, ignore_errors=True)
        return done


def _merge(source: Path, target: Path) -> None:
    for path in source.iterdir():
        path.replace(target / path.name)
    source.rmdir()


def _is_taken(name: str, done: ImportReport) -> bool:
    """Whether all of a series is in the project."""
    came = any(case == name or case.startswith(f"{name}_") for case in (*done.added, *done.duplicates, *done.annotated, *done.corrected))
    return came and not any(name in refusal.file for refusal in done.refused)


def set_aside(path: Path, folder: Path) -> None:
    """Move a file or folder into another folder, under a name that is free there.

    Raises:
        StorageError: The disk refuses.
    """
    target, number = private_folder(folder) / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    try:
        path.replace(target)
    except OSError as error:
        raise StorageError(f"{path.name} cannot be moved: {error.strerror}", remedy="check the project's disk") from error


class AtWorkError(ConflictError):
    """Another process does the same for this project now; it ends by itself."""


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold a spool for this process; a killed one lets go of it.

    Raises:
        AtWorkError: Another process holds it.
        StorageError: The folder cannot be written.
    """
    file = opened_lock(private_folder(folder) / "lock")
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AtWorkError(f"Another {what} of this project is at work", remedy="wait until it is done, then repeat") from None
        yield
    finally:
        file.close()
