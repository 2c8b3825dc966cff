"""Move a project's blobs to another place while people and workers go on: copy, compare, switch.

    1. the place is marked as the project's; one of another project is refused
    2. every blob that a row refers to is copied there; what is there already was compared, so that a move that was cut short goes on
    3. in one writing transaction the few that came meanwhile are copied, and an event of the audit names the new place

Programs that have the project open can write nothing any more after that (`homes.fence_of`) and must be started again. The old place
stays as it is until it is cleared by name.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection

from medloop.core.errors import BlobError, ConflictError, StateError, StorageError
from medloop.store.blob_homes import blobs_at
from medloop.store.blobs import Blobs
from medloop.store.homes import (
    MARK,
    Home,
    Mark,
    claim_place,
    database_identity,
    fence_of,
    marked_folder,
    new_home,
    project_digest,
    read_home,
    read_mark,
    record_home,
    write_mark,
)
from medloop.store.object_store import ObjectStore
from medloop.store.references import references, unreadable_rows
from medloop.store.settings_file import read_host_settings, write_host_settings
from medloop.store.store import Store

Report: TypeAlias = Callable[[float, str], None]
FOLDER = "folder"
"""How the project's own folder is called where a URL may stand."""


@dataclass(frozen=True)
class Moved:
    """Where the blobs were and are, how many are there, and in words those that were damaged or gone already."""

    before: str
    now: str
    blobs: int
    missing: tuple[str, ...]


def move_blobs(store: Store, url: str, *, actor: str, report: Report | None = None) -> Moved:
    """Copy a project's blobs to a URL, or to its `folder`, and switch to it.

    With the URL where they are already, this database is the one that may remove them from now on.

    Raises:
        SettingError: The URL cannot keep anything.
        ConflictError: It holds the blobs of another project.
        StorageError: A place refused or cannot be reached, the disk is full, or the project is read only; the same command goes on later.
    """
    if store.read_only:
        raise StorageError(f"The blobs cannot be moved: {store.read_only}", remedy="make the project writable")
    with store.read() as tx:
        before, wanted = read_home(tx.connection), new_home(_url(url))
        if rows := unreadable_rows(tx.connection):
            raise StorageError(f"Nothing is moved while {rows} rows cannot be read", remedy="see medloop audit DIR verify")
        mark = Mark(wanted.place, project_digest(tx.connection), database_identity(tx.connection, store.database))
    moved: set[str] = set()
    home = before if before.url == wanted.url == "" else _claimed(store, wanted, mark)
    if home != before:
        target = blobs_at(store.folder, store.database, home)
        moved |= _copied(store.blobs, target, _needed(store), report)
        _switch(store, home, (target, moved), actor)
    lacking = tuple(f"{name} is damaged or gone" for name in _needed(store) if home != before and name not in moved)
    return Moved(before.url or FOLDER, home.url or FOLDER, len(_needed(store)) - len(lacking), lacking)


def clear_place(store: Store, url: str, *, report: Report | None = None) -> int:
    """Remove a project's blobs from a place that it has left, once all of them are sound where it is now; how many.

    Raises:
        StateError: It is where the blobs are, or one of them is not sound there.
        ConflictError: It holds the blobs of another project, or of another database.
        StorageError: A place refused or cannot be reached.
    """
    with store.read() as tx:
        now, digest = read_home(tx.connection), project_digest(tx.connection)
    left = new_home(_url(url))
    if left.url == now.url:
        raise StateError(f"The blobs of this project are at {left.url or FOLDER}", remedy="name the place that they were moved from")
    if left.url:
        found = read_mark(ObjectStore(left.url))
        if found is None or found.project != digest:
            raise ConflictError(f"{left.url} holds no blobs of this project", remedy="name the place that they were moved from")
        left = Home(left.url, found.place)
    needed = _needed(store)
    for number, name in enumerate(needed):
        if report is not None:
            report(number / len(needed), name[:12])
        try:
            store.blobs.check_kept(name)
        except BlobError as error:
            raise StateError(f"The old place is kept: {error.message}", remedy="see medloop doctor") from error
    old = blobs_at(store.folder, store.database, left) if left.url else Blobs(store.folder / "blobs")
    names = list(old.names())
    for name in names:
        old.remove(name)
    if left.url:
        ObjectStore(left.url).delete(MARK)
    return len(names)


def _url(given: str) -> str:
    return "" if given == FOLDER else given


def _claimed(store: Store, wanted: Home, mark: Mark) -> Home:
    """The place, marked as the project's and as this database's."""
    if not wanted.url:
        return marked_folder(store.folder)
    place = ObjectStore(wanted.url)
    found = claim_place(place, mark)
    if found.owner != mark.owner:
        write_mark(place, replace(found, owner=mark.owner))
    return Home(wanted.url, found.place)


def _copied(source: Blobs, target: Blobs, names: Collection[str], report: Report | None = None) -> set[str]:
    """Copy blobs; those that are sound in their new place."""
    there = set()
    for number, name in enumerate(names):
        if report is not None:
            report(number / len(names), name[:12])
        with suppress(BlobError):
            if not _has(target, name):
                target.put(source.fetch(name))
            there.add(name)
    return there


def _has(target: Blobs, name: str) -> bool:
    try:
        return target.check_kept(name) >= 0
    except BlobError:
        return False


def _switch(store: Store, home: Home, there: tuple[Blobs, set[str]], actor: str) -> None:
    """Name the new place, once it has what came meanwhile, too."""
    target, moved = there
    if home.url:  # before the event: a medloop that knows no other places must refuse this folder
        _write_shared(store.folder, shared=True)
    with store.database.writing() as connection:
        moved |= _copied(store.blobs, target, _referred(connection) - moved)
        record_home(connection, home, actor=actor)
    store.blobs = target
    store.database.fence = fence_of(store.database)
    if not home.url:
        _write_shared(store.folder, shared=False)


def _write_shared(folder: Path, *, shared: bool) -> None:
    write_host_settings(folder, replace(read_host_settings(folder), shared=shared))


def _needed(store: Store) -> list[str]:
    with store.read() as tx:
        return sorted(_referred(tx.connection))


def _referred(connection: Connection) -> set[str]:
    return {reference.blob for reference in references(connection)}
