"""Advisory locks on files: who serves a folder, and whether a worker looks after it.

The kernel releases them when their process ends, however it ends, so no lock is ever stale.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from medloop.core.errors import ConflictError
from medloop.loop.foundation.workspace import Workspace
from medloop.store.claims import is_worked_on, opened_lock

SERVER_LOCK = "server.lock"
WORKER_LOCK = "worker.lock"


class FolderLock:
    """A lock held from construction until `close`.

    Raises:
        ConflictError: Somebody else holds it.
        StorageError: The folder cannot be written.
    """

    def __init__(self, folder: Path, name: str, *, shared: bool = False) -> None:
        self._file = opened_lock(folder / name)
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read(40).strip() or "unknown"
            self._file.close()
            raise ConflictError(
                f"Another medloop server (process {holder}) already serves {folder}", remedy="use that one, or stop it first"
            ) from error
        if not shared:
            with suppress(OSError):  # on a full disk the lock holds without the name of its holder
                os.ftruncate(self._file.fileno(), 0)
                os.write(self._file.fileno(), f"{os.getpid()}\n".encode())

    def close(self) -> None:
        """Let go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def somebody_works(workspace: Workspace) -> bool:
    """Whether a worker looks after a project: here, or on any host that shares it."""
    store = workspace.store
    return is_held(workspace.folder, WORKER_LOCK) or (store.blobs.shared and is_worked_on(store.database))


def is_held(folder: Path, name: str) -> bool:
    """Whether any process holds this lock of the folder."""
    path = folder / name
    if not path.exists():
        return False
    try:
        with path.open(encoding="utf-8") as file:  # reading is enough, so that a read-only project can be looked at
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # the lock of another user's project cannot be looked at
    return False
