"""The audit chain: each event's digest covers its content and the digest before it.

    digest = SHA-256 of the canonical JSON of [seq, at, actor, verb, noun, noun_id, body, previous]

Canonical JSON: keys sorted, no spaces, ASCII only, no NaN. The first event's `previous` is `GENESIS`.
An event is appended in the transaction of the change it tells of, by the only writer at that moment:
SQLite's `BEGIN IMMEDIATE`, or on PostgreSQL an advisory lock taken when the transaction begins. The
chain therefore has no fork and no gap, and its order does not depend on the clock.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, select

from medloop.core.names import checked_name
from medloop.core.records import Event, Json, now
from medloop.store import tables

GENESIS = "0" * 64


def canonical(value: Any) -> bytes:
    """The one way a value is written for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def row_digest(row: Mapping[str, Any]) -> str:
    """SHA-256 of a record's plain values; events keep it, so an edited row is found."""
    return hashlib.sha256(canonical(dict(row))).hexdigest()


def event_digest(event: Event) -> str:
    """What `event.digest` must be."""
    content = [event.seq, event.at, event.actor, event.verb, event.noun, event.noun_id, event.body, event.previous]
    return hashlib.sha256(canonical(content)).hexdigest()


def append_event(connection: Connection, *, actor: str, verb: str, noun: str, noun_id: str, body: Json) -> Event:
    """Add the next link; the caller's transaction must be the only writing one.

    Raises:
        InputError: The actor's is no name that an audit can hold.
    """
    actor = checked_name(actor, program=True)
    last = connection.execute(select(tables.events.c.seq, tables.events.c.digest).order_by(tables.events.c.seq.desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.digest) if last else (1, GENESIS)
    draft = Event(seq=seq, at=now(), actor=actor, verb=verb, noun=noun, noun_id=noun_id, body=dict(body), previous=previous, digest="")
    event = replace(draft, digest=event_digest(draft))
    connection.execute(insert(tables.events), dict(vars(event)))
    return event
