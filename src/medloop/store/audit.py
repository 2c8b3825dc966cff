"""Check the audit: the chain of events, and every row against the event that tells of it.

The chain shows an edited, removed or inserted event. Each event of an added or changed record holds the
SHA-256 of the record's values, which shows a row edited, removed or slipped in behind the events' back.
Whoever can rewrite the whole database can also make a new chain: keep the last digest somewhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import RowMapping

from medloop.core.records import Event, Job
from medloop.store.events import GENESIS, event_digest, row_digest
from medloop.store.reader import Reader
from medloop.store.rows import Kind, from_row, kinds, to_row, told
from medloop.store.store import Store

PAGE = 1000


@dataclass(frozen=True)
class AuditReport:
    """What the check found.

    Attributes:
        events: How many events were read.
        ok: Whether everything fits.
        first_bad: Number of the first event that does not fit, or whose row does not; None when all do,
            or when a row has no event at all.
        reason: What is wrong, one line; "" when all is well.
        last_digest: Of the last event; kept elsewhere, it proves later that nothing was cut off.
    """

    events: int
    ok: bool
    first_bad: int | None
    reason: str
    last_digest: str


@dataclass(frozen=True)
class _Told:
    """The last event that tells a record's digest."""

    seq: int
    sha256: str


def verify(store: Store) -> AuditReport:
    """Read all events and rows in one transaction and stop at the first that does not fit.

    Raises:
        StorageError: The database refused.
    """
    with store.read() as tx:
        told: dict[tuple[str, str], _Told] = {}
        count, previous = 0, GENESIS
        for event in _all_events(tx):
            wrong = _wrong_link(event, count + 1, previous)
            if wrong:
                return AuditReport(count, False, event.seq, wrong, previous)
            count, previous = event.seq, event.digest
            if "sha256" in event.body:
                told[event.noun, event.noun_id] = _Told(event.seq, event.body["sha256"])
        bad = next(_wrong_rows(tx, told), None)
    if bad is not None:
        return AuditReport(count, False, bad[0], bad[1], previous)
    return AuditReport(count, True, None, "", previous)


def _all_events(tx: Reader) -> Iterator[Event]:
    after = 0
    while page := tx.events(after=after, limit=PAGE):
        yield from page
        after = page[-1].seq


def _wrong_link(event: Event, seq: int, previous: str) -> str:
    if event.seq != seq:
        return f"event {seq} is missing: number {event.seq} follows {seq - 1}"
    if event.previous != previous:
        return f"event {event.seq} does not continue the chain"
    if event_digest(event) != event.digest:
        return f"event {event.seq} was edited: its content does not match its digest"
    return ""


def _wrong_rows(tx: Reader, told: dict[tuple[str, str], _Told]) -> Iterator[tuple[int | None, str]]:
    """Rows that no event tells of or that differ from it, then events whose row is gone."""
    for kind in kinds():
        if kind.record is Job:
            continue  # heartbeats change jobs without events
        for row in tx.rows(kind):
            known = told.pop((kind.noun, row["id"]), None)
            if known is None:
                yield None, f"the {kind.noun} {row['id']} has no event"
            elif not _fits(kind, row, known):
                yield known.seq, f"the {kind.noun} {row['id']} was edited: it does not match event {known.seq}"
    for (noun, noun_id), known in told.items():
        yield known.seq, f"the {noun} {noun_id} of event {known.seq} is gone"


def _fits(kind: Kind[Any], row: RowMapping, known: _Told) -> bool:
    """Whether a row holds what its event tells: to the letter, or as today's record of it would be written."""
    try:
        stored = told(kind.record, {f.name: row[f.name] for f in fields(kind.record)})
        return row_digest(stored) == known.sha256 or row_digest(told(kind.record, to_row(from_row(kind, row)))) == known.sha256
    except (ValueError, TypeError, KeyError):  # an edited row need not even make a record
        return False
