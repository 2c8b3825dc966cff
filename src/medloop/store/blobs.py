"""Write-once bytes named by their SHA-256, as files `ab/abcdef…` in one folder.

A blob appears whole or not at all: written to a temporary file, synced, renamed, and its folder synced
before `put` returns. Writers hold a lock on their temporary file, so a sweep tells the leftovers of a
killed process from work in progress. Putting the same bytes twice, even at once, is harmless.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medloop.core.errors import IntegrityError, NotFoundError, StorageError

_NAME = re.compile(r"[0-9a-f]{64}")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


class Blobs:
    """The blobs of one project.

    Args:
        folder: Made if missing.

    Raises:
        StorageError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        with _disk_errors(folder):
            self._temporary.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Keep bytes; they are on disk when this returns.

        Returns:
            Their name: 64 hexadecimal digits.

        Raises:
            StorageError: The disk is full or read only; nothing is left behind.
        """
        name = hashlib.sha256(data).hexdigest()
        target = self.path(name)
        with _disk_errors(target):
            if target.is_file() and target.stat().st_size == len(data):
                _sync_folder(target.parent)  # another writer may have renamed it, but not synced yet
                return name
            self._make_shard(target.parent)
            self._write(target, data)
            _sync_folder(target.parent)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name.

        Raises:
            NotFoundError: There are none.
            IntegrityError: The file was changed or damaged.
            StorageError: The disk refused.
        """
        target = self.path(name)
        with _disk_errors(target):
            if not target.is_file():
                raise NotFoundError(f"There is no blob {name}", remedy="restore the blobs folder from a backup")
            data = target.read_bytes()
        if hashlib.sha256(data).hexdigest() != name:
            raise IntegrityError(f"The blob {name} does not match its hash ({len(data)} bytes)", remedy="restore the file from a backup")
        return data

    def exists(self, name: str) -> bool:
        """Whether bytes of that name are kept."""
        return self.path(name).is_file()

    def size(self, name: str) -> int:
        """Length in bytes.

        Raises:
            NotFoundError: There are none of that name.
        """
        target = self.path(name)
        if not target.is_file():
            raise NotFoundError(f"There is no blob {name}", remedy="restore the blobs folder from a backup")
        return target.stat().st_size

    def path(self, name: str) -> Path:
        """Where the bytes of that name are, or would be; read only.

        Raises:
            NotFoundError: Not a name of a blob.
        """
        if not _NAME.fullmatch(name):
            raise NotFoundError(f"Not the name of a blob: {name!r}", remedy="it has 64 digits 0-9 a-f")
        return self._folder / name[:2] / name

    def sweep_temporary(self) -> int:
        """Remove what killed writers left behind.

        Returns:
            How many files were removed.
        """
        return sum(_remove_if_abandoned(path) for path in self._temporary.iterdir())

    def _make_shard(self, shard: Path) -> None:
        if not shard.is_dir():
            shard.mkdir(exist_ok=True)
            _sync_folder(self._folder)

    def _write(self, target: Path, data: bytes) -> None:
        temporary, descriptor = self._claim_temporary(target.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _claim_temporary(self, name: str) -> tuple[Path, int]:
        """A new temporary file, locked; a sweep between making and locking it just means another try."""
        while True:
            path = self._temporary / f"{name}-{secrets.token_hex(4)}"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)


def _remove_if_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, StorageError):
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(f"The disk is full while writing {path}", remedy="free some space and repeat") from error
        if error.errno in _REFUSED:
            raise StorageError(f"Not allowed to write {path}", remedy="make the folder writable for this user") from error
        raise StorageError(f"The disk failed at {path} ({error.strerror})", remedy="check the disk") from error
