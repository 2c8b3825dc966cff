"""Who has a project open: every open store shares a lock on a file, so that one can know itself alone.

The kernel releases it when its process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medloop.core.errors import ConflictError

OPEN_LOCK = "open.lock"


class Presence:
    """A shared lock held from construction until `close`.

    Opening a project never fails for it: where no lock can be had (a full disk, a disk without locks), nobody can be alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        try:
            self._descriptor = os.open(folder / OPEN_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            if os.geteuid() == 0:  # a look by root must not keep the owner out
                owner = folder.stat()
                os.fchown(self._descriptor, owner.st_uid, owner.st_gid)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # waits for a sweep, which is short
        except OSError:
            self.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from opening the project for a moment.

        Raises:
            ConflictError: Somebody has it open, or nobody can tell.
        """
        if self._descriptor < 0:
            raise ConflictError(f"Nobody can tell whether another program has {self._folder} open", remedy="free some space and repeat")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # the refused change has let go of it
            raise ConflictError(f"Another program has {self._folder} open", remedy="stop the server, workers and imports first") from error
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go; closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
