"""Where a project's blobs are: in its folder, or under a URL that several hosts reach. The database says so, for all of them.

An event of the audit names the place, so that it cannot be changed unseen. Every writing transaction looks whether it is still the one
that its process opened, by the number of these events: what was stored in the old place is never referred to after a move.

A place under a URL has a mark, `medloop-blobs.json`: of which project it is, and of which database. A copy of a project (a restored
dump) may read and add there, but never remove anything: the original may need it.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from medloop.core.errors import ConflictError, IntegrityError, StorageError
from medloop.store.database import Database
from medloop.store.events import append_event
from medloop.store.object_store import ObjectStore, checked_url
from medloop.store.private import make_private
from medloop.store.tables import events

NOUN, NOUN_ID = "blobs", "home"
"""The events that say where blobs are."""

MARK = "medloop-blobs.json"
FORMAT = 1

_OURS = (events.c.noun == NOUN, events.c.noun_id == NOUN_ID)


@dataclass(frozen=True)
class Places:
    """Where a new project's rows and blobs go: a PostgreSQL URL and a URL of fsspec; "" for its folder."""

    database: str = ""
    blobs: str = ""


@dataclass(frozen=True)
class Home:
    """Where blobs are: the URL, "" for the project's folder, and the name of the place that its mark must have."""

    url: str = ""
    place: str = ""


@dataclass(frozen=True)
class Mark:
    """Whose blobs a place holds: its own name, the project (the digest of its first event), and the database that may remove them."""

    place: str
    project: str
    owner: str


def read_home(connection: Connection) -> Home:
    """Where the blobs are now."""
    row = connection.execute(select(events.c.body).where(*_OURS).order_by(events.c.seq.desc()).limit(1)).first()
    if row is None:
        return Home()
    body = row.body if isinstance(row.body, dict) else {}
    if not isinstance(body.get("url"), str) or not isinstance(body.get("place"), str):
        raise IntegrityError("The event that says where the blobs are is damaged", remedy="medloop audit DIR verify")
    return Home(body["url"], body["place"])


def record_home(connection: Connection, home: Home, *, actor: str, verb: str = "move") -> None:
    """Say where the blobs are from now on, in a writing transaction."""
    append_event(connection, actor=actor, verb=verb, noun=NOUN, noun_id=NOUN_ID, body=asdict(home))


def new_home(url: str) -> Home:
    """A place of that URL with a name that no other has; the project's folder for "".

    Raises:
        SettingError: The URL cannot keep anything.
    """
    return Home(checked_url(url), secrets.token_hex(16)) if url else Home()


def project_digest(connection: Connection) -> str:
    """What tells a project from all others, and is the same in its copies: the digest of its first event."""
    return str(connection.execute(select(events.c.digest).where(events.c.seq == 1)).scalar() or "")


def database_identity(connection: Connection, database: Database) -> str:
    """Tells a database from its copy: PostgreSQL's system and number of the database, or the number of a SQLite file on its disk."""
    if database.is_sqlite:
        return f"sqlite-{Path(str(database.url.database)).stat().st_ino:x}"
    system = "unknown"
    if connection.execute(text("SELECT has_function_privilege('pg_control_system()', 'execute')")).scalar():
        system = str(connection.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar())
    number = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar()
    return f"postgresql-{system}-{number}"


def read_mark(store: ObjectStore) -> Mark | None:
    """The mark of a place; None where there is none.

    Raises:
        IntegrityError: It is damaged.
        StorageError: The store refused, or cannot be reached.
    """
    try:
        found = json.loads(store.read(MARK))
        written = int(found["format"])
        mark = Mark(str(found["place"]), str(found["project"]), str(found["owner"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise IntegrityError(f"{store.url}/{MARK} is damaged", remedy="medloop move-blobs DIR URL to another place") from None
    if written > FORMAT:
        raise StorageError(f"{store.url} was written by a newer medloop", remedy="install the newer medloop")
    return mark


def write_mark(store: ObjectStore, mark: Mark) -> None:
    """Write the mark of a place anew.

    Raises:
        StorageError: The store refused, or cannot be reached.
    """
    store.write(MARK, _written(mark))


def claim_place(store: ObjectStore, mark: Mark) -> Mark:
    """Mark a place as a project's; the mark that it has now, which is an earlier one of the same project if there was one.

    Raises:
        ConflictError: It holds the blobs of another project.
        StorageError: The store refused, or cannot be reached.
    """
    if store.create(MARK, _written(mark)):
        return mark
    found = read_mark(store)
    if found is None or found.project != mark.project:
        raise ConflictError(f"{store.url} holds the blobs of another project", remedy="choose another bucket or prefix")
    return found


def marked_folder(folder: Path) -> Home:
    """The folder `blobs` of a project's folder as a place of its own, marked anew, so that no other host takes its own folder for it.

    Raises:
        StorageError: The disk refused.
    """
    home = Home("", secrets.token_hex(16))
    try:
        (folder / "blobs").mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(folder / "blobs" / MARK)
        (folder / "blobs" / MARK).write_text(json.dumps({"format": FORMAT, "place": home.place}) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"Cannot write {folder / 'blobs' / MARK} ({error.strerror})", remedy="free some space and repeat") from error
    return home


def require_own_folder(folder: Path, home: Home) -> None:
    """Refuse a folder of a host that does not have the blobs, where they were moved into a folder.

    Raises:
        ConflictError: They are in another one.
    """
    if not home.place:
        return
    try:
        place = json.loads((folder / "blobs" / MARK).read_text(encoding="utf-8"))["place"]
    except (OSError, ValueError, KeyError, TypeError):
        place = ""
    if place != home.place:
        rule = f"The blobs of this project were moved into a folder of another host, {folder} does not have them"
        raise ConflictError(rule, remedy="work there, or move them back: medloop move-blobs DIR s3://bucket/prefix")


def fence_of(database: Database) -> Callable[[Connection], None]:
    """What refuses a writing transaction once the blobs were moved, or the schema changed, since this process opened the project.

    Raises:
        StorageError: The database refused.
    """
    look = select(
        select(func.count()).select_from(events).where(*_OURS).scalar_subquery(),
        text("(SELECT version_num FROM alembic_version)"),
    )
    with database.reading() as connection:
        moves, schema = connection.execute(look).one()

    def fence(connection: Connection) -> None:
        now, newest = connection.execute(look).one()
        if newest != schema:
            rule = f"Another program brought this project to schema {newest}, this one works by {schema}"
            raise ConflictError(rule, remedy="install the same medloop everywhere, and start this one again")
        if now != moves:
            raise ConflictError("The blobs of this project were moved while this program had it open", remedy="start it again")

    return fence


def _written(mark: Mark) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(mark)}, indent=1).encode()
