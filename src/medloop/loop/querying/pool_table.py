"""The pool as a few arrays, kept beside the project, so that choosing the next round does not read every row again.

Names of cases never change, and predictions neither: what was read once stays right, and only what came since is read.
Lies in the work folder; losing it costs time only. One row per case, ordered by name.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import StorageError
from medloop.core.records import Split
from medloop.images.files import write_atomic
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

CODES: Mapping[Split, str] = {"train": "r", "validation": "v", "test": "e", "audit": "a"}


Texts: TypeAlias = npt.NDArray[np.bytes_]
Line = TypeVar("Line")

AT_ONCE = 50_000
"""Rows of the database that are held at a time."""

KEPT = ("seen", "names", "values", "last", "count")
"""What a model's file holds beside the ids, which are read only when rows have come since."""


@dataclass(frozen=True, eq=False)
class PoolTable:
    """Every case of the project, ordered by name: texts as bytes side by side, so that two million cases take sixty megabytes.

    Attributes:
        ids, names: Shape (cases,), UTF-8.
        splits: One letter per case, see `CODES`.
    """

    ids: Texts
    names: Texts
    splits: str

    @cached_property
    def _by_id(self) -> IntArray:
        return np.argsort(self.ids)

    def places_of(self, case_ids: Collection[str]) -> IntArray:
        """The rows of the cases of these ids, those that are in the table, in their order."""
        wanted = texts(case_ids)
        if not len(self.ids) or not len(wanted):
            return np.zeros(0, dtype=np.intp)
        found = self._by_id[np.minimum(np.searchsorted(self.ids, wanted, sorter=self._by_id), len(self.ids) - 1)]
        places: IntArray = found[self.ids[found] == wanted]
        return places

    def askable(self, refused: set[str]) -> dict[Split, BoolArray]:
        """By split, which cases are not refused, shape (cases,)."""
        free = np.ones(len(self.ids), dtype=np.bool_)
        free[self.places_of(refused)] = False
        codes = np.frombuffer(self.splits.encode("ascii"), dtype=np.uint8)
        return {split: free & (codes == ord(code)) for split, code in CODES.items()}

    def named(self, wanted: BoolArray) -> tuple[str, ...]:
        """The names of some cases."""
        return tuple(name.decode() for name in self.names[wanted].tolist())

    def places(self, names: Sequence[str]) -> IntArray:
        """The rows of the cases of these names, shape (names,)."""
        return np.searchsorted(self.names, texts(names)) if len(names) else np.zeros(0, dtype=np.intp)

    def ids_of(self, names: Sequence[str]) -> list[str]:
        """The ids of the cases of these names."""
        return [one.decode() for one in self.ids[self.places(names)].tolist()]

    def id_of(self, name: str) -> str:
        """The id of the case of that name."""
        return self.ids_of([name])[0]


def texts(given: Collection[str]) -> Texts:
    """Texts side by side, in their order."""
    return np.array([one.encode() for one in given], dtype=np.bytes_) if len(given) else np.zeros(0, dtype="S1")


@dataclass(frozen=True)
class PoolScores:
    """What one model's predictions say of every case, each of shape (cases,): which it has seen, and numbers by name, NaN for none."""

    seen: BoolArray
    columns: Mapping[str, FloatArray]

    def complete(self) -> frozenset[str]:
        """Scores that every predicted case has."""
        return frozenset(name for name, values in self.columns.items() if not np.isnan(values[self.seen]).any())


def pool_table(workspace: Workspace, tx: Reader) -> PoolTable:
    """The cases, read anew only where some have come since."""
    path, count = workspace.work_folder / "every-case.npz", tx.case_counts().total
    kept = _stored_table(path, workspace.project.id, _stamp(path))
    if kept is not None and len(kept.ids) == count:
        return kept
    ids, names, codes = _case_arrays(tx)
    file = BytesIO()
    np.savez(file, ids=ids, names=names, splits=codes, project=workspace.project.id)
    _keep(path, file.getvalue())
    return PoolTable(ids, names, codes)


def _case_arrays(tx: Reader) -> tuple[Texts, Texts, str]:
    """Ids, names and letters of splits, by name; of the rows no more are held at once than the reader gives."""
    ids, names, codes = [texts(())], [texts(())], bytearray()
    for part in batched(tx.case_lines(), AT_ONCE):
        names.append(texts([name for name, _, _ in part]))
        ids.append(texts([case_id for _, case_id, _ in part]))
        codes += "".join(CODES[split] for _, _, split in part).encode("ascii")
    every = np.concatenate(names)
    order = np.argsort(every, kind="stable")
    return np.concatenate(ids)[order], every[order], np.frombuffer(bytes(codes), dtype=np.uint8)[order].tobytes().decode("ascii")


def pool_scores(workspace: Workspace, tx: Reader, model_id: str, table: PoolTable) -> PoolScores:
    """One model's scores of every case; only predictions that came since are read."""
    path, count = workspace.work_folder / f"pool-{model_id}.npz", tx.prediction_count(model_id)
    kept = _stored_scores(path, _stamp(path))
    if kept is None or int(kept["count"]) != count or len(kept["seen"]) != len(table.ids):
        kept = _updated(tx, model_id, table, _read_arrays(path, *KEPT, "ids"), count)
        file = BytesIO()
        np.savez(file, **kept)
        _keep(path, file.getvalue())
        for other in path.parent.glob("pool-*.npz"):  # one model is in use; another one's numbers are read again should it come back
            if other != path:
                other.unlink(missing_ok=True)
    names = json.loads(str(kept["names"]))
    return PoolScores(kept["seen"], dict(zip(names, kept["values"], strict=True)))


def _updated(tx: Reader, model_id: str, table: PoolTable, kept: Mapping[str, Any] | None, count: int) -> dict[str, Any]:
    columns: dict[str, FloatArray] = {}
    seen, last = np.zeros(len(table.ids), dtype=np.bool_), -1
    if kept is not None:
        rows = table.places_of([one.decode() for one in kept["ids"].tolist()]) if len(kept["ids"]) != len(table.ids) else slice(None)
        seen[rows], last = kept["seen"], int(kept["last"])
        for name, values in zip(json.loads(str(kept["names"])), kept["values"], strict=True):
            columns[name] = _empty(len(table.ids))
            columns[name][rows] = values
    for part in batched(tx.each_score(model_id, after=last), AT_ONCE):
        places = table.places_of([case_id for case_id, _, _ in part])
        for row, (_, scores, event) in zip(places.tolist(), part, strict=True):
            last = max(last, event)
            seen[row] = True
            for name, value in scores.items():
                if isinstance(value, int | float):
                    columns.setdefault(name, _empty(len(table.ids)))[row] = value
    values = np.stack(list(columns.values())) if columns else np.zeros((0, len(table.ids)))
    return {"ids": table.ids, "seen": seen, "names": json.dumps(list(columns)), "values": values, "last": last, "count": count}


def batched(lines: Iterable[Line], most: int) -> Iterator[list[Line]]:
    """Lines in parts."""
    source = iter(lines)
    while part := list(islice(source, most)):
        yield part


def _empty(rows: int) -> FloatArray:
    return np.full(rows, np.nan)


@lru_cache(maxsize=1)
def _stored_table(path: Path, project_id: str, stamp: tuple[int, int]) -> PoolTable | None:  # noqa: ARG001  # the stamp tells versions apart
    kept = _read_arrays(path, "ids", "names", "splits", "project")
    if kept is None or str(kept["project"]) != project_id:
        return None
    return PoolTable(kept["ids"], kept["names"], str(kept["splits"]))


@lru_cache(maxsize=1)
def _stored_scores(path: Path, stamp: tuple[int, int]) -> dict[str, Any] | None:  # noqa: ARG001  # likewise
    return _read_arrays(path, *KEPT)


def _stamp(path: Path) -> tuple[int, int]:
    """Another one for every file written: it is always a new one, put in the old one's place."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def _read_arrays(path: Path, *names: str) -> dict[str, Any] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _keep(path: Path, content: bytes) -> None:
    with suppress(OSError, StorageError):  # a disk that is full or read-only: the next question reads the rows again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
