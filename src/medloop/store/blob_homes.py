"""The blobs of a project, opened where its database says that they are."""

from pathlib import Path

from medloop.core.errors import ConflictError
from medloop.store.blob_cache import BlobCache
from medloop.store.blobs import Blobs
from medloop.store.database import Database
from medloop.store.homes import Home, Mark, claim_place, database_identity, project_digest, read_home, record_home, require_own_folder
from medloop.store.object_blobs import ObjectBlobs
from medloop.store.object_store import ObjectStore
from medloop.store.settings_file import SETTINGS_FILE, read_host_settings

CACHE = "cache"
"""The folder of copies of blobs that are kept elsewhere."""


def opened_blobs(folder: Path, database: Database) -> Blobs:
    """The blobs of a project where they are now.

    Raises:
        IntegrityError: What says where they are is damaged.
        StorageError: The disk or the database refused.
    """
    with database.reading() as connection:
        home = read_home(connection)
    return blobs_at(folder, database, home)


def blobs_at(folder: Path, database: Database, home: Home) -> Blobs:
    """The blobs of a project at some place, not looked at yet where that is a URL.

    Raises:
        SettingError: A URL that cannot keep anything.
        ConflictError: They were moved into a folder of another host.
        StorageError: The disk refused.
    """
    if not home.url:
        require_own_folder(folder, home)
        return Blobs(folder / "blobs", read_only=database.read_only)

    def owner() -> str:
        with database.reading() as connection:
            return database_identity(connection, database)

    limit = read_host_settings(folder).cache_bytes if (folder / SETTINGS_FILE).exists() else 0
    cache = BlobCache(None if database.read_only or not limit else folder / CACHE, limit)
    return ObjectBlobs(home, cache, read_only=database.read_only, owner=owner)


def claim_new_place(database: Database, home: Home) -> None:
    """Keep the blobs of a new project under a URL: its first event says so.

    Raises:
        ConflictError: The place holds the blobs of another project.
        StorageError: The database or the store refused, or cannot be reached.
    """
    with database.writing() as connection:
        record_home(connection, home, actor="system", verb="place")
        mark = Mark(home.place, project_digest(connection), database_identity(connection, database))
        if claim_place(ObjectStore(home.url), mark) != mark:
            raise ConflictError(f"{home.url} holds the blobs of another project", remedy="choose another bucket or prefix")
