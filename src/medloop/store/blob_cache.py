"""Copies on this machine of blobs that are kept elsewhere, bounded in bytes: what was not used for longest goes first.

A copy is believed only while it matches its name. Losing any or all of them costs time only, so that a full disk, or another
program that removes some, is no fault of a reader or a writer.
"""

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from medloop.core.errors import BlobError, StorageError
from medloop.store.blobs import Blobs

USUAL_BYTES = 20 * 10**9
"""How much is kept where nobody says otherwise."""

_ROOM = 0.9
"""Share of the bound that is left after some were removed."""

_LOG = logging.getLogger(__name__)


class BlobCache:
    """A bounded folder of copies.

    Args:
        folder: Where they lie; None where nothing can be written, and then nothing is kept.
        limit: Bytes.
    """

    def __init__(self, folder: Path | None, limit: int = USUAL_BYTES) -> None:
        self.blobs: Blobs | None = None
        self._folder, self._limit = folder, limit
        self._guard = threading.Lock()
        self._held: int | None = None
        self._told = False
        if folder is not None:
            try:
                self.blobs = Blobs(folder)
            except StorageError as error:
                self._tell(error)

    def get(self, name: str) -> bytes | None:
        """The bytes of that name; None where there is no sound copy."""
        if self.blobs is None:
            return None
        try:
            found = self.blobs.get(name)
        except BlobError:
            self.forget(name)
            return None
        except StorageError as error:
            self._tell(error)
            return None
        with suppress(OSError):
            os.utime(self.blobs.path(name))
        return found

    def keep(self, data: bytes) -> None:
        """Keep a copy, if there is room for it."""
        if self.blobs is None or len(data) > self._limit * _ROOM:
            return
        try:
            self.blobs.put(data)
        except StorageError as error:
            self._tell(error)
            return
        with self._guard:
            self._held = None if self._held is None else self._held + len(data)
            if self._held is None or self._held > self._limit:
                self._held = self._trimmed()

    def forget(self, name: str) -> None:
        """Remove a copy."""
        if self.blobs is not None:
            with suppress(StorageError):
                self.blobs.remove(name)

    def _trimmed(self) -> int:
        """Look at all copies, those of other processes too, and remove the oldest where they are too many; the bytes that are left."""
        found = []
        for shard in self._folder.glob("??") if self._folder is not None else ():
            with suppress(OSError):  # removed by somebody meanwhile, or not ours
                for path in shard.iterdir():
                    with suppress(OSError):
                        seen = path.stat()
                        found.append((seen.st_mtime, seen.st_size, path))
        held = sum(size for _, size, _ in found)
        if held <= self._limit:
            return held
        for _, size, path in sorted(found):
            with suppress(OSError):
                path.unlink(missing_ok=True)
            held -= size
            if held <= self._limit * _ROOM:
                break
        return held

    def _tell(self, error: StorageError) -> None:
        if not self._told:
            _LOG.warning("No copies of blobs are kept on this machine, which costs time only: %s", error)
            self._told = True
