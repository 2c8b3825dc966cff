"""The database of an existing project: found, checked, brought up to date, or opened for looking only."""

import sqlite3
from contextlib import closing
from pathlib import Path

from medloop.core.errors import IntegrityError, NotFoundError, StorageError
from medloop.store.database import Database, parse_url
from medloop.store.frozen import Frozen, frozen, frozen_copy
from medloop.store.private import why_full, why_read_only
from medloop.store.schema import REVISIONS, bring_up_to_date, check_file, restore_advice, schema_revision

DATABASE_FILE = "medloop.sqlite"


def file_url(folder: Path) -> str:
    """The URL of a project's own SQLite file."""
    return f"sqlite:///{(folder / DATABASE_FILE).resolve()}"


def database_file(folder: Path, url: str | None) -> Path | None:
    """Where a project's SQLite file is; None on PostgreSQL."""
    if url is None:
        return folder / DATABASE_FILE
    parsed = parse_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def open_database(folder: Path, url: str | None) -> Database:
    """The database of a project, at the newest schema; by its settings' URL, or None for the file in the folder.

    Raises:
        NotFoundError: The file is missing.
        StorageError: The schema is newer than this medloop, or the disk or database refused.
        IntegrityError: The database is damaged or empty.
    """
    file = database_file(folder, url)
    if file is not None and not file.is_file():
        raise NotFoundError(f"The database {file} is missing", remedy=restore_advice(folder))
    read_only = why_read_only(folder, *((file,) if file is not None else ()))
    if file is not None and read_only:
        return _open_frozen(file, read_only, frozen(file))
    try:
        return _open_for_writing(folder, file, Database(url or file_url(folder), read_only=read_only))
    except StorageError:
        if file is None or not (full := why_full(folder)):
            raise
        return _open_frozen(file, full, frozen_copy(file))  # a copy: others may write again as soon as there is room


def _open_for_writing(folder: Path, file: Path | None, database: Database) -> Database:
    try:
        if file is not None:
            check_file(file)
        _require_project(database)
        bring_up_to_date(database, folder / "backups")
    except BaseException:
        database.close()
        raise
    return database


def _open_frozen(file: Path, read_only: str, source: Frozen) -> Database:
    """A SQLite database that cannot be written; one of an older schema is read from a copy."""
    try:
        check_file(file, uri=source.uri)
        database = Database(f"sqlite:///{file.resolve()}", read_only=read_only, frozen=source)
        _require_project(database)
        if schema_revision(database) not in REVISIONS[:-1]:
            bring_up_to_date(database, file.parent)  # nothing to do, or a refusal of what is newer
            return database
        database.close()
        source = frozen_copy(file)
        with closing(Database(f"sqlite:///{source.path}")) as copy:
            bring_up_to_date(copy, source.path.parent / "backups")
        return Database(f"sqlite:///{file.resolve()}", read_only=read_only, frozen=source)
    except BaseException:
        source.close()
        raise


def holds_no_project(folder: Path) -> bool:
    """Whether a folder's own database is one of medloop, sound, and without a project; the store is not opened for it."""
    try:
        with closing(sqlite3.connect(f"{(folder / DATABASE_FILE).resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) FROM projects").fetchone() == (0,))
    except sqlite3.Error:
        return False


def _require_project(database: Database) -> None:
    if schema_revision(database) is None:
        raise IntegrityError("The database holds no medloop project", remedy="restore a backup made with: medloop backup")
