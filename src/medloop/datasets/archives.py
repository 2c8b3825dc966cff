"""Zip archives as sources: unpacked beside the system's temporary files, within bounds, and removed when the import is over.

Nothing is written before the whole list of entries has been judged: names stay within the folder, are no links and no archives, and
sizes are bounded in total and by ratio. What an entry declares is checked again while it is unpacked.
"""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from medloop.core.errors import FormatError, MedloopError, StorageError
from medloop.core.names import folded

MAX_ENTRIES = 200_000
MAX_BYTES = 64 << 30
"""What an archive may unpack to in all."""

MAX_RATIO = 200
"""How many times its stored size an entry above `FREE_BYTES` may unpack to; images stay below 20, blank ones are small."""

FREE_BYTES = 16 << 20
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
_IS_UTF8 = 0x800
_MARK = b"PK\x03\x04"
_BY_HAND = "unpack it yourself and import the folder"


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, or at least called one."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == _MARK
    except OSError:
        return False


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """The source itself, or the folder that an archive unpacks to while the block runs.

    An archive of one folder is that folder. Its cases are called as if it had been unpacked by hand.

    Raises:
        FormatError: It is no intact zip archive, encrypted, holds another archive, a link or a name that leaves its folder, or unpacks
            to too much.
        StorageError: There is no room to unpack it.
    """
    if not is_archive(source):
        yield source
        return
    with TemporaryDirectory(prefix="medloop-archive-") as place:
        top = Path(place) / (source.stem or "archive")
        try:
            top.mkdir()
            with zipfile.ZipFile(source) as archive:
                entries = _judged(source.name, archive, shutil.disk_usage(place).free)
                for entry, parts in entries:
                    _unpack(source.name, archive, entry, top.joinpath(*parts))
        except MedloopError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise FormatError(
                f"{source.name}: the archive is damaged or of a kind that is not read ({type(error).__name__})",
                remedy="copy or pack it again",
            ) from error
        except OSError as error:
            raise StorageError(
                f"{source.name}: it cannot be unpacked ({error.strerror or error})", remedy="free space, or " + _BY_HAND
            ) from error
        yield _only_folder(top)


def _judged(name: str, archive: zipfile.ZipFile, free: int) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The entries that are files, with their paths, or why the archive is refused."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise FormatError(f"{name}: an archive has at most {MAX_ENTRIES} files, this has {len(entries)}", remedy=_BY_HAND)
    total = sum(entry.file_size for entry in entries)
    if total > min(MAX_BYTES, free // 2):
        raise FormatError(
            f"{name}: an archive unpacks to at most {min(MAX_BYTES, free // 2) >> 20} MiB here, this to {total >> 20} MiB", remedy=_BY_HAND
        )
    judged = [(entry, _parts(name, entry)) for entry in entries]
    spelled = [folded("/".join(parts)) for _, parts in judged]
    if len(set(spelled)) != len(spelled):
        raise FormatError(f"{name}: an archive holds a name once, this holds one twice (letter case aside)", remedy=_BY_HAND)
    return judged


def _parts(name: str, entry: zipfile.ZipInfo) -> tuple[str, ...]:
    spelled = _spelled(entry)
    path = PurePosixPath(spelled)
    shown = spelled[:80]
    if path.is_absolute() or ".." in path.parts or "\\" in spelled or ":" in path.parts[0] or not spelled.isprintable():
        raise FormatError(f"{name}: names in an archive stay within it, got {shown!r}", remedy="pack it again")
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise FormatError(f"{name}: an archive holds files, {shown!r} is a link", remedy="pack the files themselves")
    if entry.flag_bits & 0x1:
        raise FormatError(
            f"{name}: an archive must not be encrypted, {shown!r} is", remedy="unpack it with its password, and import the folder"
        )
    if entry.filename.lower().endswith(_ARCHIVES):
        raise FormatError(
            f"{name}: an archive within an archive is not opened, got {shown!r}", remedy="unpack it once, and import the folder"
        )
    if entry.file_size > max(FREE_BYTES, MAX_RATIO * max(entry.compress_size, 1)):
        raise FormatError(f"{name}: a file may unpack to {MAX_RATIO} times its stored size, {shown!r} declares more", remedy=_BY_HAND)
    return path.parts


def _spelled(entry: zipfile.ZipInfo) -> str:
    """An entry's name; macOS and others write UTF-8 without saying so, which would be read as the letters of an old code page."""
    if entry.flag_bits & _IS_UTF8 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.orig_filename.encode("cp437").decode("utf-8").partition("\0")[0]
    except UnicodeError:
        return entry.filename


def _unpack(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as stored, to.open("xb") as file:
        start = stored.read(4)
        if start == _MARK:
            rule = "an archive within an archive is not opened"
            raise FormatError(f"{name}: {rule}, got {entry.filename[:80]!r}", remedy="unpack it once, and import the folder")
        piece = start
        while piece:
            left -= len(piece)
            if left < 0:
                raise FormatError(f"{name}: {entry.filename[:80]!r} is larger than it declares", remedy=_BY_HAND)
            file.write(piece)
            piece = stored.read(1 << 20)
    if left:
        raise FormatError(f"{name}: {entry.filename[:80]!r} is smaller than it declares", remedy="copy or pack it again")


def _only_folder(top: Path) -> Path:
    """The folder itself, or the only visible entry in it where that is a folder."""
    there = [path for path in top.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX"]
    return there[0] if len(there) == 1 and there[0].is_dir() else top
