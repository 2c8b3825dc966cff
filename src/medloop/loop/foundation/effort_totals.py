"""What everybody's work amounts to, kept in memory and brought up to date by what the audit says has changed since the last look.

The log of work of a team has a line per reading: reading all of it whenever somebody looks at the progress would cost more every day.
So each open database has its totals once, a look reads what is new, and only whose log grew is added up again. A writing
transaction, which may be rolled back, adds up by itself.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from medloop.core.records import Annotation, Effort, Withdrawal
from medloop.loop.foundation.spent import OWN_ORIGINS, RateChange, limit_overlaps, rate_at, rate_changes, span_of
from medloop.store.pool_rows import AnnotatedRow
from medloop.store.reader import Reader
from medloop.store.writer import Writer

NOUNS = ("effort", "annotation", "withdrawal")
"""What changes the totals."""


@dataclass(frozen=True)
class Totals:
    """What one person's work amounts to; as in `medloop.loop.foundation.effort.EffortLine`."""

    annotations: int = 0
    cases: int = 0
    timed: int = 0
    median_seconds: float | None = None
    minutes: float = 0.0
    idle_minutes: float | None = None
    cost: float = 0.0


class Counted(NamedTuple):
    """A stretch of work on a case: its round, the active seconds that count (0 where unknown), and what was done; None is unknown."""

    case_id: str
    round_id: str | None
    seconds: float
    strokes: int | None
    prompts: int | None
    slices_viewed: int | None


@dataclass
class _Person:
    """One person's annotations that were not undone, and all their work.

    Attributes:
        made: Annotation id → case id and recorded seconds.
        worked: Session's record, or annotation from before sessions → (begin, end, active seconds, event,
            idle seconds); NaN where unknown.
        done: The same keys → what was done on which case, as reported.
        counted: The same with the seconds that count, in order; as new as the totals.
        totals: None since something changed; with the rates that they rest on.
    """

    made: dict[str, tuple[str, float]] = field(default_factory=dict)
    worked: dict[str, tuple[float, float, float, int, float]] = field(default_factory=dict)
    done: dict[str, Counted] = field(default_factory=dict)
    counted: Sequence[Counted] = ()
    totals: Totals | None = None
    rates: Sequence[RateChange] = ()

    def work(self, key: str, stretch: tuple[float, float, float, int, float], done: Counted) -> None:
        """Add a stretch of work, or put it in the place of an older report of it."""
        self.worked[key], self.done[key] = stretch, done

    def forget(self, key: str) -> None:
        """A stretch is none of theirs."""
        del self.worked[key], self.done[key]


class _Kept:
    """Everybody's work as the last look found it."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._seen = -1
        self._people: dict[str, _Person] = {}
        self._sessions: set[str] = set()
        self._before: dict[str, AnnotatedRow] = {}

    def look(self, tx: Reader) -> tuple[dict[str, Totals], list[Counted]]:
        """Everybody's totals and stretches of work now."""
        with self._guard:
            newest, changed = tx.changed_since(self._seen, NOUNS) if self._seen >= 0 else (tx.last_event(), None)
            self._take(tx, changed)
            self._seen = max(self._seen, newest)
            rates = rate_changes(tx)
            totals = {who: _totals_of(person, rates.get(who, ())) for who, person in self._people.items()}
            return totals, [one for person in self._people.values() for one in person.counted]

    def _take(self, tx: Reader, changed: Mapping[str, Collection[str]] | None) -> None:
        """Read what changed; everything where that is None."""
        efforts, annotations, withdrawals = (None if changed is None else changed.get(noun, ()) for noun in NOUNS)
        for effort, round_id, event in tx.effort_log(among=efforts):
            self._worked(effort, round_id, event)
        for row in tx.annotated_rows(OWN_ORIGINS, among=annotations):
            self._annotated(row)
        for undone in tx.find(Withdrawal, where={"id": withdrawals or (), "verb": "undone"}):
            self._person(tx.get(Annotation, undone.annotation_id).annotator_id).made.pop(undone.annotation_id, None)

    def _person(self, annotator_id: str) -> _Person:
        """Whose totals change."""
        person = self._people.setdefault(annotator_id, _Person())
        person.totals = None
        return person

    def _worked(self, effort: Effort, round_id: str | None, event: int) -> None:
        session = effort.assignment_id or effort.session
        self._sessions.add(session)
        if (before := self._before.pop(session, None)) is not None:
            self._person(before.annotator_id).forget(session)
        idle = math.nan if effort.idle_seconds is None else effort.idle_seconds
        done = Counted(effort.case_id, round_id, effort.active_seconds or 0.0, effort.strokes, effort.prompts, effort.slices_viewed)
        self._person(effort.annotator_id).work(effort.id, (*span_of(effort), event, idle), done)

    def _annotated(self, row: AnnotatedRow) -> None:
        """An annotation; its own seconds count where it is from before sessions were kept."""
        person = self._person(row.annotator_id)
        if not row.undone:
            person.made[row.id] = (row.case_id, row.seconds)
        session, known = row.assignment_id or row.id, self._before.get(row.assignment_id or row.id)
        if session not in self._sessions and row.seconds > (known.seconds if known else 0.0):
            self._before[session] = row
            done = Counted(row.case_id, row.round_id, row.seconds, None, None, None)
            person.work(session, (math.nan, math.nan, row.seconds, row.event, math.nan), done)


def _totals_of(person: _Person, rates: Sequence[RateChange]) -> Totals:
    """A person's totals, added up anew where something changed."""
    if person.totals is None or person.rates != rates:
        person.rates, person.totals = rates, _added_up(person, rates)
    return person.totals


def _added_up(person: _Person, rates: Sequence[RateChange]) -> Totals:
    times = [seconds for _, seconds in person.made.values() if seconds > 0]
    work = np.array(list(person.worked.values()), np.float64).reshape(-1, 5)
    spans, seconds = work[:, :3], np.nan_to_num(work[:, 2])
    placed = ~np.isnan(spans).any(axis=1)
    seconds[placed] = limit_overlaps(spans[placed])
    person.counted = [one._replace(seconds=float(s)) for one, s in zip(person.done.values(), seconds, strict=True)]
    idle = work[~np.isnan(work[:, 4]), 4]
    return Totals(
        annotations=len(person.made),
        cases=len({case_id for case_id, _ in person.made.values()}),
        timed=len(times),
        median_seconds=float(np.median(times)) if times else None,
        minutes=math.fsum(seconds) / 60.0,
        idle_minutes=math.fsum(idle) / 60.0 if idle.size else None,
        cost=math.fsum(s / 60 * rate_at(rates, event) for s, event in zip(seconds.tolist(), work[:, 3], strict=True)),
    )


_EVERYBODYS: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


def effort_totals(tx: Reader) -> dict[str, Totals]:
    """Everybody's totals by annotator id, without those who never worked here."""
    return _kept_by(tx).look(tx)[0]


def counted_work(tx: Reader) -> list[Counted]:
    """Everybody's stretches of work, person by person."""
    return _kept_by(tx).look(tx)[1]


def _kept_by(tx: Reader) -> _Kept:
    return _Kept() if isinstance(tx, Writer) else _EVERYBODYS.setdefault(tx.connection.engine, _Kept())
