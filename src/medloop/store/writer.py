"""Changes to the store: each one appends its audit event in the same transaction.

Most nouns are only ever added. `change` exists for the few with a state (project, annotator, round,
assignment, account) and keeps the old values in the event, but for sealed fields (hashes of passwords).
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select, update

from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.records import Assignment, Event, Job, Json
from medloop.store.database import advised
from medloop.store.events import append_event, row_digest
from medloop.store.reader import Reader
from medloop.store.rows import Kind, encode_fields, event_values, from_row, kind_of, plain, to_row
from medloop.store.states import DECIDES, note_added, refresh

R = TypeVar("R")


class Writer(Reader):
    """An open writing transaction; made by `Store.write` for an actor, whom the events name."""

    def __init__(self, connection: Connection, actor: str) -> None:
        super().__init__(connection)
        self._actor = actor

    def add(self, record: object, *, verb: str = "add") -> None:
        """Store a new record; its event holds the SHA-256 of its values.

        Raises:
            ConflictError: Its id, or a name or number that must be unique, is taken.
            InputError: It refers to a record that does not exist, or holds a value JSON cannot.
        """
        known = kind_of(type(record))
        if isinstance(record, Job):
            raise InputError("Jobs are not added as records", remedy="use Store.jobs.enqueue")
        row = to_row(record)
        taken = self._connection.execute(select(known.table.c.id).where(known.table.c.id == row["id"])).first()
        if taken is not None:
            raise ConflictError(f"The {known.noun} {row['id']!r} exists already", remedy="give a new one a new id")
        body: dict[str, Any] = {"sha256": row_digest(event_values(known.record, row))}
        if known.changeable:
            body["record"] = {name: value for name, value in event_values(known.record, row).items() if name not in known.sealed}
        with advised(), self._connection.begin_nested():  # a refused row takes its event back with it
            added = self._append(verb, known.noun, row["id"], body)
            self._connection.execute(insert(known.table), {**row, "event": added.seq})
            note_added(self._connection, record)

    def change(self, kind: type[R], id: str, *, verb: str, fields: Mapping[str, Any]) -> R:  # noqa: A002  # the field's name
        """Set some fields of a record that has a state; the event keeps their old and new values.

        Raises:
            StateError: A noun or field that never changes.
            NotFoundError: No record of that id.
            ConflictError: The new value must be unique and is taken.
        """
        known = kind_of(kind)
        _require_changeable(known, fields)
        old = self._connection.execute(select(known.table).where(known.table.c.id == id).with_for_update()).mappings().first()
        if old is None:
            raise NotFoundError(f"There is no {known.noun} {id!r}")
        new = encode_fields(known, fields)
        changed = {
            name: {} if name in known.sealed else {"from": old[name], "to": value} for name, value in new.items() if old[name] != value
        }
        result = from_row(known, {**old, **new})
        if not changed:
            return result
        with advised(), self._connection.begin_nested():
            self._append(verb, known.noun, id, {"changed": changed, "sha256": row_digest(event_values(kind, to_row(result)))})
            self._connection.execute(update(known.table).where(known.table.c.id == id).values(new))
            if isinstance(result, Assignment) and DECIDES & changed.keys():  # a stroke only numbers its patch
                refresh(self._connection, result.case_id)
        return result

    def record(self, verb: str, noun: str, noun_id: str, body: Json) -> Event:
        """Append an event that changes no row, for example an export or a refused login."""
        return self._append(verb, noun, noun_id, plain(body))

    def _append(self, verb: str, noun: str, noun_id: str, body: Json) -> Event:
        return append_event(self._connection, actor=self._actor, verb=verb, noun=noun, noun_id=noun_id, body=body)


def _require_changeable(known: Kind[Any], fields: Mapping[str, Any]) -> None:
    if not known.changeable:
        raise StateError(f"A {known.noun} is immutable", remedy="add a new record that supersedes it")
    refused = sorted(set(fields) - known.changeable)
    if refused:
        raise StateError(
            f"{', '.join(refused)} of a {known.noun} cannot change", remedy=f"may change: {', '.join(sorted(known.changeable))}"
        )
