"""The audit of rows: each holds what its events tell, stands where its first event put it, and none is missing or too many."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqlalchemy import select

from medloop.core.errors import IntegrityError
from medloop.core.records import Case, Event, Job
from medloop.store.events import row_digest
from medloop.store.raw import RawRow, raw_rows
from medloop.store.reader import Reader
from medloop.store.rows import Kind, event_values, from_row, kind_of, kinds, to_row
from medloop.store.states import expected_line
from medloop.store.tables import case_states
from medloop.store.tallies import tallies_are_right

Wrong = tuple[int | None, str]
"""Number of the event that tells otherwise, and what is wrong."""


@dataclass(frozen=True)
class Recorded:
    """What events tell of a record: the first and last one, the SHA-256 of its values; of a job, what it was asked with and its end."""

    first: int
    last: int
    sha256: str = ""
    verb: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


def add_event(told: dict[tuple[str, str], Recorded], event: Event) -> None:
    """Add what one event tells."""
    key = (event.noun, event.noun_id)
    known = told.get(key)
    if event.noun == "job":
        begun = known or Recorded(event.seq, event.seq)
        told[key] = replace(begun, last=event.seq, verb=event.verb, body={**_requested(begun.body), **event.body})
    elif "sha256" in event.body:
        told[key] = Recorded(known.first if known else event.seq, event.seq, str(event.body["sha256"]), event.verb)


def wrong_rows(tx: Reader, told: Mapping[tuple[str, str], Recorded]) -> Iterator[Wrong]:
    """Rows that no event tells of or that differ from it, then events whose row is gone, then what is derived from rows."""
    seen: set[tuple[str, str]] = set()
    for kind in kinds():
        for row in raw_rows(tx.connection, kind.table):
            seen.add((kind.noun, row.id))
            wrong = _wrong_row(kind, row, told.get((kind.noun, row.id)))
            if wrong:
                yield wrong
    for (noun, noun_id), known in told.items():
        if (noun, noun_id) not in seen:
            yield known.last, f"the {noun} {noun_id} of event {known.last} is gone"
    yield from _wrong_states(tx)


def _wrong_row(kind: Kind[Any], row: RawRow, known: Recorded | None) -> Wrong | None:
    name = f"the {kind.noun} {row.id}"
    if row.wrong:
        return known.last if known else row.event, f"{name} was edited or damaged: {row.wrong}"
    if known is None:
        return None, f"{name} has no event"
    if not (_job_fits(row, known) if kind.record is Job else _fits(kind, row, known)):
        return known.last, f"{name} was edited: it does not match event {known.last}"
    if row.event != known.first:
        return known.first, f"{name} was moved: it says that event {row.event} added it, not {known.first}"
    return None


def _fits(kind: Kind[Any], row: RawRow, known: Recorded) -> bool:
    """Whether a row holds what its event tells: to the letter, or as today's record of it would be written."""
    try:
        stored = event_values(kind.record, {f.name: row.values[f.name] for f in fields(kind.record)})
        if row_digest(stored) == known.sha256:
            return True
        return row_digest(event_values(kind.record, to_row(from_row(kind, row.values)))) == known.sha256
    except (IntegrityError, ValueError, TypeError, KeyError, AttributeError, RecursionError):  # an edited row need not even make a record
        return False


_ENDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("enqueue", "requeue", "release", "retry"), frozenset({"queued", "running"})),
    "cancel": frozenset({"running", "cancelled"}),
    "finish": frozenset({"done"}),
    "fail": frozenset({"failed"}),
}
"""States that a job may be in after its last event; what heartbeats change has no events."""

_REQUESTED: tuple[str, ...] = ("kind", "payload", "key", "priority", "max_attempts", "created_at")


def _requested(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in _REQUESTED if name in body}


def _job_fits(row: RawRow, known: Recorded) -> bool:
    """Whether a job is the one that was asked for, and ended as its events tell."""
    told, held = known.body, row.values
    if held["state"] not in _ENDS.get(known.verb, frozenset({held["state"]})):
        return False
    asked = all(held[name] == told[name] for name in _REQUESTED if name in told)
    ended = held["result"] == told.get("result", held["result"]) if held["state"] == "done" else True
    failed = held["error"] == told.get("error", held["error"]) if held["state"] == "failed" else True
    return asked and ended and failed


def _wrong_states(tx: Reader) -> Iterator[Wrong]:
    """Lines of the worklist that are missing, too many, or say something else than what they are derived from."""
    lines = {row["case_id"]: dict(row) for row in tx.connection.execute(select(case_states)).mappings()}
    known = kind_of(Case)
    for row in raw_rows(tx.connection, known.table):
        line = lines.pop(row.id, None)
        if line is None:
            yield row.event, f"the worklist's line of the case {row.id} is gone"
            continue
        wanted = expected_line(tx.connection, from_row(known, row.values))
        wrong = next((name for name, value in wanted.items() if line[name] != value), None)
        if wrong is not None:
            yield row.event, f"the worklist's line of the case {row.id} was edited: its {wrong} is not what it derives from"
    for case_id in lines:
        yield None, f"the worklist's line {case_id} belongs to no case"
    if not tallies_are_right(tx.connection):
        yield None, "the worklist's counts are not those of its lines"
