"""Which files an import has taken already, so that the same import again reads only what is new or has changed.

Kept are digests alone, no path and no name: of where a case's files lie, of their size, times and number on the disk, of how they are
read, and of what the project holds of the case. Whatever differs in any of these is read again. A file whose bytes were replaced
with all of these alike (by a tool that turns back the clock of a disk, or below the file system) is not noticed: `rehash` reads all.

The digests lie in the project's work folder, each written once its case is stored, so that an import that was killed goes on from there.
A file that cannot be read or written there costs time and nothing else.
"""

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from medloop.core.records import Annotation, Assignment, Case
from medloop.datasets.dataset import CaseSource, Dataset, HeaderWords
from medloop.loop.foundation.workspace import Workspace

SETTLED_S = 2.0
"""A file changed within so many seconds may change again without another time (FAT keeps two seconds): its digest is not kept.

Counted back from the begin of the import, as images are read before they are looked at here (`read_ahead`).
"""

WHOLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".nii", ".nii.gz")
"""Endings of files that hold all there is of an image; headers of others (.mhd, .nhdr, .nrrd) may name further files."""

_BUSY_S = 5.0


class SeenFiles:
    """The digests of one project, for one way of reading a source."""

    def __init__(self, workspace: Workspace, dataset: Dataset, how: Sequence[object]) -> None:
        self._workspace = workspace
        self._connection = _opened(workspace.work_folder / "seen-files.sqlite")
        about = replace(dataset, cases=(), refused=(), notes=(), lone_masks={}, idle=frozenset())
        self._how = repr((1, about, workspace.task.id, *how))
        self._looked, self._began = ("", ""), time.time_ns()

    def look(self, case: CaseSource, known: Case | None) -> bool:
        """Whether the files of a case are those that were taken, and the project has not changed what it holds of it."""
        files = self._files(case)
        self._looked = (case.name, files)
        if known is None or not files:
            return False
        with suppress(OSError):  # bytes that are gone: the file is read, and brings them back
            return bool(self._run("SELECT 1 FROM seen WHERE stamp = ?", (self._stamp(files, known),)))
        return False

    def keep(self, case: CaseSource, known: Case) -> None:
        """Note that the files of a case, as they were when it was looked at, are in the project."""
        name, files = self._looked
        if not files or name != case.name or files != self._files(case):
            return
        with suppress(OSError):
            self._run("INSERT OR REPLACE INTO seen (case_id, stamp) VALUES (?, ?)", (known.id, self._stamp(files, known)))

    def _files(self, case: CaseSource) -> str:
        """What tells the files of a case from others, as text; "" where a look at them is not enough."""
        if not _is_plain(case):
            return ""
        with suppress(OSError):
            facts = [_fact(path) for path in _paths(case)]
            if self._began - max(max(changed) for *_, changed in facts) >= SETTLED_S * 1e9:
                return repr((case, facts))
        return ""

    def _stamp(self, files: str, known: Case) -> str:
        return hashlib.sha256(repr((self._how, files, self._held(known))).encode()).hexdigest()

    def _held(self, known: Case) -> tuple[object, ...]:
        """What the project holds of a case: its annotations, what people did with it, and its stored bytes by size and time."""
        with self._workspace.store.read() as tx:
            annotations = tx.find(Annotation, where={"case_id": known.id})
            work = [(one.id, one.state) for one in tx.find(Assignment, where={"case_id": known.id})]
        blobs = self._workspace.store.blobs
        places = [blobs.file(name) for name in (known.voxels, *(one.blob for one in annotations)) if name]
        stored = [(stat.st_size, stat.st_mtime_ns) for place in places if place is not None for stat in [place.stat()]]
        return known.id, bool(known.voxels), [one.id for one in annotations], work, stored

    def close(self) -> None:
        """Close the file of digests."""
        if self._connection is not None:
            self._connection.close()

    def _run(self, statement: str, values: tuple[str, ...]) -> list[tuple[object, ...]]:
        if self._connection is None:
            return []
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error:
            return []


def _opened(path: Path) -> sqlite3.Connection | None:
    """The file of digests, made where there is none; one that is damaged is begun anew, and None where it cannot be."""
    for attempt in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE IF NOT EXISTS seen (case_id TEXT PRIMARY KEY, stamp TEXT NOT NULL UNIQUE) WITHOUT ROWID")
        except sqlite3.OperationalError:  # locked, full, or not to be written
            return None
        except sqlite3.DatabaseError:
            if attempt == 0:
                path.unlink(missing_ok=True)
        except OSError:
            return None
        else:
            return connection
    return None


def _is_plain(case: CaseSource) -> bool:
    """Whether a case is what its own files and its line of a table say: no DICOM, no shapes of a document, nobody else's labels."""
    elsewhere = case.objects or case.drawing or case.marks or case.more or case.references or case.proposals
    whole = all(path.name.lower().endswith(WHOLE) for path in _paths(case))
    return whole and not elsewhere and case.header == HeaderWords() and case.acquired is None


def _paths(case: CaseSource) -> list[Path]:
    return [*case.images, *(path for channel in case.channels for path in channel.paths), *([case.mask] if case.mask else [])]


def _fact(path: Path) -> tuple[str, int, int, int, tuple[int, int]]:
    """Where a file is, its device and number, its size, and its times in nanoseconds.

    The second time is that of the last change of anything about the file, which no program chooses: a file that was replaced by
    one of the same size and date is told by it, and by its number.
    """
    real = path.resolve()
    stat = real.stat()
    return str(real), stat.st_dev, stat.st_ino, stat.st_size, (stat.st_mtime_ns, stat.st_ctime_ns)
