"""Tables of features that several processes read: a file each of them maps, so that nothing is sent and memory is shared."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from medloop.core.arrays import CaseScores, Features, IntArray
from medloop.execution.executor import IN_PROCESS, Executor, Task, ordered, shards_of

FEWEST_CASES = 20_000
"""Fewer cases are chosen from sooner by one process than they are handed to several."""

SORTED_PER_TABLE = 100
"""Cases that are sorted in the time in which one is compared with others: so many times as many are worth a cut."""


@dataclass(frozen=True)
class Sharding:
    """Whether and how a selection is worked out in shards.

    Attributes:
        executor: By whom.
        folder: Where tables are shared, reached by all of its machines; None takes the temporary folder of this one.
        fewest: Cases below which it is not.
    """

    executor: Executor = field(default=IN_PROCESS, repr=False)
    folder: Path | None = None
    fewest: int = FEWEST_CASES

    def is_worth(self, cases: int) -> bool:
        """Whether a table of so many cases is cut."""
        return not self.executor.is_here and cases >= self.fewest


WHOLE = Sharding()


@dataclass(frozen=True)
class SharedTable:
    """A table in a file; `rows` maps it.

    Attributes:
        path: The file.
        shape: (cases, dimensions).
        dtype: Of its numbers.
        offset: Bytes before the first row.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    offset: int = 0

    def rows(self) -> Features:
        """The table, read only; a second call in the same process gives the same map."""
        return _mapped(self)


@contextmanager
def shared_tables(tables: Sequence[Features], folder: Path | None) -> Iterator[list[SharedTable]]:
    """Tables for other processes, until the end of the block; those that are maps of whole files already are not copied."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="selection-", dir=folder) as made:
        yield [_shared(table, Path(made) / f"{number}.raw") for number, table in enumerate(tables)]


def _shared(table: Features, path: Path) -> SharedTable:
    if isinstance(table, np.memmap) and table.filename and table.flags.c_contiguous and _is_whole(table):
        return SharedTable(str(Path(table.filename).resolve()), table.shape, table.dtype.str, table.offset)
    np.ascontiguousarray(table).tofile(path)
    return SharedTable(str(path), table.shape, table.dtype.str)


def _is_whole(table: np.memmap) -> bool:
    """Whether it is the map itself: a part of one says the offset of the whole."""
    return not isinstance(table.base, np.ndarray)


@lru_cache(maxsize=4)
def _mapped(table: SharedTable) -> Features:
    if not table.shape[0] or not table.shape[1]:
        return np.zeros(table.shape, dtype=table.dtype)
    return np.memmap(table.path, dtype=table.dtype, mode="r", offset=table.offset, shape=table.shape)


def topmost(values: CaseScores, count: int, sharding: Sharding = WHOLE) -> IntArray:
    """Places of the highest values, at most `count`, in falling order; equal ones go to the lower place.

    Args:
        values: Shape (cases,), finite.
        count: How many.
        sharding: Where each part finds its own highest, which are merged.
    """
    if not sharding.is_worth(len(values) // SORTED_PER_TABLE):
        return _highest(values, count)
    with shared_tables([values[:, None]], sharding.folder) as (table,):
        shards = shards_of(len(values), sharding.executor.width)
        tasks = [Task(f"cases {a} to {b}", _highest_of_shard, (table, a, b, count)) for a, b in shards]
        found = np.concatenate(ordered(sharding.executor, tasks))
    return found[_highest(values[found], count)]


def _highest_of_shard(table: SharedTable, start: int, stop: int, count: int) -> IntArray:
    return np.sort(_highest(np.asarray(table.rows()[start:stop, 0]), count)) + start


def _highest(values: CaseScores, count: int) -> IntArray:
    return np.argsort(-values, kind="stable")[:count]
