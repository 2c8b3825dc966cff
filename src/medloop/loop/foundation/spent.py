"""Every stretch of work that was spent on a project, once, at the rate that held when it was recorded.

Spent is spent: work on submissions that were undone, on cases that were skipped or flagged, and on drafts that nobody submitted
counts too. Nobody works for longer than the clock goes: where sessions of one person overlap, on whatever cases, their seconds
together are cut to the time that passed.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike

from medloop.core.records import Annotator, Effort
from medloop.loop.foundation.effort_log import EARLIER
from medloop.store.pool_rows import AnnotatedRow, Period
from medloop.store.reader import Reader

OWN_ORIGINS = ("human", "simulated", "adjudicated", "gold")

UNPRICED = 1.0
"""Cost per minute of whom no rate was set for: cost is counted in minutes."""

REPRICE = "reprice"
"""Verb of a rate that counts for the past, too."""


@dataclass(frozen=True)
class Spent:
    """Work of one person on one case in one session.

    Attributes:
        effort: What was recorded.
        round_id: The round that the case was handed out in; None outside rounds.
        seconds: Active seconds that count; None where they are unknown.
        cost: Their minutes at the rate of the time.
    """

    effort: Effort
    round_id: str | None
    seconds: float | None
    cost: float


@dataclass(frozen=True)
class RateChange:
    """A rate, the number of the event that set it, and whether it counts for the past, too."""

    event: int
    rate: float
    past: bool


def spent(tx: Reader, annotated: Sequence[AnnotatedRow] | None = None) -> list[Spent]:
    """All work, oldest record first; `annotated` is what `annotated_rows` gave, if it is at hand already."""
    log = tx.effort_log()
    log += _before_sessions(tx.annotated_rows(OWN_ORIGINS) if annotated is None else annotated, [effort for effort, _, _ in log])
    counted, rates = _counted([effort for effort, _, _ in log]), rate_changes(tx)
    return [
        Spent(effort, round_id, seconds, (seconds or 0.0) / 60 * rate_at(rates.get(effort.annotator_id, ()), event))
        for (effort, round_id, event), seconds in zip(log, counted, strict=True)
    ]


def spent_since(tx: Reader, of: Period) -> list[tuple[float, str]]:
    """(active seconds that count, when they ended) of somebody's work in a period; of what began before it the share that lies in it."""
    worked = [effort for effort, _, _ in tx.effort_log(of=of)]
    begin, counted = _clock(of.since), _counted(worked)
    known = [(seconds, effort) for seconds, effort in zip(counted, worked, strict=True) if seconds]
    return [(seconds * _share_after(effort, begin), effort.ended_at or effort.created_at) for seconds, effort in known]


def _share_after(effort: Effort, begin: float) -> float:
    """The share of a stretch of work that lies after a moment."""
    if effort.began_at is None or effort.ended_at is None or _clock(effort.began_at) >= begin:
        return 1.0
    return (_clock(effort.ended_at) - begin) / (_clock(effort.ended_at) - _clock(effort.began_at))


def limit_overlaps(spans: ArrayLike) -> list[float]:
    """Active seconds of one person's stretches of work, none of which can be worked on while another one is.

    Args:
        spans: (begin, end, active seconds) of each, shape (stretches, 3), in any order.

    Returns:
        Seconds that count, in the same order. Stretches that overlap, directly or through others, share the time from the first
        begin to the last end in proportion, if they report more than that; all others count as they are.
    """
    table = np.asarray(spans, np.float64).reshape(-1, 3)
    if not len(table):
        return []
    order = np.lexsort((table[:, 1], table[:, 0]))
    begin, end, active = table[order].T
    starts = np.flatnonzero(np.append(True, begin[1:] >= np.maximum.accumulate(end)[:-1]))
    sizes = np.diff(np.append(starts, len(table)))
    passed = np.maximum.reduceat(end, starts) - begin[starts]
    reported = np.add.reduceat(active, starts)
    cut = np.repeat((sizes > 1) & (reported > passed), sizes)
    passed, reported = np.repeat(passed, sizes), np.repeat(reported, sizes)
    counted = active.copy()
    counted[cut] *= passed[cut] / reported[cut]
    return [float(one) for one in counted[np.argsort(order)]]


def rate_changes(tx: Reader) -> Mapping[str, Sequence[RateChange]]:
    """Every rate that was set, by annotator's id, oldest first, as the audit knows them."""
    found: dict[str, list[RateChange]] = defaultdict(list)
    for event in tx.events_about("annotator", verbs=["price", REPRICE]):
        rate = event.body.get("changed", {}).get("cost_per_minute", {}).get("to")
        if rate is not None:
            found[event.noun_id].append(RateChange(event.seq, float(rate), event.verb == REPRICE))
    return found


def rate_at(changes: Sequence[RateChange], event: int) -> float:
    """The rate of what an event added: the last one set before it, or what was set later for the past; the first one before any was set."""
    rate = changes[0].rate if changes else UNPRICED
    for change in changes:
        if change.event < event or change.past:
            rate = change.rate
    return rate


def people_by_id(tx: Reader) -> dict[str, Annotator]:
    """Everybody who annotates, by id."""
    return {one.id: one for one in tx.find(Annotator)}


def _before_sessions(annotated: Sequence[AnnotatedRow], known: Sequence[Effort]) -> list[tuple[Effort, str | None, int]]:
    """Seconds of annotations from before sessions were kept; those of one undone went on in the next of its assignment."""
    assignments, made = {effort.assignment_id for effort in known}, {effort.session for effort in known if effort.assignment_id is None}
    longest: dict[str, AnnotatedRow] = {}
    for row in annotated:
        if row.seconds > 0 and (row.id not in made if row.assignment_id is None else row.assignment_id not in assignments):
            key = row.assignment_id or row.id
            longest[key] = max(longest.get(key, row), row, key=lambda one: one.seconds)
    return [(_of_annotation(row), row.round_id, row.event) for row in longest.values()]


def _of_annotation(row: AnnotatedRow) -> Effort:
    return Effort(
        id=row.id, case_id=row.case_id, annotator_id=row.annotator_id, assignment_id=row.assignment_id, session=EARLIER,
        active_seconds=row.seconds, created_at=row.created_at,
    )  # fmt: skip


def _counted(log: Sequence[Effort]) -> list[float | None]:
    counted = [effort.active_seconds for effort in log]
    placed: dict[str, list[int]] = defaultdict(list)
    spans = [span_of(effort) for effort in log]
    for n, effort in enumerate(log):
        if not any(map(math.isnan, spans[n])):
            placed[effort.annotator_id].append(n)
    for indices in placed.values():
        for n, seconds in zip(indices, limit_overlaps([spans[n] for n in indices]), strict=True):
            counted[n] = seconds
    return counted


def span_of(effort: Effort) -> tuple[float, float, float]:
    """(begin, end, active seconds) of a stretch of work, times as seconds of the clock; NaN where unknown."""
    began, ended = (math.nan if at is None else _clock(at) for at in (effort.began_at, effort.ended_at))
    return began, ended, math.nan if effort.active_seconds is None else effort.active_seconds


def _clock(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
