"""A SQLite file where nothing can be written: how to read it without missing what was committed last.

SQLite keeps the newest transactions beside the file (`-wal`) and wants to write there even to read. Three ways, the first
that is right: read only, with the help of what a running program keeps beside it; as it stands, when there is nothing
beside it; a private copy of both, when transactions wait beside the file that nobody can bring into it, or when an older
schema must be brought up to date to be understood. Leaving those transactions out would show an older state as the newest.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from medloop.core.errors import StorageError


@dataclass(frozen=True)
class Frozen:
    """How to read it: for SQLite, as a file, and the folder of the private copy, None without one."""

    uri: str
    path: Path
    copy: "tempfile.TemporaryDirectory[str] | None" = None

    def close(self) -> None:
        """Remove the copy."""
        if self.copy is not None:
            self.copy.cleanup()


def frozen(path: Path) -> Frozen:
    """The way to read a file that cannot be written.

    Raises:
        StorageError: It must be copied, and there is no room.
    """
    if _opens(_uri(path, "mode=ro")):
        return Frozen(_uri(path, "mode=ro"), path)
    return frozen_copy(path) if _waiting(path) else Frozen(_uri(path, "mode=ro&immutable=1"), path)


def frozen_copy(path: Path) -> Frozen:
    """A private copy of a file and of the transactions beside it.

    Raises:
        StorageError: There is no room.
    """
    folder = tempfile.TemporaryDirectory(prefix="medloop-")
    target = Path(folder.name) / path.name
    try:
        for source, copied in ((path, target), (_wal(path), _wal(target))):
            if source.exists():
                shutil.copyfile(source, copied)
    except OSError as error:
        folder.cleanup()
        reason = f"{path} cannot be read where it is, and not be copied to {tempfile.gettempdir()} ({error.strerror})"
        raise StorageError(reason, remedy="set TMPDIR to a folder with room") from error
    return Frozen(_uri(target, "mode=rw"), target, folder)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _waiting(path: Path) -> bool:
    return _wal(path).exists() and _wal(path).stat().st_size > 0


def _uri(path: Path, how: str) -> str:
    return f"file:{quote(str(path.resolve()))}?{how}"


def _opens(uri: str) -> bool:
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    return True
