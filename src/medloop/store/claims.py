"""One server per database: a copied folder still names the database of the first, and its blobs would go elsewhere.

A claim is held in the database itself. PostgreSQL: an advisory lock of a session that stays open; the session's name says
who holds it, and the server ends it with its client, however that ends (TCP keepalives find a machine that is gone). A
holder whose session was cut off (PostgreSQL was restarted) takes the lock again, or learns that another was faster.
SQLite: a lock on a file beside the database, wherever the settings say that this is.

Workers and commands do not claim. They are refused while a server of another folder holds the database: what they store
would be missing there. Folders are told apart by the number of their `blobs` on its disk, which a shared disk keeps.
"""

import fcntl
import logging
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from medloop.core.errors import ConflictError, StorageError
from medloop.store.database import Database, advised

SERVER_LOCK = 0x6D6C736572766572
"""Key of PostgreSQL's advisory lock: "mlserver" in ASCII."""

LOOK_SECONDS = 5.0
"""Pause between two looks whether the session still lives."""

CLOSE_SECONDS = 2.0
"""Longest wait for a look that hangs, when the server stops."""

_LOG = logging.getLogger(__name__)
_HOLDER = text(
    "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32) + l.objid::bigint = :key"
)


class Claim(Protocol):
    """A database held for one server."""

    @property
    def lost(self) -> str:
        """Why it is no longer held, in words; "" while it is."""

    def close(self) -> None:
        """Let go."""


def claim_database(database: Database, folder: Path) -> Claim:
    """Hold a database for this server.

    Raises:
        ConflictError: Another server holds it; the message says which.
        StorageError: The database refused.
    """
    if database.is_sqlite:
        return FileClaim(Path(str(database.url.database)))
    return SessionClaim(database, folder)


class FileClaim:
    """A lock on a file beside a SQLite database, held from construction until `close`.

    Raises:
        ConflictError: Another server holds it.
    """

    lost = ""

    def __init__(self, file: Path) -> None:
        self._file = opened_lock(file.with_name(f"{file.name}-server.lock"))
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read(200).strip() or "unknown"
            self._file.close()
            raise _held(holder) from error
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def close(self) -> None:
        """Let go; closing twice is harmless."""
        self._file.close()


class SessionClaim:
    """An advisory lock of a session of its own, held from construction until `close`.

    Raises:
        ConflictError: Another server holds it.
        StorageError: The database refused.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        host = socket.gethostname().encode("ascii", "replace").decode()[:24]  # PostgreSQL keeps 63 bytes of a session's name
        name = f"medloop process {os.getpid()} on {host} #{folder_identity(folder)}"
        options = {"application_name": name, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
        self._engine: Engine = create_engine(database.url, isolation_level="AUTOCOMMIT", connect_args=options, pool_size=1, max_overflow=0)
        self.lost = ""
        self._ended = threading.Event()
        try:
            self._session = self._taken()
        except BaseException:
            self._engine.dispose()
            raise
        self._thread = threading.Thread(target=self._watch, name="claim", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go; closing twice is harmless."""
        self._ended.set()
        self._thread.join(timeout=CLOSE_SECONDS)
        with suppress(SQLAlchemyError):
            self._session.close()
        self._engine.dispose()

    def _taken(self) -> Connection:
        with advised():
            session = self._engine.connect()
            try:
                session.execute(text("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"))
                if not session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": SERVER_LOCK}).scalar_one():
                    raise _held(_holder(session))
            except BaseException:
                session.close()
                raise
            return session

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._session.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self._again()

    def _again(self) -> None:
        """Take the lock anew after the session was cut off; until that succeeds others may."""
        with suppress(SQLAlchemyError):
            self._session.invalidate()
            self._session.close()
        try:
            self._session = self._taken()
        except ConflictError as error:
            self.lost = str(error)
            _LOG.error("This server stops responding for its project: %s", error)
            self._ended.set()
        except (OSError, SQLAlchemyError):
            return  # PostgreSQL is still down: look again


def require_same_folder(database: Database, folder: Path) -> None:
    """Refuse to work on a database that a server of another folder holds.

    Raises:
        ConflictError: There is one.
        StorageError: The database refused.
    """
    if database.is_sqlite:
        return
    with database.reading() as connection:
        holder = _holder(connection)
    who, _, identity = holder.partition(" #")
    if identity not in ("", folder_identity(folder)):
        rule = f"The database of {folder} is served from another folder by {who}: this one is a copy"
        raise ConflictError(rule, remedy="work there, or give the copy a database of its own (see medloop backup)")


def folder_identity(folder: Path) -> str:
    """Tells a folder from its copy."""
    found = (folder / "blobs").stat()
    return f"{found.st_ino:x}"[-16:]


def _holder(connection: Connection) -> str:
    row = connection.execute(_HOLDER, {"key": SERVER_LOCK}).first()
    return "" if row is None else str(row.application_name or f"session {row.pid}")


def _held(holder: str) -> ConflictError:
    who = holder.partition(" #")[0].removeprefix("medloop ") or "unknown"
    return ConflictError(f"Another medloop server ({who}) already serves this project's database", remedy="use that one, or stop it first")


def opened_lock(path: Path) -> IO[str]:
    """A file to lock, made if missing, readable by its owner only.

    Raises:
        StorageError: The folder cannot be written.
    """
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC, 0o600), "a+", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path.parent} must be writable, got: {error.strerror}", remedy="check its permissions") from error
