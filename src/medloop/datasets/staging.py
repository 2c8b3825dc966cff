"""Writing a folder so that it is either complete or not there, with names and cells that cannot do harm."""

import csv
import io
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from medloop.core.errors import ConflictError, StorageError
from medloop.core.names import composed, folded
from medloop.images.files import sync_folder, synced_at_the_end

_UNSAFE = re.compile(r"[^\w.\- ]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAX_FILE_NAME = 120


NOTHING: Mapping[str, str] = MappingProxyType({})


@contextmanager
def staged_folder(folder: Path, beside: Mapping[str, str] = NOTHING) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well and vanishes when it does not.

    Args:
        folder: New or empty.
        beside: Files that are there from the start, by name, with their text.

    Raises:
        ConflictError: `folder` exists and is not an empty folder.
        StorageError: The disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"{folder} must be new or an empty folder", remedy="choose another folder or empty it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = folder.parent / f".{folder.name}-{secrets.token_hex(4)}"
        staging.mkdir()  # who may read an export is what the user's umask says
    except OSError as error:
        raise StorageError(f"Cannot write beside {folder}: {error.strerror}", remedy="choose another folder") from error
    try:
        for name, text in beside.items():
            (staging / name).write_text(text, encoding="utf-8", newline="")
        with synced_at_the_end(staging):
            yield staging
        staging.replace(folder)
        sync_folder(folder.parent)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"Cannot write {folder}: {error.strerror or error}", remedy="free space or choose another folder") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class FileNames:
    """Case names as file names: safe on every system and each used once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def of(self, name: str) -> str:
        """A file name (without suffix) for a case."""
        base = _UNSAFE.sub("_", composed(name)).strip(" .")[:MAX_FILE_NAME] or "case"
        chosen, number = base, 1
        while folded(chosen) in self._used:
            number += 1
            chosen = f"{base}-{number}"
        self._used.add(folded(chosen))
        return chosen


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV; see `csv_text`."""
    path.write_text(csv_text(header, rows), encoding="utf-8", newline="")


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A CSV whose cells no spreadsheet takes for a formula: those that start like one get a `'` before it (OWASP, CSV injection)."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in rows])
    return stream.getvalue()


def unshielded(cell: str) -> str:
    """A cell of `write_rows` as it was."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
