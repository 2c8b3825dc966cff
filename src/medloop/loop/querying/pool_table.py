"""The pool as a few arrays, kept beside the project, so that choosing the next round does not read every row again.

Names of cases never change, and predictions neither: what was read once stays right, and only what came since is read.
Lies in the work folder; losing it costs time only. One row per case, ordered by name.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import StorageError
from medloop.core.records import Split
from medloop.images.files import write_atomic
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

CODES: Mapping[Split, str] = {"train": "r", "validation": "v", "test": "e", "audit": "a"}


KEPT = ("seen", "names", "values", "last", "count")
"""What a model's file holds beside the ids, which are read only when rows have come since."""


@dataclass(frozen=True)
class PoolTable:
    """Every case of the project, ordered by name; splits are one letter per case, see `CODES`."""

    ids: Sequence[str]
    names: Sequence[str]
    splits: str

    @cached_property
    def rows(self) -> dict[str, int]:
        """Case id → row."""
        return {case_id: row for row, case_id in enumerate(self.ids)}

    def askable(self, refused: set[str]) -> dict[Split, BoolArray]:
        """By split, which cases are not refused, shape (cases,)."""
        free = np.ones(len(self.ids), dtype=np.bool_)
        free[[self.rows[case_id] for case_id in refused]] = False
        codes = np.frombuffer(self.splits.encode("ascii"), dtype=np.uint8)
        return {split: free & (codes == ord(code)) for split, code in CODES.items()}

    def named(self, wanted: BoolArray) -> tuple[str, ...]:
        """The names of some cases."""
        return tuple(compress(self.names, wanted.tolist()))

    def places(self, names: Sequence[str]) -> IntArray:
        """The rows of the cases of these names, shape (names,)."""
        return np.array([bisect_left(self.names, name) for name in names], dtype=np.intp)

    def id_of(self, name: str) -> str:
        """The id of the case of that name."""
        return self.ids[bisect_left(self.names, name)]


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
    path, count = workspace.work_folder / "pool-cases.json", tx.case_counts().total
    kept = _stored_table(path, workspace.project.id, _stamp(path))
    if kept is not None and len(kept.ids) == count:
        return kept
    ids, names, splits = tx.case_columns()
    codes = "".join(CODES[split] for split in splits)
    table = {"project": workspace.project.id, "ids": ids, "names": names, "splits": codes}
    _keep(path, json.dumps(table).encode())
    return PoolTable(ids, names, codes)


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
    place = table.rows
    columns: dict[str, FloatArray] = {}
    seen, last = np.zeros(len(place), dtype=np.bool_), -1
    if kept is not None:
        rows = np.array([place[i.decode()] for i in kept["ids"]], dtype=np.intp)
        seen[rows], last = kept["seen"], int(kept["last"])
        for name, values in zip(json.loads(str(kept["names"])), kept["values"], strict=True):
            columns[name] = _empty(len(place))
            columns[name][rows] = values
    for case_id, scores, event in tx.prediction_scores(model_id, after=last):
        row, last = place[case_id], max(last, event)
        seen[row] = True
        for name, value in scores.items():
            if isinstance(value, int | float):
                columns.setdefault(name, _empty(len(place)))[row] = value
    values = np.stack(list(columns.values())) if columns else np.zeros((0, len(place)))
    ids = np.array([i.encode() for i in table.ids])
    return {"ids": ids, "seen": seen, "names": json.dumps(list(columns)), "values": values, "last": last, "count": count}


def _empty(rows: int) -> FloatArray:
    return np.full(rows, np.nan)


@lru_cache(maxsize=4)
def _stored_table(path: Path, project_id: str, stamp: tuple[int, int]) -> PoolTable | None:  # noqa: ARG001  # the stamp tells versions apart
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("project") != project_id:
        return None
    return PoolTable(kept["ids"], kept["names"], kept["splits"])


@lru_cache(maxsize=4)
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
