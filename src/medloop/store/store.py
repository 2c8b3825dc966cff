"""A project's store: one database for what exists, one place of blobs for bytes, a folder or a URL (`homes`).

    with store.read() as tx: …          one consistent state
    with store.write(actor) as tx: …    commits at the end, rolls back on an exception

Writing transactions exclude each other, so keep them short and do no other work inside: blobs first, rows
second. Job calls and further `write` calls inside a write in the same thread are refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select

from medloop.core.errors import ConflictError, StorageError
from medloop.store.blob_homes import blobs_at, claim_new_place, opened_blobs
from medloop.store.blobs import sweep_unfinished
from medloop.store.claims import require_fellow
from medloop.store.database import Database, parse_url
from medloop.store.homes import Home, Places, fence_of, new_home
from medloop.store.jobs import JobQueue
from medloop.store.opening import DATABASE_FILE, database_file, file_url, open_database
from medloop.store.presence import Presence
from medloop.store.private import make_private, tighten
from medloop.store.reader import CaseCounts, Reader
from medloop.store.schema import bring_up_to_date, schema_revision
from medloop.store.settings_file import SETTINGS_FILE, HostSettings, read_host_settings, write_host_settings
from medloop.store.tables import events
from medloop.store.writer import Writer

__all__ = ["DATABASE_FILE", "SETTINGS_FILE", "CaseCounts", "Reader", "Store", "Writer"]

R = TypeVar("R")


class Store:
    """An open store; use `create` or `open`. `read_only` says in words why nothing can be written, "" for the usual case."""

    def __init__(self, folder: Path, database: Database, home: Home | None = None) -> None:
        self.folder = folder
        self.database = database
        self.read_only = database.read_only
        self.blobs = opened_blobs(folder, database) if home is None else blobs_at(folder, database, home)
        database.fence = fence_of(database)
        self.jobs = JobQueue(database)
        self.presence = None if self.read_only else Presence(folder)

    @classmethod
    def create(cls, folder: Path, *, url: str | Places | None = None) -> "Store":
        """Make a store in a folder that holds none: its rows in an empty PostgreSQL database, its blobs under a URL, or all in the folder.

        Raises:
            ConflictError: The folder or the database holds a project already, or the URL the blobs of one.
            SettingError: A URL is not one of PostgreSQL or SQLite, or cannot keep blobs.
            StorageError: The disk, the database or the blobs' store refused.
        """
        if (folder / SETTINGS_FILE).exists():
            raise ConflictError(f"{folder} already holds a medloop project", remedy="choose another folder")
        places = url if isinstance(url, Places) else Places(database=url or "")
        if places.database:
            parse_url(places.database)
        home = new_home(places.blobs)
        _make_folder(folder)
        file = database_file(folder, places.database or None)
        if file is not None:
            _make_private(file)
        database = Database(places.database or file_url(folder))
        try:
            if schema_revision(database) is not None and _has_events(database):
                raise ConflictError("The database already holds a medloop project", remedy="give an empty database, or open that project")
            bring_up_to_date(database, folder / "backups")
            if home.url:
                claim_new_place(database, home)
            write_host_settings(folder, HostSettings(places.database or None, shared=bool(home.url)))
            return cls(folder, database, home)
        except BaseException:
            database.close()
            raise

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open an existing store; an older schema is backed up and brought up to date.

        Where nothing can be written (a read-only disk, another user's project) it is opened for looking only.

        Raises:
            NotFoundError: The folder holds none.
            StorageError: The schema is newer than this medloop, or the disk or database refused.
            ConflictError: A server of another folder, of which this one is a copy, holds the database.
            IntegrityError: The database is damaged or empty.
        """
        settings = read_host_settings(folder)
        database = open_database(folder, settings.url)
        try:
            store = cls(folder, database)
            require_fellow(database, folder, shared=store.blobs.shared)
        except BaseException:
            database.close()
            raise
        if not store.read_only:
            with suppress(OSError):  # a full disk can still be looked at
                (folder / "work").mkdir(mode=0o700, exist_ok=True)
                if store.blobs.shared and not settings.shared:  # an older medloop must not store them here
                    write_host_settings(folder, HostSettings(settings.url, settings.cache_bytes, shared=True))
            tighten(folder, database_file(folder, settings.url))
            store.blobs.sweep_temporary()
            sweep_unfinished(folder / "work")
        return store

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A transaction that sees one state.

        Raises:
            StorageError: The database refused.
        """
        with self.database.reading() as connection:
            yield Reader(connection)

    def get(self, kind: type[R], id: str) -> R:  # noqa: A002  # the field's name
        """The record of that id, in a transaction of its own.

        Raises:
            NotFoundError: There is none.
        """
        with self.read() as tx:
            return tx.get(kind, id)

    @contextmanager
    def write(self, actor: str) -> Iterator[Writer]:
        """A transaction that commits at its end and rolls back on an exception; the audit names the actor (id, name or "system").

        Raises:
            StorageError: The database refused; nothing was changed.
            StateError: This thread has a write open already.
        """
        with self.database.writing() as connection:
            yield Writer(connection, actor)

    def close(self) -> None:
        """Release the database; closing twice is harmless."""
        self.database.close()
        if self.presence is not None:
            self.presence.close()


def _has_events(database: Database) -> bool:
    with database.reading() as connection:
        return connection.execute(select(func.max(events.c.seq))).scalar() is not None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StorageError(f"Cannot make the folder {folder} ({error.strerror})", remedy="choose another folder") from error


def _make_private(path: Path) -> None:
    try:
        make_private(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path} ({error.strerror})", remedy="free some space or choose another folder") from error
