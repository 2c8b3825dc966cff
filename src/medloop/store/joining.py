"""A second host's folder of a project whose rows are in PostgreSQL and whose blobs every host reaches."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from medloop import __version__
from medloop.core.errors import BlobError, ConflictError, NotFoundError, SettingError, StorageError
from medloop.store.blob_cache import USUAL_BYTES
from medloop.store.blob_homes import blobs_at
from medloop.store.blobs import Blobs
from medloop.store.claims import require_fellow
from medloop.store.database import Database, parse_url
from medloop.store.homes import Home, read_home
from medloop.store.private import KEY_FILE
from medloop.store.references import references
from medloop.store.schema import REVISIONS, schema_revision
from medloop.store.settings_file import SETTINGS_FILE, HostSettings, write_host_settings
from medloop.store.tables import cases, events, projects

GB = 10**9


@dataclass(frozen=True)
class Joined:
    """A project that this host can work on now: its name, where its blobs are, and in words what this host still lacks."""

    name: str
    blobs: str
    lacking: tuple[str, ...]


def join(folder: Path, url: str, *, cache_gb: float = USUAL_BYTES / GB) -> Joined:
    """Make a folder of this host through which it works on a project of others; a restored copy's folder may hold the blobs itself.

    Raises:
        ConflictError: The folder is a project's already; or the blobs are in a folder of another host.
        NotFoundError: The database holds no project.
        SettingError: Not a PostgreSQL URL, or no size of a cache.
        StorageError: Another version of medloop made the schema, or the database or the blobs cannot be reached.
    """
    if (folder / SETTINGS_FILE).exists():
        raise ConflictError(f"{folder} already holds a medloop project", remedy="choose another folder")
    if parse_url(url).get_backend_name() == "sqlite":
        raise SettingError(
            "A project is shared through PostgreSQL, this is a SQLite file", remedy="see docs/deployment.md: several machines"
        )
    if not 0 <= cache_gb < 10**6:
        raise SettingError(f"A cache has 0 to 1,000,000 GB, got {cache_gb:g}", remedy="give --cache-gb a size that fits the disk")
    with closing(Database(url)) as database:
        _require_schema(database)
        with database.reading() as connection:
            name = connection.execute(select(projects.c.name)).scalar()
            home = read_home(connection)
            keyed = any((source or {}).get("dicom", {}).get("key") for (source,) in connection.execute(select(cases.c.source)))
            keyed = keyed or connection.execute(select(events.c.seq).where(events.c.noun == "pseudonyms").limit(1)).first() is not None
            here = (folder / "blobs").is_dir()
            needed = {reference.blob for reference in references(connection)} if here or not home.url else set()
        if name is None:
            raise NotFoundError("The database holds no project", remedy="make one with: medloop init DIR --database URL --blobs URL")
        _require_blobs(folder, database, home, needed)
        require_fellow(database, folder, shared=bool(home.url))
    _write(folder, HostSettings(url, round(cache_gb * GB), shared=bool(home.url)))
    lacks = keyed and not (folder / KEY_FILE).exists()
    told = (f"{KEY_FILE}: copy it from a host that imported DICOM, or import there only",) if lacks else ()
    return Joined(str(name), home.url or "folder", told)


def _require_schema(database: Database) -> None:
    found = schema_revision(database)
    if found is None:
        raise NotFoundError("The database holds no medloop project", remedy="make one with: medloop init DIR --database URL --blobs URL")
    if found != REVISIONS[-1]:
        rule = f"Another version of medloop made this project's schema ({found}; medloop {__version__} works by {REVISIONS[-1]})"
        raise StorageError(rule, remedy="install the same version on every host")


def _require_blobs(folder: Path, database: Database, home: Home, needed: set[str]) -> None:
    """Refuse where this host cannot have the blobs: a backup's folder holds them all, whatever became of the place that they came from."""
    if not home.url:
        if not _holds_all(folder / "blobs", needed):
            rule = "The blobs of this project are in a folder of another host"
            raise ConflictError(rule, remedy="there, first: medloop move-blobs DIR s3://bucket/prefix")
        return
    try:
        blobs_at(folder, database, home).reach()
    except StorageError:
        if not _holds_all(folder / "blobs", needed):
            raise


def _holds_all(folder: Path, needed: set[str]) -> bool:
    """Whether a folder is there and holds these blobs, all of them sound."""
    if not folder.is_dir():
        return False
    kept = Blobs(folder)
    try:
        return all(kept.check(name) >= 0 for name in needed)
    except BlobError:
        return False


def _write(folder: Path, settings: HostSettings) -> None:
    try:
        for made in (folder, folder / "work"):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.chmod(0o700)
    except OSError as error:
        raise StorageError(f"Cannot make the folder {folder} ({error.strerror})", remedy="choose another folder") from error
    write_host_settings(folder, settings)
