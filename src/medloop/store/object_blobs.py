"""Blobs kept under a URL that several hosts reach, with copies on this machine of what was read or written here.

`put` returns when the store has the bytes: they were read back and match. Putting the same bytes twice, from two hosts or at once, is
harmless, and heals a damaged object.

A sweep puts aside orphans of more than a day, by the store's own clock, and removes them a day later. A name that the store lacks is looked
for among those, so that bytes which somebody had stored and not referred to yet come back.
"""

import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from medloop.core.errors import ConflictError, DamagedBlobError, MissingBlobError, StorageError
from medloop.store.blob_cache import BlobCache
from medloop.store.blobs import RESTORE, Blobs, require_name
from medloop.store.homes import Home, read_mark
from medloop.store.object_store import ObjectStore

ORPHAN_HOURS = 24.0
"""How old an object that nothing refers to must be before it is put aside, and how long it stays there."""

LOOKED_SECONDS = 20.0
"""So long a process relies on a place being its database's own before it looks again."""

FEW = 20
"""So many names are looked for one by one; of more the whole place is listed, a thousand a request."""

SWEPT = "swept"
_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})")
_OURS = re.compile(rf"(?:[0-9a-f]{{2}}|{SWEPT})/([0-9a-f]{{64}})")
_OTHERS = "its database is not the one that these blobs belong to"


class ObjectBlobs(Blobs):
    """The blobs of one project under a URL.

    Args:
        home: Where they are.
        cache: Copies on this machine.
        read_only: Why nothing can be written, "" for the usual case.
        owner: Tells the database of this process from its copies; only the one that the place names may add or remove anything.
    """

    shared = True

    def __init__(self, home: Home, cache: BlobCache, *, read_only: str = "", owner: Callable[[], str] = lambda: "") -> None:
        self.home, self.cache = home, cache
        self._store = ObjectStore(home.url)
        self._read_only = read_only
        self._owner = owner
        self._known, self._looked = False, -LOOKED_SECONDS

    def put(self, data: bytes) -> str:
        """Keep bytes, which the store has when this returns; their name.

        Raises:
            StorageError: The store refused or cannot be reached, or gives back other bytes.
            ConflictError: The place holds the blobs of another project, or this database is a copy of the one whose blobs they are: what
                a copy adds the original knows nothing of, and removes.
        """
        if self._read_only:
            raise StorageError(f"Nothing can be stored: {self._read_only}", remedy="copy the project to where it can be written")
        self._require_own("stored at")
        name = hashlib.sha256(data).hexdigest()
        if self._holds(name, len(data)):
            self.cache.keep(data)
            return name
        self._store.write(_key(name), data)
        if not self._holds(name, len(data)):
            raise StorageError(
                f"{self.home.url} took the blob {name[:12]} and does not give it back", remedy="check the store, then repeat"
            )
        self.cache.keep(data)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of that name, from the copy on this machine where it is sound.

        Raises:
            MissingBlobError: There are none.
            DamagedBlobError: The store gives other bytes.
            StorageError: The store refused, or cannot be reached.
        """
        require_name(name)
        data = self.cache.get(name)
        if data is None:
            data = self.fetch(name)
            self.cache.keep(data)
        return data

    def fetch(self, name: str) -> bytes:
        """The bytes of that name as the store has them, and no copy.

        Raises:
            MissingBlobError, DamagedBlobError, StorageError: As `get`.
        """
        require_name(name)
        self.reach()
        data = self._read(name)
        if hashlib.sha256(data).hexdigest() != name:
            what = f"{self.home.url} gives {len(data)} bytes that do not match its hash"
            raise DamagedBlobError(f"The blob {name} is damaged: {what}", remedy=RESTORE, blob=name)
        return data

    def check(self, name: str) -> int:
        """Whether the bytes of that name can be had here; how many there are.

        Raises:
            MissingBlobError, DamagedBlobError, StorageError: As `get`.
        """
        return len(self.get(name))

    def check_kept(self, name: str) -> int:
        """Read the bytes of that name from the store; how many there are."""
        return len(self.fetch(name))

    def names(self) -> Iterator[str]:
        """Every name that the store has an object of."""
        self.reach()
        yield from (found[1] for key in self._store.listed() if (found := _KEY.fullmatch(key)))

    def exists(self, name: str) -> bool:
        """Whether the store has bytes of that name."""
        require_name(name)
        self.reach()
        return self._store.size(_key(name)) is not None or self._brought_back(name) is not None

    def kept(self, names: Collection[str]) -> set[str]:
        """Those of many names that the store has bytes of, put aside or not."""
        if len(names) <= FEW:
            return super().kept(names)
        self.reach()
        return set(names) & {found[1] for key in self._store.listed() if (found := _OURS.fullmatch(key))}

    def size(self, name: str) -> int:
        """Length in bytes.

        Raises:
            MissingBlobError: There are none of that name.
        """
        if not self.exists(name):
            raise self._missing(name)
        return self._store.size(_key(name)) or 0

    def remove(self, name: str) -> None:
        """Forget bytes that nothing refers to, the copy here as well.

        Raises:
            ConflictError: This database is a copy of the one whose blobs they are.
            StorageError: The store refused, or cannot be reached.
        """
        self._require_owner()
        self._store.delete(_key(require_name(name)))
        self._store.delete(f"{SWEPT}/{name}")
        self.cache.forget(name)

    def forget_copy(self, name: str) -> None:
        """Remove the copy on this machine."""
        self.cache.forget(name)

    def file(self, name: str) -> Path | None:
        """None: the bytes are read with `get`."""
        require_name(name)
        return None

    def where(self, name: str) -> str:
        """Where the bytes of that name are, or would be, in words."""
        return f"{self.home.url}/{_key(require_name(name))}"

    def sweep(self, needed: Collection[str]) -> int:
        """Put old orphans aside, and remove those that were put aside long ago; how many were touched.

        Raises:
            ConflictError: This database is a copy of the one whose blobs they are.
            StorageError: The store refused, or cannot be reached.
        """
        self._require_owner()
        before, touched = self._store.now() - timedelta(hours=ORPHAN_HOURS), 0
        aside = [key.rpartition("/")[2] for key in self._store.listed(SWEPT)]
        for name in [name for name in self.names() if name not in needed]:
            with suppress(FileNotFoundError):  # another sweep was faster
                if self._store.modified(_key(name)) < before:
                    self._store.copy(_key(name), f"{SWEPT}/{name}")
                    self._store.delete(_key(name))
                    touched += 1
        for name in aside:
            if name in needed:
                self._brought_back(name)
            else:
                touched += self._removed(name, before)
        return touched

    def sweep_temporary(self) -> int:
        """Remove what killed writers left in the copies on this machine; how many files."""
        return self.cache.blobs.sweep_temporary() if self.cache.blobs is not None else 0

    def temporaries(self) -> list[Path]:
        """Files of writers of copies, at work or gone."""
        return self.cache.blobs.temporaries() if self.cache.blobs is not None else []

    def _removed(self, name: str, before: object) -> bool:
        try:
            old = self._store.modified(f"{SWEPT}/{name}") < before  # type: ignore[operator]  # both are times of the store
        except FileNotFoundError:
            return False
        if old:
            self._store.delete(f"{SWEPT}/{name}")
            self.cache.forget(name)
        return old

    def _holds(self, name: str, size: int) -> bool:
        """Whether the store gives back the bytes of that name."""
        key = _key(name)
        if self._store.size(key) != size:
            return False
        try:
            return hashlib.sha256(self._store.read(key)).hexdigest() == name
        except FileNotFoundError:
            return False

    def _read(self, name: str) -> bytes:
        try:
            return self._store.read(_key(name))
        except FileNotFoundError:
            found = self._brought_back(name)
        if found is None:
            self._known = False
            self.reach()  # a bucket that is gone is no fault of this blob
            raise self._missing(name)
        return found

    def _brought_back(self, name: str) -> bytes | None:
        """The bytes of a name that was put aside, in their place again; None where they are damaged, so that sound ones stay there."""
        try:
            data = self._store.read(f"{SWEPT}/{name}")
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != name:
            return None
        if not self._read_only:
            self._store.write(_key(name), data)
        return data

    def reach(self) -> None:
        """Look once in this process whether the place is the one that the project names.

        Raises:
            ConflictError: It holds the blobs of another project.
            StorageError: It cannot be reached, refused, or holds no blobs of medloop.
        """
        if self._known:
            return
        mark = read_mark(self._store)
        if mark is None:
            raise StorageError(
                f"{self.home.url} holds no blobs of medloop: its mark is gone", remedy="check the bucket, or restore a backup"
            )
        if mark.place != self.home.place:
            raise ConflictError(f"{self.home.url} holds the blobs of another project", remedy="check which bucket this project names")
        self._known = True

    def _require_own(self, doing: str) -> None:
        """As `_require_owner`, looked at again after a while: a place may be taken over while this process has it open."""
        if time.monotonic() - self._looked > LOOKED_SECONDS:
            self._require_owner(doing)
            self._looked = time.monotonic()

    def _require_owner(self, doing: str = "removed from") -> None:
        self.reach()
        mark = read_mark(self._store)
        if mark is None or mark.owner != self._owner():
            own, over = "medloop move-blobs DIR folder", f"medloop move-blobs DIR {self.home.url}"
            remedy = f"give this copy blobs of its own: {own}; or, where the original is no more, take these over: {over}"
            raise ConflictError(f"Nothing is {doing} {self.home.url}: {_OTHERS}", remedy=remedy)

    def _missing(self, name: str) -> MissingBlobError:
        return MissingBlobError(f"There is no blob {name} at {self.home.url}", remedy=RESTORE, blob=name)


def _key(name: str) -> str:
    return f"{name[:2]}/{name}"
