"""Short spellings of the columns that the tables are made of."""

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Integer, String, Text

ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column declared INTEGER PRIMARY KEY."""


def record_id() -> Column[str]:
    """The primary key: the record's own id."""
    return Column("id", String(80), primary_key=True)


def added_by_event() -> Column[int]:
    """Number of the audit event that added the row."""
    return Column("event", BigInteger, nullable=False)


def link(name: str, target: str, *, optional: bool = False) -> Column[str]:
    """Id of a row of another table."""
    return Column(name, String(80), ForeignKey(f"{target}.id"), nullable=optional)


def words(name: str, *, optional: bool = False) -> Column[str]:
    """Text of any length."""
    return Column(name, Text, nullable=optional)


def key(name: str) -> Column[str]:
    """Text that is compared by its code points, whatever language the database is set to."""
    return Column(name, Text().with_variant(Text(collation="C"), "postgresql"), nullable=False, server_default="")


def nested(name: str) -> Column[object]:
    """A JSON value."""
    return Column(name, JSON, nullable=False)


def whole(name: str, *, optional: bool = False) -> Column[int]:
    """A whole number."""
    return Column(name, Integer, nullable=optional)


def number(name: str, *, optional: bool = False) -> Column[float]:
    """A number, double precision."""
    return Column(name, Double, nullable=optional)
