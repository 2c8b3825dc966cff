"""Bytes of files: bounded reading of what may be hostile, and writing that is all or nothing."""

import fcntl
import hashlib
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from medloop.core.errors import FormatError, NotFoundError, StorageError

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_ANNEX = Path(".git/annex/objects")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_SYNCED_LATER: ContextVar[bool] = ContextVar("_SYNCED_LATER", default=False)


def read_bounded(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file, inflated when it is gzip; shorter when the file is.

    Never holds more than `limit` bytes plus a chunk, whatever the file claims.

    Raises:
        FormatError: Damaged or truncated gzip.
        NotFoundError: No such file.
        StorageError: The file cannot be read.
    """
    out = bytearray()
    for chunk in _inflated(path, limit) if is_gzip(path) else _plain(path, limit):
        out += chunk
    return bytes(out)


def is_gzip(path: Path) -> bool:
    """Whether the file starts like gzip, whatever its name."""
    return read_start(path, 2) == GZIP_MAGIC


def read_start(path: Path, count: int) -> bytes:
    """The first `count` stored bytes, not inflated.

    Raises:
        NotFoundError: No such file.
        StorageError: The file cannot be read.
    """
    return next(_plain(path, count), b"")


def sha256_of(paths: Iterable[Path]) -> str:
    """Digest over the bytes of several files, in that order."""
    digest = hashlib.sha256()
    for path in paths:
        for chunk in _plain(path, 1 << 62):
            digest.update(chunk)
    return digest.hexdigest()


def stays_within(path: Path, root: Path) -> bool:
    """Whether a path, every link followed, stays in a folder, or in the store of the git-annex that the folder belongs to.

    git-annex keeps each file's bytes in `.git/annex/objects` of its repository and a link in the file's place, so the links of a
    sub-folder lead out of it and are harmless all the same.

    Args:
        path: A file or link.
        root: The folder, itself resolved.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # a name too long, or links that go in circles
        return False
    if target.is_relative_to(root):
        return True
    return any(target.is_relative_to(folder / _ANNEX) for folder in root.parents if (folder / _ANNEX).is_dir())


def write_atomic(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a mixture.

    Args:
        path: Where.
        data: What.
        mode: Who may use it, less what the user's umask takes away; 0o600 keeps it to this user.

    Raises:
        StorageError: The disk refused; nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with claimed(beside, mode) as file:
            file.write(data)
            file.flush()
            if not _SYNCED_LATER.get():
                os.fsync(file.fileno())
        beside.replace(path)
        if not _SYNCED_LATER.get():
            sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"{path.name} cannot be written: {error.strerror}", remedy="free space or choose another folder") from error


@contextmanager
def synced_at_the_end(folder: Path) -> Iterator[None]:
    """Within the block `write_atomic` waits for no disk; when it ends well every file of the folder is on it, for far less than one by one.

    For a folder that nobody sees before, and in the thread that began the block.

    Raises:
        OSError: The disk refuses.
    """
    before = _SYNCED_LATER.set(True)
    try:
        yield
    finally:
        _SYNCED_LATER.reset(before)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def claimed(path: Path, mode: int) -> IO[bytes]:
    """A temporary file to write, empty and locked: a sweep of leftovers thereby knows that its writer lives.

    Raises:
        OSError: The disk refused.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, mode), "wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # a sweep was faster than the lock


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power cut.

    Raises:
        OSError: The disk refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(path: Path, limit: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while limit > 0 and (chunk := file.read(min(_CHUNK, limit))):
                limit -= len(chunk)
                yield chunk
    except FileNotFoundError as error:
        raise NotFoundError(f"{path.name}: no such file", remedy="check the path") from error
    except OSError as error:
        raise StorageError(f"{path.name}: cannot be read: {error.strerror}", remedy="check its permissions") from error


def _inflated(path: Path, limit: int) -> Iterator[bytes]:
    """Inflate gzip, also of several members, up to `limit` bytes; checks each checksum it reaches."""
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for stored in _plain(path, 1 << 62):
            data = stored
            while data:
                chunk = inflate.decompress(data, max(min(_CHUNK, limit), 1))
                yield chunk[:limit]
                if limit == 0 and chunk:
                    return
                limit -= min(len(chunk), limit)
                data = inflate.unconsumed_tail or inflate.unused_data
                if inflate.eof:
                    if not data.startswith(GZIP_MAGIC):
                        return
                    inflate = zlib.decompressobj(_GZIP_WINDOW)
    except zlib.error as error:
        raise FormatError(f"{path.name}: gzip must be intact, got: {error}", remedy="copy or download the file again") from error
    raise FormatError(f"{path.name}: gzip must be complete, but it ends early", remedy="copy or download the file again")
