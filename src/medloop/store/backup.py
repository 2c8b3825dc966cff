"""A copy of a project that can be opened, made while people and workers go on.

    1. the database as it is at one moment (SQLite's online backup, or pg_dump)
    2. every blob that the copy refers to, compared with its name on the way

In this order nothing can be missing: a blob is stored before the row that names it, and is never changed or removed.
The copy appears under its name when it is complete. On SQLite it is a project: open it where it is, or copy it back. On
PostgreSQL it holds a dump beside the blobs; RESTORE.txt in it says how both become a project again.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import URL

from medloop.core.errors import BlobError, ConflictError, StorageError, UnavailableError
from medloop.store.blobs import Blobs
from medloop.store.database import Database, advised
from medloop.store.homes import MARK, marked_folder, record_home
from medloop.store.opening import DATABASE_FILE
from medloop.store.private import KEY_FILE, LINKS_FILE, make_private
from medloop.store.references import references
from medloop.store.settings_file import HostSettings, write_host_settings
from medloop.store.store import Store

DUMP_FILE = "medloop.dump"
RESTORE_FILE = "RESTORE.txt"
Report: TypeAlias = Callable[[float, str], None]

RESTORE = """This is a backup of a medloop project whose rows are in PostgreSQL.

1. createdb NEW_DATABASE
2. pg_restore --no-owner --dbname NEW_DATABASE medloop.dump
3. copy this folder to where the project shall be
4. write in the copy a file medloop.json with the content
   {"format": 1, "url": "postgresql://USER:PASSWORD@HOST/NEW_DATABASE"}
   and: chmod 600 medloop.json
5. medloop audit FOLDER verify
"""

RESTORE_SHARED = """This is a backup of a medloop project whose rows are in PostgreSQL. Its blobs were under a URL; copies are here.

1. createdb NEW_DATABASE
2. pg_restore --no-owner --dbname NEW_DATABASE medloop.dump
3. copy this folder to where the project shall be
4. medloop join FOLDER --database postgresql://USER:PASSWORD@HOST/NEW_DATABASE
5. medloop move-blobs FOLDER folder     (or a new URL: until then it reads the blobs of the original, and removes none)
6. medloop audit FOLDER verify
"""


@dataclass(frozen=True)
class BackupReport:
    """What was copied where: blobs, their bytes, and in words what is damaged or gone in the project and not in the backup."""

    folder: Path
    blobs: int
    size: int
    missing: tuple[str, ...]


def back_up_project(store: Store, out: Path, *, report: Report | None = None) -> BackupReport:
    """Copy a project to a folder that is absent or empty; the report is told the share done and what is copied.

    Raises:
        ConflictError: The folder is not empty, or lies in the project.
        StorageError: The disk refused; nothing is left behind.
        UnavailableError: pg_dump is not installed, or refuses this server.
    """
    out = out.resolve()
    _require_free(store, out)
    draft = out.with_name(f".{out.name}.{os.getpid()}.partial")
    with advised():
        try:
            draft.mkdir(mode=0o700, parents=True)
            done = _fill(store, draft, out, report)
            if out.exists():
                out.rmdir()
            draft.replace(out)
        except BaseException as error:
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise StorageError(
                    f"The backup {out} cannot be written ({error.strerror})", remedy="free space or choose another folder"
                ) from error
            raise
    return done


def _require_free(store: Store, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConflictError(f"{out} is not an empty folder", remedy="choose a new one")
    if out.resolve().is_relative_to(store.folder.resolve()):
        raise ConflictError(f"{out} lies in the project itself", remedy="choose a folder on another disk")


def _fill(store: Store, draft: Path, out: Path, report: Report | None) -> BackupReport:
    if store.database.is_sqlite:
        needed = _copy_sqlite(store, draft)
        write_host_settings(draft, HostSettings(None))
    else:
        _dump(store.database.url, draft / DUMP_FILE)
        (draft / RESTORE_FILE).write_text(RESTORE_SHARED if store.blobs.shared else RESTORE, encoding="utf-8")
        needed = _needed(store.database)
    for name in (KEY_FILE, LINKS_FILE):
        _copy_secret(store.folder / name, draft / name)
    target, size, missing = Blobs(draft / "blobs"), 0, []
    if (mark := store.folder / "blobs" / MARK).exists() and not store.blobs.shared:
        _copy_secret(mark, draft / "blobs" / MARK)
    for number, blob in enumerate(needed):
        if report is not None:
            report(number / len(needed), blob[:12])
        try:
            data = store.blobs.fetch(blob)
        except BlobError as error:
            missing.append(error.message)
        else:
            target.put(data)
            size += len(data)
    return BackupReport(out, len(needed) - len(missing), size, tuple(missing))


def _copy_secret(file: Path, copy: Path) -> None:
    """The secret of pseudonyms, and the way back to archives, go along where there are any.

    Without the first no new image is known to be of a known patient, without the second nothing can be pushed.
    """
    if file.exists():
        make_private(copy)
        copy.write_bytes(file.read_bytes())


def _needed(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted({reference.blob for reference in references(connection)})


def _copy_sqlite(store: Store, draft: Path) -> list[str]:
    """Copy the database; the blobs that the copy refers to."""
    file = draft / DATABASE_FILE
    make_private(file)
    with store.database.reading() as connection, closing(sqlite3.connect(file)) as copy:
        held = connection.connection.driver_connection
        if not isinstance(held, sqlite3.Connection):
            raise StorageError("The database gave no connection to copy from")
        held.backup(copy)
    with closing(Database(f"sqlite:///{file.resolve()}")) as copied:
        if store.blobs.shared:  # the copy's are in its folder, and it must never remove those of the original
            with copied.writing() as connection:
                record_home(connection, marked_folder(draft), actor="system", verb="back-up")
        return _needed(copied)


def _dump(url: URL, file: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise UnavailableError("A backup of a project in PostgreSQL needs pg_dump", remedy="install PostgreSQL's client programs")
    make_private(file)
    target, environment = _libpq(url)
    command = [program, "--format=custom", "--no-owner", f"--file={file}", f"--dbname={target}"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        line = (done.stderr.strip().splitlines() or ["it gave no reason"])[0]
        raise UnavailableError(f"pg_dump failed: {line}", remedy="install client programs as new as the server")


def _libpq(url: URL) -> tuple[str, dict[str, str]]:
    """A URL for PostgreSQL's programs without its password, which the list of processes would show."""
    password = url.password
    bare = URL.create(
        "postgresql", username=url.username, host=url.host, port=url.port, database=url.database, query=url.query
    ).render_as_string(hide_password=False)
    return bare, {} if password is None else {"PGPASSWORD": str(password)}
