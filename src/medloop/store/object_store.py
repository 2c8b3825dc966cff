"""Bytes by key below a URL of fsspec (s3://, gs://, abfs://, file://, …), with every failure as one line that names no secret.

Object stores make a written object appear whole or not at all. Elsewhere bytes are written beside their place and moved there. The library
is loaded when bytes are first needed; each process has a connection of its own, made anew after a fork.

Credentials and endpoint are those of the machine: the standard variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …), a profile, or
fsspec's configuration. They are never kept.
"""

import errno
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medloop.core.errors import MedloopError, SettingError, StorageError, UnavailableError
from medloop.images.files import sync_folder

CONNECT_SECONDS, READ_SECONDS, TRIES = 5, 20, 3
"""How long a store may be silent before work on it is refused, and how often it is tried."""

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Protocols whose objects appear whole."""

_S3 = ("s3", "s3a")
_FILES = ("file", "local")
_NO_HOME = frozenset(
    {"memory", "http", "https", "data", "github", "zip", "tar", "libarchive", "reference", "cached", "simplecache", "filecache"}
)
"""They cannot be written, or end with their process."""

_CONTAINER_FIRST = ("abfs", "abfss")
_SCHEME = re.compile(r"[a-z][a-z0-9+]*")
_WRITE_IT = "write it as s3://bucket/prefix; credentials come from the environment or a profile, never from the URL"
_RIGHTS = "check this machine's credentials (AWS_ACCESS_KEY_ID …, or a profile) and what they may do there"
_REACH = "check the network, the endpoint (AWS_ENDPOINT_URL) and the credentials, then repeat: nothing was lost"


def checked_url(url: str) -> str:
    """A URL under which blobs can be kept, without a slash at its end. One that is refused is never repeated: it may hold a password.

    Raises:
        SettingError: It is none, holds credentials or options, or names what cannot keep anything.
    """
    scheme, sign, rest = url.strip().partition("://")
    if not sign or not _SCHEME.fullmatch(scheme):
        raise SettingError("Blobs are kept under a URL, and this is none (it is not shown)", remedy=_WRITE_IT)
    parts = urlsplit(f"{scheme}://{rest}")
    if parts.password is not None or (parts.username is not None and scheme not in _CONTAINER_FIRST) or parts.query or parts.fragment:
        raise SettingError("A URL of blobs holds no credentials and no options (it is not shown)", remedy=_WRITE_IT)
    if scheme in _NO_HOME or "::" in url:
        raise SettingError(f"Blobs cannot be kept at {scheme}://, which cannot be written or forgets", remedy=_WRITE_IT)
    if not rest.strip("/") or ".." in rest.split("/") or any(c.isspace() or not c.isprintable() for c in rest):
        raise SettingError(f"A URL of blobs names a bucket or a folder, got {scheme}:// and a place that is none", remedy=_WRITE_IT)
    if scheme in _FILES and not rest.startswith("/"):
        raise SettingError("A URL of a folder has three slashes, file:///mnt/share", remedy="give its whole path")
    return f"{scheme}://{rest.rstrip('/')}"


class ObjectStore:
    """What lies below one URL, by keys such as `ab/abcdef…`; nothing is opened before the first use.

    Raises:
        SettingError: The URL cannot keep anything.
    """

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        self.protocol = self.url.partition("://")[0]
        self._opened: tuple[int, Any, str] | None = None
        self._guard = threading.Lock()

    def read(self, key: str) -> bytes:
        """The bytes of a key.

        Raises:
            FileNotFoundError: There are none.
            StorageError: The store refused, or cannot be reached.
        """
        with self._failures("read"):
            files, root = self._files()
            return bytes(files.cat_file(f"{root}/{key}"))

    def write(self, key: str, data: bytes) -> None:
        """Keep bytes under a key, in the place of others.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        with self._nowhere(), self._failures("write"):
            files, root = self._files()
            if self.protocol in WHOLE:
                files.pipe_file(f"{root}/{key}", data)
            else:
                _write_beside(files, f"{root}/{key}", data, private=self.protocol in _FILES)
                if self.protocol in _FILES:
                    _sync_names(Path(f"{root}/{key}").parent, Path(root))

    def create(self, key: str, data: bytes) -> bool:
        """Keep bytes under a key that has none; whether it had none. Of two at once one is refused, where the store can tell.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        try:
            self.read(key)
        except FileNotFoundError:
            pass
        else:
            return False
        if self.protocol in _FILES:
            return self._create_file(key, data)
        if self.protocol not in _S3:
            self.write(key, data)
            return True
        try:
            with self._nowhere(), self._failures("write"):
                files, root = self._files()
                files.pipe_file(f"{root}/{key}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def _create_file(self, key: str, data: bytes) -> bool:
        """Of two at once one finds the other's file: a name is given by a link, which fails where there is one."""
        draft = f"{key}.{secrets.token_hex(6)}"
        self.write(draft, data)
        with self._failures("write"):
            _, root = self._files()
            try:
                os.link(f"{root}/{draft}", f"{root}/{key}")
            except FileExistsError:
                return False
            except OSError as error:  # a file system without links
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                    raise
                self.write(key, data)
            finally:
                self.delete(draft)
            _sync_names(Path(f"{root}/{key}").parent, Path(root))
        return True

    def listed(self, below: str = "") -> Iterator[str]:
        """Every key, or those that begin with a folder's name.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        with self._failures("list"):
            files, root = self._files()
            start = f"{root}/{below}".rstrip("/")
            found = files.find(start)
        cut = len(root.rstrip("/")) + 1
        yield from sorted(path[cut:] for path in found)

    def size(self, key: str) -> int | None:
        """How many bytes a key has; None for no such key.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        try:
            with self._failures("read"):
                files, root = self._files()
                return int(files.info(f"{root}/{key}")["size"])
        except FileNotFoundError:
            return None

    def modified(self, key: str) -> datetime:
        """When a key was written, by the store's own clock.

        Raises:
            FileNotFoundError: There is none.
            StorageError: The store refused, cannot be reached, or does not keep it.
        """
        with self._failures("read"):
            files, root = self._files()
            found = files.modified(f"{root}/{key}")
        if not isinstance(found, datetime):
            raise StorageError(f"{self.url} does not tell when an object was written", remedy="leave its orphans where they are")
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The time by the store's own clock: that of an object written now.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        key = f"tmp/now-{secrets.token_hex(8)}"
        self.write(key, b"now")
        try:
            return self.modified(key)
        finally:
            self.delete(key)

    def copy(self, key: str, to: str) -> None:
        """Copy the bytes of a key to another; the copy is written now.

        Raises:
            FileNotFoundError: There are none.
            StorageError: The store refused, or cannot be reached.
        """
        self.write(to, self.read(key))

    def delete(self, key: str) -> None:
        """Remove a key; one that is gone already is no fault.

        Raises:
            StorageError: The store refused, or cannot be reached.
        """
        with suppress(FileNotFoundError), self._failures("delete"):
            files, root = self._files()
            files.rm_file(f"{root}/{key}")

    def _files(self) -> tuple[Any, str]:
        """The file system of this process and the path of the URL in it."""
        with self._guard:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = (os.getpid(), *self._open())
            return self._opened[1], self._opened[2]

    def _open(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs

            files, root = url_to_fs(self.url, **_options(self.protocol))
        except ImportError:
            needed = "fsspec and s3fs, which are" if self.protocol in _S3 else f"fsspec and its part for {self.protocol}://, which are"
            raise UnavailableError(f"Blobs at {self.url} need {needed} not installed", remedy="pip install 'medloop[objects]'") from None
        except ValueError:
            raise SettingError(f"fsspec knows no {self.protocol}://", remedy=_WRITE_IT) from None
        if self.protocol in _S3:
            files.retries = 1  # botocore below tries again by itself: both together would wait minutes
        return files, str(root).rstrip("/")

    @contextmanager
    def _nowhere(self) -> Iterator[None]:
        """Where even a write finds nothing, there is no such bucket."""
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(f"There is no bucket or folder for {self.url}", remedy="make it, or check how it is written") from error

    @contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        """What some library below says goes wrong, as one of medloop's errors; that a key is missing or taken is the caller's to know."""
        try:
            yield
        except (FileNotFoundError, FileExistsError, MedloopError):
            raise
        except PermissionError as error:
            raise StorageError(f"{self.url} does not let this machine {doing} ({_reason(error)})", remedy=_RIGHTS) from error
        except Exception as error:  # each store's library has errors of its own, with no common kind
            if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
                raise StorageError(f"There are no credentials here for {self.url}", remedy=_RIGHTS) from error
            raise StorageError(f"{self.url} cannot be reached to {doing} ({_reason(error)})", remedy=_REACH) from error


def _write_beside(files: Any, path: str, data: bytes, *, private: bool) -> None:
    """Write where objects do not appear whole: beside the place, on disk, then moved there; `private` for this user's eyes only."""
    draft = f"{path}.{secrets.token_hex(6)}.part"
    if private:
        Path(draft).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
    try:
        if private:
            Path(draft).touch(mode=0o600, exist_ok=False)
        with files.open(draft, "wb") as file:
            file.write(data)
            file.flush()
            with suppress(AttributeError, OSError):
                os.fsync(file.fileno())
        files.mv(draft, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(draft)
        raise


def _sync_names(folder: Path, root: Path) -> None:
    """Make the new names in a folder, and its own in the folders above it, survive a power cut."""
    sync_folder(folder)
    while folder != root:
        folder = folder.parent
        sync_folder(folder)


def _options(protocol: str) -> dict[str, Any]:
    """What every store is opened with: no listing that is remembered, and for S3 no wait without end."""
    options: dict[str, Any] = {"skip_instance_cache": True}
    if protocol in WHOLE:
        options["use_listings_cache"] = False
    if protocol in _S3:
        waits = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"total_max_attempts": TRIES, "mode": "standard"},
        }
        options["config_kwargs"] = waits
    return options


def _reason(error: BaseException) -> str:
    """The first line of an error, cut short, without what an address may hold before its host or after its path."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    line = re.sub(r"//[^/@\s]*@", "//", line)
    return re.sub(r"\?[^\s\"')]*", "", line)[:200]
