"""The vectors of very many cases as rows of a few files, mapped into memory: a query or a map of the pool opens no blob per case.

A file of rows never changes once it is full; only vectors that came since are read, in the order of the audit, and memory stays that of
one file. Lies in the work folder; losing it costs time only. Processes that add at the same time take turns.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import BlobError, StorageError
from medloop.core.names import counted
from medloop.images.files import write_atomic
from medloop.loop.foundation.arrays import load_features
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs
from medloop.store.pool_rows import VectorRow

Ids: TypeAlias = npt.NDArray[np.bytes_]

FILE_ROWS = 32_768
"""Rows of a file: 32 MB of 256 numbers each."""

VERSION = 1
_EVERY = 1000


@dataclass(frozen=True)
class VectorsOf:
    """Which vectors: a model's embeddings, or those of a method and its maker (`medloop.loop.foundation.described`)."""

    model_id: str = ""
    method: str = ""
    maker: str = ""

    @property
    def key(self) -> str:
        """A name for their folder."""
        return hashlib.sha256("\0".join((self.model_id, self.method, self.maker)).encode()).hexdigest()[:20]


@dataclass(frozen=True, eq=False)
class VectorRows:
    """Vectors as they lie in their files.

    Attributes:
        ids: Case of each row, by file, shape (rows,) each.
        rows: Shape (rows, dimensions) each; NaN where the bytes were damaged. A case that stands twice has its newer vector further back.
        left_out: Vectors of another length than most, which do not fit.
    """

    ids: tuple[Ids, ...]
    rows: tuple[npt.NDArray[np.float32], ...]
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.order)

    @property
    def dimensions(self) -> int:
        """Numbers of a row; 0 without any."""
        return self.rows[0].shape[1] if self.rows else 0

    @cached_property
    def order(self) -> IntArray:
        """Numbers of the rows that count (each case once, none damaged) by id of the case, shape (cases,)."""
        if not self.ids:
            return np.zeros(0, dtype=np.intp)
        every = np.concatenate(self.ids)
        by_id = np.argsort(every, kind="stable")
        ordered = every[by_id]
        last = np.append(ordered[1:] != ordered[:-1], True)
        whole = np.concatenate([np.isfinite(part[:, 0]) for part in self.rows]) if self.dimensions else np.ones(len(every), dtype=np.bool_)
        counted_rows: IntArray = by_id[last][whole[by_id[last]]]
        return counted_rows

    @cached_property
    def cases(self) -> Ids:
        """Ids of the cases in that order, shape (cases,)."""
        return np.concatenate(self.ids)[self.order] if self.ids else np.zeros(0, dtype="S1")

    def find(self, case_ids: Sequence[str]) -> tuple[BoolArray, IntArray]:
        """Which of these cases have a vector, and the row of each of those."""
        wanted = np.array([one.encode() for one in case_ids], dtype="S") if len(case_ids) else np.zeros(0, dtype="S1")
        if not len(self.cases):
            return np.zeros(len(wanted), dtype=np.bool_), np.zeros(0, dtype=np.intp)
        places = np.minimum(np.searchsorted(self.cases, wanted), len(self.cases) - 1)
        found: BoolArray = self.cases[places] == wanted
        return found, self.order[places[found]]

    def take(self, numbers: IntArray, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
        """Some rows, in the order asked, shape (rows, dimensions); file after file, so that no two are held at once."""
        made = np.empty((len(numbers), self.dimensions), dtype=np.float32) if out is None else out
        for number, part in enumerate(self.rows):
            start = number * FILE_ROWS
            here = np.flatnonzero((numbers >= start) & (numbers < start + len(part)))
            made[here] = part[numbers[here] - start]
        return made

    def pieces(self) -> Iterator[tuple[Ids, npt.NDArray[np.float32]]]:
        """Every case once: ids and vectors, a file's worth at a time."""
        counts = np.sort(self.order)
        for number, (ids, rows) in enumerate(zip(self.ids, self.rows, strict=True)):
            start = number * FILE_ROWS
            here = counts[np.searchsorted(counts, start) : np.searchsorted(counts, start + len(rows))] - start
            yield ids[here], rows[here]


def vector_rows(workspace: Workspace, of: VectorsOf, *, report: Report | None = None) -> VectorRows:
    """The vectors as rows, brought up to date.

    Raises:
        StorageError: The disk is full.
    """
    folder = workspace.work_folder / "vectors" / of.key
    with _turn(folder):
        kept = _read(folder)
        _forget_others(folder.parent, folder)
        with workspace.store.read() as tx:
            new = tx.vector_blobs(of.model_id, of.method, of.maker, after=kept["last"])
            writing = _Writing(folder, kept, workspace.store.blobs)
            for number, row in enumerate(new):
                if report is not None and number % _EVERY == 0:
                    report(0.0, f"reading vectors ({counted(number + kept['count'], 'case')})")
                writing.add(row)
            writing.close()
        return _mapped(folder, writing.kept)


class _Writing:
    """Adds rows to the last file, and begins another where it is full."""

    def __init__(self, folder: Path, kept: dict[str, Any], blobs: Blobs) -> None:
        self.kept, self._folder, self._blobs = kept, folder, blobs
        self._ids: list[bytes] = []
        self._rows: list[FloatArray] = []
        self._changed = False
        if kept["count"] % FILE_ROWS:
            ids, rows = _file(folder, kept["count"] // FILE_ROWS)
            self._ids, self._rows = list(ids), list(rows)
        for place in kept["damaged"][:_EVERY]:
            self._repair(place)

    def add(self, row: VectorRow) -> None:
        """One more vector."""
        vector, length = _vector(self._blobs, row.blob), self.kept["dimensions"]
        self.kept["last"], self._changed = row.event, True
        if vector is None and not length:
            return
        if vector is not None and length and len(vector) != length:
            self.kept["left_out"] += 1
            return
        if vector is None:
            self.kept["damaged"].append([self.kept["count"], row.blob])
            vector = np.full(length, np.nan, dtype=np.float32)
        self.kept["dimensions"] = len(vector)
        self._ids.append(row.case_id.encode())
        self._rows.append(vector)
        self.kept["count"] += 1
        if len(self._ids) == FILE_ROWS:
            self._write()
            self._ids, self._rows = [], []

    def close(self) -> None:
        """Write what is not yet written."""
        if self._changed:
            if self._ids:
                self._write()
            _put(self._folder / "rows.json", json.dumps(self.kept).encode())

    def _write(self) -> None:
        number = (self.kept["count"] - 1) // FILE_ROWS
        for name, array in (("ids", np.array(self._ids)), ("rows", np.stack(self._rows).astype(np.float32))):
            file = BytesIO()
            np.save(file, array)
            _put(self._folder / f"{name}-{number:06d}.npy", file.getvalue())

    def _repair(self, damaged: list[Any]) -> None:
        """Bytes that were damaged may be whole again."""
        place, blob = damaged
        vector = _vector(self._blobs, blob)
        if vector is None or len(vector) != self.kept["dimensions"]:
            return
        number, row = divmod(place, FILE_ROWS)
        self.kept["damaged"].remove(damaged)
        self._changed = True
        if number == self.kept["count"] // FILE_ROWS:
            self._rows[row] = vector
            return
        rows = np.array(_file(self._folder, number)[1])
        rows[row] = vector
        file = BytesIO()
        np.save(file, rows)
        _put(self._folder / f"rows-{number:06d}.npy", file.getvalue())


def _vector(blobs: Blobs, name: str) -> FloatArray | None:
    """None where the bytes are damaged or gone, or hold what is no number."""
    try:
        found = load_features(blobs, name)
    except (BlobError, OSError, EOFError, ValueError):
        return None
    return found if len(found) and np.isfinite(found).all() else None


def _read(folder: Path) -> dict[str, Any]:
    """What is kept; nothing where a file is gone or shorter than it should be."""
    empty = {"version": VERSION, "dimensions": 0, "count": 0, "last": -1, "left_out": 0, "damaged": []}
    try:
        kept = json.loads((folder / "rows.json").read_bytes())
        if kept["version"] == VERSION and kept.keys() == empty.keys():
            _mapped(folder, kept)
            return dict(kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return empty


def _mapped(folder: Path, kept: Mapping[str, Any]) -> VectorRows:
    """The files, none of which is read yet.

    Raises:
        ValueError: One is not as it was written.
    """
    files = [_file(folder, n) for n in range(-(-kept["count"] // FILE_ROWS))]
    sizes = [len(ids) for ids, _ in files]
    fits = all(ids.shape == (len(rows),) and rows.shape[1] == kept["dimensions"] for ids, rows in files)
    if not fits or sum(sizes) != kept["count"] or any(size != FILE_ROWS for size in sizes[:-1]):
        raise ValueError("rows are missing")
    return VectorRows(tuple(ids for ids, _ in files), tuple(rows for _, rows in files), kept["left_out"])


def _file(folder: Path, number: int) -> tuple[Ids, npt.NDArray[np.float32]]:
    ids = np.load(folder / f"ids-{number:06d}.npy", allow_pickle=False)
    return ids, np.load(folder / f"rows-{number:06d}.npy", mmap_mode="r", allow_pickle=False)


def _put(path: Path, content: bytes) -> None:
    write_atomic(path, content, mode=0o600)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One process at a time.

    Raises:
        StorageError: The folder cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "turn").open("w") as file:
            flock(file, LOCK_EX)
            yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        rule = f"The work folder cannot be used ({error.strerror})"
        raise StorageError(rule, remedy="free space, or make it writable for this user") from error


def _forget_others(parent: Path, own: Path) -> None:
    """Rows of models long out of use take space: those of the three used last are kept."""
    others = sorted((one for one in parent.iterdir() if one != own and one.is_dir()), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[2:]:
        shutil.rmtree(old, ignore_errors=True)
