"""A project's store: one database for what exists, one folder of blobs for bytes.

    with store.read() as tx: …          one consistent state
    with store.write(actor) as tx: …    commits at the end, rolls back on an exception

Writing transactions exclude each other, so keep them short and do no other work inside: blobs first, rows
second. Job calls and further `write` calls inside a write in the same thread are refused.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select

from medloop.core.errors import ConflictError, FormatError, NotFoundError, StorageError
from medloop.store.blobs import Blobs, sweep_unfinished
from medloop.store.claims import require_same_folder
from medloop.store.database import Database, parse_url
from medloop.store.jobs import JobQueue
from medloop.store.opening import DATABASE_FILE, database_file, file_url, open_database
from medloop.store.presence import Presence
from medloop.store.private import make_private, tighten
from medloop.store.reader import CaseCounts, Reader
from medloop.store.schema import bring_up_to_date, schema_revision
from medloop.store.tables import events
from medloop.store.writer import Writer

__all__ = ["DATABASE_FILE", "CaseCounts", "Reader", "Store", "Writer"]

R = TypeVar("R")
SETTINGS_FILE = "medloop.json"
FORMAT = 1


class Store:
    """An open store; use `create` or `open`. `read_only` says in words why nothing can be written, "" for the usual case."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.read_only = database.read_only
        self.blobs = Blobs(folder / "blobs", read_only=database.read_only)
        self.jobs = JobQueue(database)
        self.presence = None if self.read_only else Presence(folder)

    @classmethod
    def create(cls, folder: Path, *, url: str | None = None) -> "Store":
        """Make a store in a folder that holds none; a URL of an empty PostgreSQL database, or None for all in the folder.

        Raises:
            ConflictError: The folder or the database holds a project already.
            SettingError: The URL is not one of PostgreSQL or SQLite.
            StorageError: The disk or the database refused.
        """
        if (folder / SETTINGS_FILE).exists():
            raise ConflictError(f"{folder} already holds a medloop project", remedy="choose another folder")
        if url is not None:
            parse_url(url)
        _make_folder(folder)
        file = database_file(folder, url)
        if file is not None:
            _make_private(file)
        database = Database(url or file_url(folder))
        try:
            if schema_revision(database) is not None and _has_events(database):
                raise ConflictError("The database already holds a medloop project", remedy="give an empty database, or open that project")
            bring_up_to_date(database, folder / "backups")
            write_settings(folder / SETTINGS_FILE, url)
            return cls(folder, database)
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
        url = _read_url(folder)
        database = open_database(folder, url)
        try:
            store = cls(folder, database)
            require_same_folder(database, folder)
        except BaseException:
            database.close()
            raise
        if not store.read_only:
            with suppress(OSError):  # a full disk can still be looked at
                (folder / "work").mkdir(mode=0o700, exist_ok=True)
            tighten(folder, database_file(folder, url))
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


def write_settings(path: Path, url: str | None) -> None:
    """Write `medloop.json`; only this user may read it: a database URL may hold a password."""
    try:
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"format": FORMAT, "url": url}, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path} ({error.strerror})", remedy="free some space or choose another folder") from error


def _read_url(folder: Path) -> str | None:
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise NotFoundError(f"{folder} holds no medloop project", remedy="make one with: medloop init")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        written, url = settings["format"], settings["url"]
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror})", remedy="make it readable for this user") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(path) from None  # what stands there may hold a password
    if type(written) is not int or written < 1 or not isinstance(url, str | None):
        raise _damaged(path)
    if written > FORMAT:
        rule = f"The project in {folder} was written by a newer medloop (format {written}, this one knows up to {FORMAT})"
        raise StorageError(rule, remedy="install the newer medloop")
    return url


def _damaged(path: Path) -> FormatError:
    return FormatError(f"{path} is damaged", remedy='restore it; for a local project it is {"format": 1, "url": null}')
