"""One database behind a URL: connections, transactions, and errors that say what to do.

Transactions: a reading one sees one state from its first statement to its end. Writing ones exclude each
other, across threads and processes. SQLite: WAL, `synchronous=FULL`, `BEGIN IMMEDIATE` with a busy
timeout; threads of one process queue in arrival order before that, because SQLite's own waiting is
unfair. PostgreSQL: an advisory transaction lock, taken first. Commit returns after the bytes are on disk.
"""

import json
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, QueuePool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import IntegrityError as ConstraintError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.util import LRUCache

from medloop.core.errors import ConflictError, InputError, IntegrityError, MedloopError, SettingError, StateError, StorageError
from medloop.store.events import canonical
from medloop.store.frozen import Frozen

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up with advice."""

STATEMENTS = 1000
"""So many compiled statements are kept; a project needs some three hundred, whatever its size."""

CHAIN_LOCK = 0x6D65646C6F6F70
"""Key of PostgreSQL's advisory lock: "medloop" in ASCII."""

_WRITES = "medloop_writes"
_WRITE_IT = "write it as postgresql://user:password@host/database, with @ : / ? # and % in a password percent-encoded"
_HOST = re.compile(r"[A-Za-z0-9._:-]*")
_OTHER_KINDS = frozenset({"mysql", "mariadb", "oracle", "mssql", "postgresql", "sqlite"})

NAMED_BY_AUDIT = "medloop audit DIR verify names the row; restore the project from a backup"
COPY_IT = "copy the project to where it can be written, and open the copy"

_ADVICE: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("disk is full", "no space left", "could not extend file", "disk i/o error"),
        "The disk is full or failing",
        "free some space and repeat",
    ),
    (("readonly", "read-only", "read only"), "The database is read only", "make the folder and its files writable for this user"),
    (
        ("locked", "lock timeout", "lock_not_available", "busy"),
        f"The database stayed locked for {BUSY_SECONDS} s",
        "find the program that holds it, end it, and repeat",
    ),
    (
        ("unable to open", "permission denied"),
        "The database cannot be opened",
        "check that the folder exists and that this user may write in it",
    ),
    (
        ("connection", "server closed", "terminating", "starting up", "shutting down", "could not translate", "password", "timeout"),
        "The database server does not respond",
        "check that it runs and that the URL in medloop.json is right",
    ),
)


class Turns:
    """A lock that serves threads in the order they came, and refuses a thread that holds it already."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._owner: int | None = None

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        return max(0, len(self._waiting) - 1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the own turn and hold it.

        Raises:
            StateError: When this thread holds it: a write inside a write would wait for itself.
        """
        me = threading.get_ident()
        if self._owner == me:
            raise StateError("A write transaction is already open in this thread", remedy="use the open one, or end it first")
        mine = threading.Event()
        with self._guard:
            self._waiting.append(mine)
            if self._waiting[0] is mine:
                mine.set()
        try:
            mine.wait()
            self._owner = me
            yield
        finally:
            with self._guard:
                if self._owner == me:
                    self._owner = None
                self._waiting.remove(mine)
                if self._waiting:
                    self._waiting[0].set()


class Database:
    """An engine and its two kinds of transaction.

    Args:
        url: `sqlite:///path` or a PostgreSQL URL.
        read_only: Why nothing may be written, in words; "" for the usual case.
        frozen: How to read a SQLite file that cannot be written.

    Attributes:
        fence: Looks at each writing transaction as it begins, and refuses it where this process must not write any more.

    Raises:
        SettingError: A URL of another database.
    """

    def __init__(self, url: str, *, read_only: str = "", frozen: Frozen | None = None) -> None:
        self.url = parse_url(url)
        self.read_only = read_only
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.fence: Callable[[Connection], None] = lambda _connection: None
        self._frozen = frozen
        if frozen is not None:
            self.engine = _frozen_engine(frozen.uri)
        else:
            self.engine = _sqlite_engine(self.url) if self.is_sqlite else _engine(self.url, pool_pre_ping=True)
        self._turns = Turns()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and cannot write.

        Raises:
            StorageError: The database refused.
        """
        options: dict[str, Any] = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with advised(), self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, *, chained: bool = True) -> Iterator[Connection]:
        """A transaction that commits at its end and rolls back on an exception; not chained, it appends no event and needs no lock.

        Raises:
            StorageError: The database refused; nothing was changed.
            StateError: This thread has a writing transaction open.
            ConflictError: The fence refused.
        """
        if self.read_only:
            raise StorageError(f"Nothing can be changed: {self.read_only}", remedy=COPY_IT)
        with self._turns.turn(), advised(), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                if not self.is_sqlite and chained:
                    connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})
                self.fence(connection)
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        if self._frozen is not None:
            self._frozen.close()


@contextmanager
def advised() -> Iterator[None]:
    """Turn the driver's errors into medloop's, with a remedy.

    Raises:
        StorageError: Full, read only, locked, unreachable.
        IntegrityError: The database file is damaged.
        ConflictError: A row of that id or name exists.
        InputError: A row refers to one that does not exist.
    """
    try:
        yield
    except MedloopError:
        raise
    except PoolTimeoutError as error:
        raise StorageError("Too many requests use the database at once", remedy="wait a moment and repeat") from error
    except ConstraintError as error:
        raise _constraint(error) from error
    except (DBAPIError, sqlite3.Error) as error:
        raise _advice(_first_failure(error)) from error
    except SQLAlchemyError as error:
        raise StorageError(f"The database failed: {first_line(error)}") from error


def parse_url(url: str) -> URL:
    """A database URL with the driver medloop uses.

    What is refused is never repeated, here or in a traceback: a malformed URL may hold its password anywhere.

    Raises:
        SettingError: Not a URL, or neither SQLite nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _no_url() from None
    if parsed.get_backend_name() != "sqlite" and not _HOST.fullmatch(parsed.host or ""):
        raise _no_url()
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return parsed
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    name = parsed.get_backend_name()
    got = f", got {name}" if name in _OTHER_KINDS else ""
    raise SettingError(f"The database must be SQLite or PostgreSQL{got}", remedy=_WRITE_IT)


def _no_url() -> SettingError:
    return SettingError("This is not a database URL (it is not shown: it may hold a password)", remedy=_WRITE_IT)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise IntegrityError(f"A row of the database is damaged: it holds no JSON ({error})", remedy=NAMED_BY_AUDIT) from error


def _sqlite_engine(url: URL) -> Engine:
    engine = _engine(url, json_deserializer=_from_json, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}")
    return _beginning(engine, pragmas, writing="BEGIN IMMEDIATE")


def _frozen_engine(uri: str) -> Engine:
    connect = partial(sqlite3.connect, uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
    engine = _engine("sqlite://", json_deserializer=_from_json, creator=connect, poolclass=QueuePool)
    return _beginning(engine, ("query_only=ON",), writing="BEGIN")


@cache
def _sqlite_compiler() -> tuple[Dialect, LRUCache[Any, Any]]:
    """What compiles the statements for every SQLite file that this process opens, and those compiled: running them takes less time."""
    engine = _engine("sqlite://", json_deserializer=_from_json, poolclass=QueuePool)
    with engine.connect():
        pass  # it learns what this SQLite can do
    engine.dispose()
    return engine.dialect, LRUCache(STATEMENTS)


def _engine(url: URL | str, **given: Any) -> Engine:
    options = {"json_serializer": lambda value: canonical(value).decode("ascii"), "pool_size": 8, "max_overflow": 24}
    return create_engine(url, pool_timeout=BUSY_SECONDS, **options, **given)


def _beginning(engine: Engine, pragmas: Sequence[str], *, writing: str) -> Engine:
    """SQLite's engine, whose transactions begin as SQLAlchemy's do."""
    engine.dialect, compiled = _sqlite_compiler()
    engine.update_execution_options(compiled_cache=compiled)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" below decides how a transaction starts
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(writing if connection.get_execution_options().get(_WRITES, False) else "BEGIN")

    return engine


def _first_failure(error: BaseException) -> BaseException:
    """The database's own error behind one of undoing: a full disk ends SQLite's transaction and its savepoints."""
    while "no such savepoint" in str(error) and error.__context__ is not None:
        error = error.__context__
    return error


def first_line(error: BaseException) -> str:
    """What the driver says, without the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    line = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return line.partition(" with text ")[0]  # SQLite would quote what it could not decode


def _constraint(error: ConstraintError) -> MedloopError:
    line = first_line(error)
    if "foreign key" in line.lower():
        return InputError(f"A record refers to one that does not exist ({line})", remedy="add that one first")
    if "immutable" in line:
        return StateError(line, remedy="add a new record that supersedes it")
    return ConflictError(f"A record of that id or name exists already ({line})")


def _advice(error: BaseException) -> MedloopError:
    line = first_line(error)
    lowered = line.lower()
    if "immutable" in lowered:
        return StateError(line, remedy="add a new record that supersedes it")
    if "could not decode" in lowered:
        return IntegrityError(f"A row of the database is damaged ({line})", remedy=NAMED_BY_AUDIT)
    if "malformed" in lowered or "not a database" in lowered:
        return IntegrityError(f"The database is damaged ({line})", remedy="stop medloop and restore a backup made with: medloop backup")
    for words, message, remedy in _ADVICE:
        if any(word in lowered for word in words):
            return StorageError(f"{message} ({line})", remedy=remedy)
    return StorageError(f"The database failed ({line})")
