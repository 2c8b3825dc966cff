"""The database's schema version: made new, brought up to date, or refused.

Migrations are Alembic scripts in `migrations/versions`, applied in one transaction: a failed one leaves
the database as it was. A SQLite file is copied to `backups/` before its schema changes; on PostgreSQL
the same transaction protects the tables, and regular dumps are the administrator's task. A new SQLite
file gets the statements that the migrations come to, which a process works out once.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text

from medloop.core.errors import IntegrityError, StorageError
from medloop.core.records import now
from medloop.store.database import Database, advised
from medloop.store.private import make_private
from medloop.store.states import refresh_all

MIGRATIONS = Path(__file__).parent / "migrations"

REVISIONS: tuple[str, ...] = (
    "0001", "0002", "0003", "0004", "0005", "0009", "0010", "0011", "0012", "0013", "0014", "0015", "0016", "0017", "0018",
    "0019", "0020", "0021", "0022", "0023", "0024", "0025", "0029", "0030",
)  # fmt: skip
"""Every schema this version of medloop can read or bring up to date, oldest first; a test keeps it true."""

QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""SQLite files up to this size are checked for damage when opened: about 0.2 s at most."""


def schema_revision(database: Database) -> str | None:
    """The revision a database is at; None when it holds no medloop tables.

    Raises:
        StorageError: It cannot be read.
    """
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def bring_up_to_date(database: Database, backups: Path, *, scripts: Path = MIGRATIONS, revisions: Sequence[str] = REVISIONS) -> Path | None:
    """Make the newest schema out of none or an older one, of which a SQLite file is copied to `backups` first; that copy.

    Raises:
        StorageError: The schema is newer than this medloop, or a migration failed; nothing was changed.
    """
    current = schema_revision(database)
    if current == revisions[-1]:
        return None
    if current is not None and current not in revisions:
        raise StorageError(
            f"The project was written by a newer medloop (schema {current}, this one knows up to {revisions[-1]})",
            remedy=f"install the newer medloop, or {restore_advice(backups.parent)}",
        )
    copy = back_up(database, backups, current) if current is not None and database.is_sqlite else None
    with database.writing() as connection:
        empty = current is None and not inspect(connection).has_table("alembic_version")  # another process may have been quicker
        if empty and database.is_sqlite and scripts == MIGRATIONS:
            for statement in _newest_schema():
                connection.exec_driver_sql(statement)
        else:
            _upgrade(connection, scripts)
        if current is not None and scripts == MIGRATIONS:
            refresh_all(connection)
    return copy


def check_file(path: Path, *, uri: str = "") -> None:
    """Refuse a damaged SQLite file of moderate size before anything is written to it; `uri` says how to open it, "" as usual.

    Raises:
        IntegrityError: Damaged.
        StorageError: It cannot be opened.
    """
    if path.stat().st_size > QUICK_CHECK_BYTES:
        return
    with advised(), closing(sqlite3.connect(uri or path, timeout=30, uri=bool(uri))) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise IntegrityError(f"The database {path} is damaged ({found})", remedy=restore_advice(path.parent))


def restore_advice(folder: Path) -> str:
    """Where a project's lost database can come from: a backup, and the copy that a change of the schema left, if there is one."""
    newest = max((folder / "backups").glob("medloop-*.sqlite"), key=lambda path: path.stat().st_mtime, default=None)
    left = f", or {newest}, its state before the schema was last changed" if newest is not None else ""
    return f"restore a backup made with: medloop backup{left}"


def back_up(database: Database, folder: Path, label: str) -> Path:
    """A consistent copy of a SQLite database, made while others may use it.

    Raises:
        StorageError: No room, or not allowed.
    """
    stamp = now().replace(":", "").replace(".", "")
    target = folder / f"medloop-{label}-{stamp}.sqlite"
    with advised():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(target)
        except OSError as error:
            raise StorageError(f"Cannot make {folder} ({error.strerror})", remedy="make the folder writable") from error
        with closing(sqlite3.connect(str(database.url.database))) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    return target


@cache
def _newest_schema() -> tuple[str, ...]:
    """What makes the newest schema in an empty SQLite file: every statement that the migrations leave in one, and their revision."""
    with create_engine("sqlite://").begin() as connection:
        _upgrade(connection, MIGRATIONS)
        made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
        row = "SELECT 'INSERT INTO alembic_version (version_num) VALUES (' || quote(version_num) || ')' FROM alembic_version"
        return tuple(str(sql) for query in (made, row) for (sql,) in connection.execute(text(query)))


def _upgrade(connection: Connection, scripts: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError(f"The migration could not start ({error})", remedy="install medloop again") from error
