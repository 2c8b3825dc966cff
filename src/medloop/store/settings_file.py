"""`medloop.json`: by which a folder is a project's, with what this host alone knows of it: the database's URL, and how much it may keep.

Where the blobs are stands in the database, for all hosts. Format 2 says that they may be elsewhere, so that a medloop that does not
know of that refuses the folder instead of storing them in it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import FormatError, NotFoundError, StorageError
from medloop.store.blob_cache import USUAL_BYTES

SETTINGS_FILE = "medloop.json"
FORMAT = 2
ALL_HERE = 1
"""The format of a folder whose blobs are in it."""


@dataclass(frozen=True)
class HostSettings:
    """What stands in a folder's `medloop.json`.

    Attributes:
        url: The database's URL; None for the SQLite file in the folder.
        cache_bytes: How many bytes of blobs kept elsewhere this host may keep a copy of.
        shared: Whether blobs may be elsewhere.
    """

    url: str | None
    cache_bytes: int = USUAL_BYTES
    shared: bool = False


def write_host_settings(folder: Path, settings: HostSettings) -> None:
    """Write a folder's `medloop.json`; only this user may read it: a database URL may hold a password.

    Raises:
        StorageError: The disk refused.
    """
    path, content = folder / SETTINGS_FILE, {"format": FORMAT if settings.shared else ALL_HERE, "url": settings.url}
    if settings.shared:
        content["cache_bytes"] = settings.cache_bytes
    try:
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path} ({error.strerror})", remedy="free some space or choose another folder") from error


def read_host_settings(folder: Path) -> HostSettings:
    """What a folder's `medloop.json` says.

    Raises:
        NotFoundError: There is none.
        StorageError: It cannot be read, or was written by a newer medloop.
        FormatError: It is damaged.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise NotFoundError(f"{folder} holds no medloop project", remedy="make one with: medloop init")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        written, url, kept = settings["format"], settings["url"], settings.get("cache_bytes", USUAL_BYTES)
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror})", remedy="make it readable for this user") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(path) from None  # what stands there may hold a password
    if type(written) is not int or written < 1 or not isinstance(url, str | None) or type(kept) is not int or kept < 0:
        raise _damaged(path)
    if written > FORMAT:
        rule = f"The project in {folder} was written by a newer medloop (format {written}, this one knows up to {FORMAT})"
        raise StorageError(rule, remedy="install the newer medloop")
    return HostSettings(url, kept, written > ALL_HERE)


def _damaged(path: Path) -> FormatError:
    return FormatError(f"{path} is damaged", remedy='restore it; for a local project it is {"format": 1, "url": null}')
