"""Rows as they lie in the database, for those who look for damage: one that cannot be read is named, not the end.

SQLite keeps whatever bytes it is given, so a JSON column may hold no JSON and a text no text. PostgreSQL refuses both
when they are written; there a row that cannot be read is a failing disk.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Connection, Select, Table, Text, select, type_coerce
from sqlalchemy.exc import DBAPIError

from medloop.core.errors import IntegrityError
from medloop.store.database import first_line

FETCHED = 1000
"""Rows read ahead."""


@dataclass(frozen=True)
class RawRow:
    """One row: the event that added it (or its own number), what can be read by column, and what cannot, in words."""

    event: int
    values: dict[str, Any]
    wrong: str

    @property
    def id(self) -> str:
        """The record's id, as far as it can be read."""
        return str(self.values.get("id", f"added by event {self.event}"))


def raw_rows(connection: Connection, table: Table, *, where: ColumnElement[bool] | None = None) -> Iterator[RawRow]:
    """Every row in the order of the events, read one by one from the first that cannot be read with the others.

    Raises:
        IntegrityError: Not even the numbers of the rows can be read.
    """
    key = _key(table)
    query = _raw(connection, table).order_by(key)
    query = query if where is None else query.where(where)
    given = 0
    try:
        with connection.execute(query.execution_options(yield_per=FETCHED)) as found:
            for row in found.mappings():
                yield _read(connection, table, dict(row))
                given += 1
    except DBAPIError:
        for number in _numbers(connection, table, where)[given:]:
            yield _alone(connection, table, number)


def _key(table: Table) -> Column[int]:
    return table.c.seq if "seq" in table.c else table.c.event


def _raw(connection: Connection, table: Table) -> Select[Any]:
    if connection.dialect.name != "sqlite":
        return select(table)
    return select(*(type_coerce(c, Text).label(c.name) if isinstance(c.type, JSON) else c for c in table.c))


def _numbers(connection: Connection, table: Table, where: ColumnElement[bool] | None) -> list[int]:
    key = _key(table)
    query = select(key).order_by(key)
    try:
        return list(connection.execute(query if where is None else query.where(where)).scalars())
    except DBAPIError as error:
        raise IntegrityError(
            f"The table {table.name} is damaged ({first_line(error)})", remedy="restore the project from a backup"
        ) from error


def _alone(connection: Connection, table: Table, number: int) -> RawRow:
    try:
        row = connection.execute(_raw(connection, table).where(_key(table) == number)).mappings().first()
    except DBAPIError as error:
        return RawRow(number, _readable(connection, table, number), f"it cannot be read ({first_line(error)})")
    return _read(connection, table, dict(row or {}))


def _readable(connection: Connection, table: Table, number: int) -> dict[str, Any]:
    """Those columns of a row that can be read."""
    found: dict[str, Any] = {}
    for column in table.c:
        with suppress(DBAPIError, IntegrityError):
            found[column.name] = connection.execute(select(column).where(_key(table) == number)).scalar_one()
    return found


def _read(connection: Connection, table: Table, values: dict[str, Any]) -> RawRow:
    wrong = ""
    for column in table.c if connection.dialect.name == "sqlite" else ():
        if isinstance(column.type, JSON) and isinstance(values[column.name], str | bytes):
            try:
                values[column.name] = json.loads(values[column.name])
            except (ValueError, RecursionError):
                del values[column.name]
                wrong = f"its column {column.name} holds no JSON"
    return RawRow(int(values[_key(table).name]), values, wrong)
