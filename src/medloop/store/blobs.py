"""Write-once bytes named by their SHA-256, as files `ab/abcdef…` in one folder (`object_blobs` keeps them under a URL).

A blob appears whole or not at all: written to a temporary file, synced, renamed, and its folder synced
before `put` returns. Writers hold a lock on their temporary file, so a sweep tells the leftovers of a
killed process from work in progress. Putting the same bytes twice, even at once, is harmless.

A file of the right name is believed only after its bytes were compared: disks lose bits, and an
acknowledgement must never rest on a damaged copy. A bad one is replaced by the good bytes at hand.
"""

import errno
import fcntl
import hashlib
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medloop.core.errors import DamagedBlobError, MissingBlobError, NotFoundError, StorageError
from medloop.images.files import sync_folder

_NAME = re.compile(r"[0-9a-f]{64}")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_GONE = (errno.ENOENT, errno.ENOTDIR)
_CHUNK = 1 << 20
_LOG = logging.getLogger(__name__)

RESTORE = "restore it from a backup; medloop doctor tells what it belongs to"


class Blobs:
    """The blobs of one project; `read_only` says why nothing can be written, "" for the usual case.

    Attributes:
        shared: Whether other hosts reach them, too.

    Raises:
        StorageError: The folder cannot be made.
    """

    shared = False

    def __init__(self, folder: Path, *, read_only: str = "") -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._read_only = read_only
        if read_only:
            return
        with _disk_errors(folder):
            for made in (folder, self._temporary):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Keep bytes, which are on disk when this returns; their name, 64 hexadecimal digits.

        Raises:
            StorageError: The disk is full or read only; nothing is left behind.
        """
        if self._read_only:
            raise StorageError(f"Nothing can be stored: {self._read_only}", remedy="copy the project to where it can be written")
        name = hashlib.sha256(data).hexdigest()
        target = self.path(name)
        with _disk_errors(target):
            if _holds(target, data):
                sync_folder(target.parent)  # another writer may have renamed it, but not synced yet
                return name
            if target.exists():
                _LOG.warning("The blob %s was damaged; it is replaced by the same bytes, stored anew", name)
            self._make_shard(target.parent)
            self._write(target, data)
            sync_folder(target.parent)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name.

        Raises:
            MissingBlobError: There are none.
            DamagedBlobError: The file was changed or damaged, or the disk cannot read it.
            StorageError: Not allowed to read it.
        """
        data = b"".join(self._stored(name))
        if hashlib.sha256(data).hexdigest() != name:
            raise _damaged(name, f"{len(data)} bytes that do not match its hash")
        return data

    def check(self, name: str) -> int:
        """Read the bytes of that name, a piece at a time, and compare them with it; how many there are.

        Raises:
            MissingBlobError, DamagedBlobError, StorageError: As `get`.
        """
        digest, size = hashlib.sha256(), 0
        for chunk in self._stored(name):
            digest.update(chunk)
            size += len(chunk)
        if digest.hexdigest() != name:
            raise _damaged(name, f"{size} bytes that do not match its hash")
        return size

    def fetch(self, name: str) -> bytes:
        """The bytes of that name from where they are kept, and no copy of them.

        Raises:
            MissingBlobError, DamagedBlobError, StorageError: As `get`.
        """
        return self.get(name)

    def check_kept(self, name: str) -> int:
        """Compare the bytes of that name where they are kept, and no copy of them; how many there are.

        Raises:
            MissingBlobError, DamagedBlobError, StorageError: As `get`.
        """
        return self.check(name)

    def forget_copy(self, name: str) -> None:
        """Remove a copy of bytes that are kept elsewhere: there is none."""

    def file(self, name: str) -> Path | None:
        """The file of that name, whose bytes were not compared; None where they must be read with `get`.

        Raises:
            NotFoundError: Not a name of a blob.
        """
        return self.path(name)

    def where(self, name: str) -> str:
        """Where the bytes of that name are, or would be, in words.

        Raises:
            NotFoundError: Not a name of a blob.
        """
        return str(self.path(name))

    def names(self) -> Iterator[str]:
        """Every name there is a file of, whether or not its bytes are sound."""
        for shard in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if len(shard.name) == 2 and shard.is_dir():
                yield from sorted(path.name for path in shard.iterdir() if _NAME.fullmatch(path.name))

    def remove(self, name: str) -> None:
        """Forget bytes that nothing refers to.

        Raises:
            StorageError: The disk refused.
        """
        with _disk_errors(self.path(name)):
            self.path(name).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Whether bytes of that name are kept."""
        return self.path(name).is_file()

    def size(self, name: str) -> int:
        """Length in bytes.

        Raises:
            MissingBlobError: There are none of that name.
        """
        target = self.path(name)
        if not target.is_file():
            raise _missing(name)
        return target.stat().st_size

    def path(self, name: str) -> Path:
        """Where the bytes of that name are, or would be; read only.

        Raises:
            NotFoundError: Not a name of a blob.
        """
        return self._folder / require_name(name)[:2] / name

    def sweep_temporary(self) -> int:
        """Remove what killed writers left behind; how many files."""
        return sum(remove_if_abandoned(path) for path in self.temporaries())

    def temporaries(self) -> list[Path]:
        """Files of writers, at work or gone."""
        return sorted(self._temporary.iterdir()) if self._temporary.is_dir() else []

    def _stored(self, name: str) -> Iterator[bytes]:
        """The bytes of a file as the disk gives them."""
        target = self.path(name)
        with _reading_errors(target, name), target.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def _make_shard(self, shard: Path) -> None:
        if not shard.is_dir():
            shard.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)

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
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)


def require_name(name: str) -> str:
    """The name of a blob.

    Raises:
        NotFoundError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise MissingBlobError(f"Not the name of a blob: {name!r:.80}", remedy="it has 64 digits 0-9 a-f")
    return name


def _holds(path: Path, data: bytes) -> bool:
    """Whether a file is there and holds exactly these bytes; one that cannot be read does not."""
    try:
        if path.stat().st_size != len(data):
            return False
        rest = memoryview(data)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if rest[: len(chunk)] != chunk:
                    return False
                rest = rest[len(chunk) :]
    except OSError:
        return False
    return not rest


def _damaged(name: str, what: str) -> DamagedBlobError:
    return DamagedBlobError(f"The blob {name} is damaged: {what}", remedy=RESTORE, blob=name)


def _missing(name: str) -> MissingBlobError:
    return MissingBlobError(f"There is no blob {name}", remedy=RESTORE, blob=name)


def remove_if_abandoned(path: Path) -> bool:
    """Remove a temporary file that no living process holds; whether it is gone by that."""
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


def unfinished(folder: Path) -> list[Path]:
    """Files below a folder that a killed process left half written; a living writer holds a lock on its own."""
    return sorted(path for path in folder.rglob("*.tmp") if path.is_file() and not path.is_symlink()) if folder.is_dir() else []


def sweep_unfinished(folder: Path) -> int:
    """Remove those whose writer is gone; how many."""
    return sum(remove_if_abandoned(path) for path in unfinished(folder))


@contextmanager
def _reading_errors(path: Path, name: str) -> Iterator[None]:
    """A file that is gone, or that the disk cannot give back whole, is that blob's fault alone."""
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise _missing(name) from error
        if error.errno in _REFUSED:
            raise StorageError(f"Not allowed to read {path}", remedy="make it readable for this user") from error
        raise _damaged(name, f"the disk cannot read it ({error.strerror})") from error


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
