"""Greedy k-centre in shards: the very picks of one process, by an exact merge.

Each shard keeps the `Front` of its cases and reports its farthest one, exactly, with the next candidates and a bound that no other
of its cases exceeds. The farthest of all shards is the next pick, ties by the lower index; while the farthest candidate after it lies
beyond every bound, it is the next one without asking again. What a worker keeps follows from the picks so far, so one that was killed
is replaced by any other.
"""

import secrets
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import Features, IntArray
from medloop.execution.executor import Executor, Task, ordered, shards_of
from medloop.query.diversity.kcentre import Front, k_centre, require_first
from medloop.query.diversity.tables import checked_pair
from medloop.query.pool import checked_number
from medloop.query.sharding import Sharding, SharedTable, shared_tables

NOMINEES = 256
"""Candidates that a shard reports at a time."""


def sharded_k_centre(features: Features, centres: Features | None, count: int, *, first: int = 0, sharding: Sharding) -> list[int]:
    """As `k_centre`, worked out in as many shards as the executor is wide; see there for arguments and errors."""
    wanted = checked_number(count, len(features))
    if not sharding.is_worth(len(features)) or not wanted:
        return k_centre(features, centres, wanted, first=first)
    table, known = checked_pair(features, centres)
    picks = list[int]()
    if not len(known):
        require_first(first, len(table))
        known, picks = np.asarray(table[first : first + 1]), [first]
    with shared_tables([table, known], sharding.folder) as (rows, begun):
        run = _Run(secrets.token_hex(8), rows, begun, wanted - len(picks), tuple(picks))
        return _merge(run, table, known, sharding.executor)


@dataclass(frozen=True)
class _Run:
    """One selection.

    Attributes:
        id: Different from those of all others.
        table, known: What is chosen from, and the first centres.
        count: How many are picked.
        taken: Cases among the first centres, which are never picked.
    """

    id: str
    table: SharedTable
    known: SharedTable
    count: int
    taken: tuple[int, ...]


@dataclass(frozen=True)
class _Report:
    """What a shard says: candidates with its farthest case among them, and what no other case's squared distance exceeds."""

    candidates: IntArray
    bound: float


def _merge(run: _Run, table: Features, known: Features, executor: Executor) -> list[int]:
    shards, picks = shards_of(len(table), executor.width), list[int]()
    try:
        while len(picks) < run.count:
            tasks = [Task(f"cases {a} to {b}", _report, (run, a, b, tuple(picks)), place=n) for n, (a, b) in enumerate(shards)]
            found = [report for report in ordered(executor, tasks) if report is not None]
            picks += _agreed(run, table, known, picks, found)
    finally:
        _KEPT.clear()
    return [*run.taken, *picks]


def _agreed(run: _Run, table: Features, known: Features, picks: list[int], reports: list[_Report]) -> list[int]:
    """The next picks that are certain: the first in any case, further ones beyond all bounds."""
    indices = np.sort(np.concatenate([report.candidates for report in reports]))
    bound = max(report.bound for report in reports)
    front, sure = Front(np.asarray(table[indices]), known, run.count), list[int]()
    for pick in picks:
        front.add(np.asarray(table[pick]))
    while len(picks) + len(sure) < run.count and not front.is_exhausted:
        place, distance = front.farthest()
        if sure and distance <= bound:
            break
        front.add(np.asarray(table[indices[place]]), place)
        sure.append(int(indices[place]))
    return sure


_KEPT: dict[tuple[str, int], tuple[Front, int]] = {}
"""What this process keeps of the selection at work: the front of a shard, and how many picks it knows."""


def _report(run: _Run, start: int, stop: int, picks: tuple[int, ...]) -> _Report | None:
    """What a shard says after these picks; None where all its cases are picked."""
    for old in [key for key in _KEPT if key[0] != run.id]:
        del _KEPT[old]
    table = run.table.rows()
    front, seen = _KEPT.get((run.id, start)) or (_begun(run, start, stop), 0)
    for pick in picks[seen:]:
        front.add(np.asarray(table[pick]), pick - start if start <= pick < stop else None)
    _KEPT[run.id, start] = front, len(picks)
    if front.is_exhausted:
        return None
    place, _ = front.farthest()
    others, bound = front.nominees(NOMINEES)
    return _Report(np.union1d(others, [place]) + start, bound)


def _begun(run: _Run, start: int, stop: int) -> Front:
    taken = [pick - start for pick in run.taken if start <= pick < stop]
    return Front(run.table.rows()[start:stop], np.asarray(run.known.rows()), run.count, without=taken[0] if taken else None)
