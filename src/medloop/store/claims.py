"""One server per database: a copied folder still names the database of the first, and its blobs would go elsewhere.

Where the blobs are under a URL that all hosts reach, any number of servers and workers share a database, all of one version of medloop.

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
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from medloop import __version__
from medloop.core.errors import ConflictError, StorageError
from medloop.store.database import Database, advised

SERVER_LOCK = 0x6D6C736572766572
"""Key of PostgreSQL's advisory lock: "mlserver" in ASCII."""

LOOK_SECONDS = 5.0
"""Pause between two looks whether the session still lives."""

CLOSE_SECONDS = 2.0
"""Longest wait for a look that hangs, when the server stops."""

_LOG = logging.getLogger(__name__)
WORKER_LOCK = 0x6D6C776F726B6572
"""Key of the lock that workers of shared projects hold together: "mlworker" in ASCII."""

_HOLDER = text(
    "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32) + l.objid::bigint = :key"
)


@dataclass(frozen=True)
class Hold:
    """How a lock is held: its key, and whether with others."""

    key: int
    shared: bool


ALONE, SHARED_SERVERS, WORKERS = Hold(SERVER_LOCK, False), Hold(SERVER_LOCK, True), Hold(WORKER_LOCK, True)


class Claim(Protocol):
    """A database held for one server."""

    @property
    def lost(self) -> str:
        """Why it is no longer held, in words; "" while it is."""

    def close(self) -> None:
        """Let go."""


def claim_database(database: Database, folder: Path, *, shared: bool = False) -> Claim:
    """Hold a database for this server, alone or with others of its version.

    Raises:
        ConflictError: Another server holds it, or one of another version; the message says which.
        StorageError: The database refused.
    """
    if database.is_sqlite:
        return FileClaim(Path(str(database.url.database)))
    return SessionClaim(database, "" if shared else folder_identity(folder), SHARED_SERVERS if shared else ALONE)


def sign_on(database: Database) -> Claim | None:
    """Tell the other hosts that a worker is at work here; None on SQLite, which has no other hosts.

    Raises:
        ConflictError: There are servers or workers of another version.
        StorageError: The database refused.
    """
    return None if database.is_sqlite else SessionClaim(database, "", WORKERS)


def is_worked_on(database: Database) -> bool:
    """Whether a worker of any host is at work on a shared project.

    Raises:
        StorageError: The database refused.
    """
    if database.is_sqlite:
        return False
    with database.reading() as connection:
        return bool(_holders(connection, WORKER_LOCK))


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

    Args:
        database: On PostgreSQL.
        identity: Of the folder with the blobs; "" where all hosts reach them.
        hold: Which lock, and how.

    Raises:
        ConflictError: Another server holds it, or one of another version shares it.
        StorageError: The database refused.
    """

    def __init__(self, database: Database, identity: str, hold: Hold = ALONE) -> None:
        name = f"medloop process {os.getpid()} on {host_name()} {f'#{identity}' if identity else f'@{__version__}'}"
        self._hold = hold
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
                taking = "pg_try_advisory_lock_shared" if self._hold.shared else "pg_try_advisory_lock"
                if not session.execute(text(f"SELECT {taking}(:key)"), {"key": self._hold.key}).scalar_one():
                    raise _held(_holder(session))
                if self._hold.shared:
                    _require_one_version(session)
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


def require_fellow(database: Database, folder: Path, *, shared: bool) -> None:
    """Refuse to work on a database that a server of another folder holds; where all hosts reach the blobs, one of another version.

    Raises:
        ConflictError: There is one.
        StorageError: The database refused.
    """
    if database.is_sqlite:
        return
    with database.reading() as connection:
        if shared:
            _require_one_version(connection)
            return
        holder = _holder(connection)
    who, _, identity = holder.partition(" #")
    if identity not in ("", folder_identity(folder)):
        rule = f"The database of {folder} is served from another folder by {who}: this one is a copy"
        raise ConflictError(rule, remedy="work there, or give the copy a database of its own (see medloop backup)")


def folder_identity(folder: Path) -> str:
    """Tells a folder from its copy."""
    found = (folder / "blobs").stat()
    return f"{found.st_ino:x}"[-16:]


def host_name() -> str:
    """This host's name, as short as PostgreSQL needs it: it keeps 63 bytes of a session's name."""
    return socket.gethostname().encode("ascii", "replace").decode()[:24]


def _holder(connection: Connection) -> str:
    return next(iter(_holders(connection, SERVER_LOCK)), "")


def _holders(connection: Connection, key: int) -> list[str]:
    """The names of the sessions that hold a lock."""
    rows = connection.execute(_HOLDER, {"key": key}).all()
    return [str(row.application_name or f"session {row.pid}") for row in rows]


def _require_one_version(connection: Connection) -> None:
    for holder in (*_holders(connection, SERVER_LOCK), *_holders(connection, WORKER_LOCK)):
        who, sign, version = holder.rpartition(" @")
        if sign and version != __version__:
            rule = f"The {who} runs medloop {version} on this project, this is {__version__}"
            raise ConflictError(rule, remedy="stop all servers and workers, install the same version everywhere, start them again")


def _held(holder: str) -> ConflictError:
    who = holder.partition(" #")[0].partition(" @")[0].removeprefix("medloop ") or "unknown"
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
