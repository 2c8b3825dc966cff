"""The columns that the tables are made of: of a field, by its type, and short spellings."""

from types import NoneType
from typing import Any, Literal, get_args, get_origin

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Integer, String, Text

ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column declared INTEGER PRIMARY KEY."""

_LINKS = {
    "account_id": "accounts",
    "case_id": "cases",
    "task_id": "tasks",
    "annotator_id": "annotators",
    "assignment_id": "assignments",
    "annotation_id": "annotations",
    "round_id": "rounds",
    "query_id": "queries",
    "snapshot_id": "snapshots",
    "model_id": "models",
    "judged_id": "models",
    "proposal_id": "predictions",
    "evaluation_id": "evaluations",
    "job_id": "jobs",
    "gold_id": "gold_cases",
    "supersedes": "annotations",
    "replaces": "prompts",
}
"""Fields that name a row of another table."""

_PLAIN = {int: Integer, float: Double, bool: Boolean}


def by_type(name: str, hint: Any) -> Column[Any]:
    """The column of a record's field: `id` is the primary key, other ids are links, `None` among the types makes it optional."""
    if name == "id":
        return Column("id", String(80), primary_key=True)
    optional = NoneType in get_args(hint)
    if name in _LINKS:
        return link(name, optional=optional)
    kind = next(each for each in get_args(hint) if each is not NoneType) if optional else hint
    text = get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, str))
    return Column(name, Text if text else _PLAIN.get(kind, JSON), nullable=optional)


def link(name: str, *, optional: bool = False, unique: bool | None = None) -> Column[str]:
    """Id of a row of another table."""
    return Column(name, String(80), ForeignKey(f"{_LINKS[name]}.id"), nullable=optional, unique=unique)


def words(name: str) -> Column[str]:
    """Text of any length."""
    return Column(name, Text, nullable=False)


def key(name: str) -> Column[str]:
    """Text that is compared by its code points, whatever language the database is set to."""
    return Column(name, Text().with_variant(Text(collation="C"), "postgresql"), nullable=False, server_default="")


def nested(name: str) -> Column[object]:
    """A JSON value."""
    return Column(name, JSON, nullable=False)


def whole(name: str) -> Column[int]:
    """A whole number."""
    return Column(name, Integer, nullable=False)


def number(name: str, *, optional: bool = False) -> Column[float]:
    """A number, double precision."""
    return Column(name, Double, nullable=optional)
