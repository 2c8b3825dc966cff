"""Who may read a project, and whether it can be written at all.

Images of patients belong to the user who works with them: the folder of a project is 0700, what is in it 0600. What an
older version left readable for others is mended when the project is opened by its owner, and warned of otherwise.
Only what medloop made is touched: a project may lie in a folder that holds other things.
"""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077
KEY_FILE = "deidentification.key"
"""The secret behind pseudonyms; see `medloop.loop.foundation.pseudonyms`."""

LINKS_FILE = "pacs-links.json"
"""Which series of an archive each series is; see `medloop.loop.data.pacs_identity`."""

_OURS = (
    KEY_FILE,
    "medloop.json",
    "medloop.sqlite",
    "medloop.sqlite-wal",
    "medloop.sqlite-shm",
    "server.lock",
    "worker.lock",
    "open.lock",
    "pacs.toml",
    LINKS_FILE,
)
_OUR_FOLDERS = ("blobs", "work", "backups", "received", "cache")
_LOG = logging.getLogger(__name__)


def why_read_only(folder: Path, *files: Path) -> str:
    """Why nothing can be written in a folder and its files, in words; "" when it can."""
    for path in (folder, *(file for file in files if file.exists())):
        if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            on_disk = os.statvfs(path).f_flag & os.ST_RDONLY
            return f"{folder} lies on a read-only disk" if on_disk else f"this user may only read {path}"
    return ""


LEAST_ROOM = 128 * 1024
"""Bytes without which SQLite cannot make the files that it keeps beside a database in use (32 KiB and the first pages)."""


def why_full(folder: Path) -> str:
    """That the disk of a folder is full, in words; "" when there is room."""
    disk = os.statvfs(folder)
    full = disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < LEAST_ROOM
    return f"the disk of {folder} is full: free some space, then open the project again" if full else ""


def make_private(path: Path) -> None:
    """Make a file that only this user can open, if there is none; its content is left to others.

    Raises:
        OSError: The disk refused.
    """
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def tighten(folder: Path, database: Path | None = None) -> None:
    """Take the rights of other users from a project and its SQLite file, if an older version or a copy left any."""
    ours = (folder, *(folder / name for name in (*_OURS, *_OUR_FOLDERS)), *((database,) if database is not None else ()))
    loose = [path for path in ours if _is_loose(path)]
    if not loose:
        return
    failed = [path for path in (*loose, *_below(folder)) if not _tightened(path)]
    if failed:
        _LOG.warning("%s can be read by other users of this machine; its owner can repair that: chmod -R go= %s", failed[0], folder)


def _below(folder: Path) -> Iterator[Path]:
    for name in _OUR_FOLDERS:
        for parent, folders, files in os.walk(folder / name):
            yield from (Path(parent) / one for one in (*folders, *files))


def _is_loose(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(found.st_mode) and bool(stat.S_IMODE(found.st_mode) & OTHERS)


def _tightened(path: Path) -> bool:
    """Whether only the owner can use a file or folder now."""
    if not _is_loose(path):
        return True
    try:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
