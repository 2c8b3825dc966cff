"""Check the audit: the pages of the database, the chain of events, every row against the event that tells of it, every blob.

The chain shows an edited, removed or inserted event. Each event of an added or changed record holds the
SHA-256 of the record's values, which shows a row edited, removed or slipped in behind the events' back; the
number of its first event shows a row moved in the order. Blobs are read and compared with their names.
Whoever can rewrite the whole database can also make a new chain, and the end of a chain can be cut off: keep
the last digest somewhere else and give it to the next check. What was not checked is said in words.
"""

from dataclasses import dataclass, replace
from itertools import groupby

from medloop.core.errors import BlobError
from medloop.core.records import Event
from medloop.store.audit_rows import Recorded, add_event, wrong_rows
from medloop.store.events import GENESIS, event_digest
from medloop.store.pages import damaged_pages
from medloop.store.raw import RawRow
from medloop.store.reader import Reader
from medloop.store.references import Reference, case_names, references
from medloop.store.store import Store

JOB_LOGS = "logs and progress of jobs: no event tells of them"
NO_BLOBS = "the blobs (images, masks, weights): left out as requested"


@dataclass(frozen=True)
class AuditReport:
    """What the check found.

    Attributes:
        events: How many events were read.
        ok: Whether everything that was checked fits.
        first_bad: Number of the first event that does not fit, or whose row or blob does not; None when all do,
            or when no event can be named.
        reason: What is wrong, one line; "" when all is well.
        last_digest: Of the last event; kept elsewhere, it proves later that nothing was cut off.
        blobs: How many blobs were read and compared; None when that was not asked or not reached.
        unchecked: What was not checked, in words.
    """

    events: int
    ok: bool
    first_bad: int | None
    reason: str
    last_digest: str
    blobs: int | None = None
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wrong:
    """The first thing that does not fit."""

    reason: str
    seq: int | None = None


@dataclass
class _Chain:
    """What reading the chain has gathered so far."""

    count: int = 0
    digest: str = GENESIS
    known: bool = False


def verify(store: Store, *, blobs: bool = True, last_digest: str = "") -> AuditReport:
    """Read everything, with every blob if asked, and stop at the first thing that does not fit; an earlier check's digest must be there.

    Raises:
        StorageError: The database refused.
        IntegrityError: The database is so damaged that it cannot be read.
    """
    chain, told = _Chain(known=last_digest in ("", GENESIS)), dict[tuple[str, str], Recorded]()
    with store.read() as tx:
        damage, skipped = damaged_pages(tx.connection)
        wrong = _Wrong(damage) if damage else _follow(tx, chain, told, last_digest) or _rows(tx, told)
        needed = [] if wrong or not blobs else sorted(references(tx.connection), key=lambda r: r.blob)
        names = case_names(tx.connection) if needed else {}
    read, bad = _read_blobs(store, needed, names, told)
    wrong = wrong or bad
    unchecked = tuple(part for part in (skipped, JOB_LOGS, "" if blobs else NO_BLOBS) if part)
    report = AuditReport(chain.count, wrong is None, None, "", chain.digest, read if blobs and not wrong else None, unchecked)
    return report if wrong is None else replace(report, first_bad=wrong.seq, reason=wrong.reason)


def _follow(tx: Reader, chain: _Chain, told: dict[tuple[str, str], Recorded], last_digest: str) -> _Wrong | None:
    """Read the chain from its first event to its last; None when it is whole."""
    for row in tx.raw_events():
        reason = _wrong_event(row, chain)
        if reason:
            return _Wrong(reason, row.event)
        event = Event(**row.values)
        chain.count, chain.digest = event.seq, event.digest
        chain.known = chain.known or event.digest == last_digest
        add_event(told, event)
    if not chain.known:
        return _Wrong(f"the digest {last_digest[:64]} is not in the chain: events were cut off, or the chain was made anew")
    return None


def _wrong_event(row: RawRow, chain: _Chain) -> str:
    seq = chain.count + 1
    if row.event != seq:
        return f"event {seq} is missing: number {row.event} follows {seq - 1}"
    if row.wrong:
        return f"event {seq} was edited or damaged: {row.wrong}"
    event = Event(**row.values)
    if event.previous != chain.digest:
        return f"event {seq} does not continue the chain"
    return "" if _digest_fits(event) else f"event {seq} was edited: its content does not match its digest"


def _digest_fits(event: Event) -> bool:
    try:
        return event_digest(event) == event.digest and isinstance(event.body, dict)
    except (ValueError, TypeError, RecursionError):  # what JSON cannot hold was slipped in
        return False


def _rows(tx: Reader, told: dict[tuple[str, str], Recorded]) -> _Wrong | None:
    return next((_Wrong(reason, seq) for seq, reason in wrong_rows(tx, told)), None)


def _read_blobs(
    store: Store, needed: list[Reference], names: dict[str, str], told: dict[tuple[str, str], Recorded]
) -> tuple[int, _Wrong | None]:
    """Read each blob once; how many, and the first that is gone or does not match its name."""
    count = 0
    for _, users in groupby(needed, key=lambda reference: reference.blob):
        first = next(users)
        try:
            store.blobs.check_kept(first.blob)
        except BlobError as error:
            known = told.get((first.noun, first.noun_id))
            return count, _Wrong(f"the {first.field} of {owner_of(first, names)}: {error.message}", known.first if known else None)
        count += 1
    return count, None


def owner_of(reference: Reference, names: dict[str, str]) -> str:
    """What a blob belongs to, in words."""
    row = f"the {reference.noun} {reference.noun_id}"
    return f"{row} (case {names.get(reference.case_id, reference.case_id)})" if reference.case_id else row
