"""The tables: one per noun, plus events, the worklist's states and job logs.

Conventions: column names are the record's field names; nested values are JSON; times are the records'
own text (UTC, ISO 8601). Every noun's row carries `event`, the sequence number of the audit event that
added it: it orders rows even when the clock was turned back, and ties the row to the chain.

`case_states` is derived: what the worklist shows per case, brought up to date in the transaction that
changes it (see `states.py`), so that a project of 100,000 cases is counted and listed from one index.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

IMMUTABLE = ("annotations", "models", "predictions", "snapshots", "queries", "tasks", "evaluations")
"""Tables whose rows are never updated or deleted: triggers refuse it, as they do for `events`."""

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column declared INTEGER PRIMARY KEY."""


def _id() -> Column[str]:
    return Column("id", String(80), primary_key=True)


def _added_by_event() -> Column[int]:
    return Column("event", BigInteger, nullable=False)


def _link(name: str, target: str, *, optional: bool = False) -> Column[str]:
    return Column(name, String(80), ForeignKey(f"{target}.id"), nullable=optional)


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


def _json(name: str) -> Column[object]:
    return Column(name, JSON, nullable=False)


def _whole(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=optional)


def _number(name: str, *, optional: bool = False) -> Column[float]:
    return Column(name, Double, nullable=optional)


events = Table(
    "events",
    metadata,
    Column("seq", _ROW_NUMBER, primary_key=True, autoincrement=False),
    _text("at"),
    _text("actor"),
    _text("verb"),
    _text("noun"),
    _text("noun_id"),
    _json("body"),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Index(None, "noun", "noun_id"),
)

tasks = Table(
    "tasks",
    metadata,
    _id(),
    _whole("version"),
    _text("kind"),
    _json("labels"),
    _text("instructions"),
    _text("created_at"),
    _added_by_event(),
)

projects = Table(
    "projects",
    metadata,
    _id(),
    _text("name"),
    _link("task_id", "tasks"),
    _json("settings"),
    _text("created_at"),
    _added_by_event(),
)

cases = Table(
    "cases",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("patient", Text, nullable=False, index=True),
    _text("split"),
    _json("grid"),
    _whole("channels"),
    _text("dtype"),
    _text("voxels"),
    _json("window"),
    _json("value_range"),
    _json("source"),
    _text("stratum"),
    _json("notes"),
    _text("added_at"),
    _added_by_event(),
    Index(None, "split", "name"),
)

annotators = Table(
    "annotators",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("kind"),
    _json("roles"),
    _number("cost_per_minute"),
    _text("created_at"),
    _added_by_event(),
)

assignments = Table(
    "assignments",
    metadata,
    _id(),
    _link("case_id", "cases"),
    _link("annotator_id", "annotators"),
    _link("round_id", "rounds", optional=True),
    _link("proposal_id", "predictions", optional=True),
    _text("state"),
    _whole("revision"),
    _text("reason"),
    _text("opened_at"),
    _text("closed_at", optional=True),
    _added_by_event(),
    Index(None, "case_id", "state"),
    Index(None, "annotator_id", "state", "opened_at"),
    Index(None, "state", "opened_at"),
    Index(None, "round_id"),
)

draft_patches = Table(
    "draft_patches",
    metadata,
    _id(),
    _link("assignment_id", "assignments"),
    _whole("revision"),
    _json("runs"),
    _text("created_at"),
    _added_by_event(),
    UniqueConstraint("assignment_id", "revision"),
)

annotations = Table(
    "annotations",
    metadata,
    _id(),
    _link("case_id", "cases"),
    _link("task_id", "tasks"),
    _link("annotator_id", "annotators"),
    _text("kind"),
    _text("blob", optional=True),
    _whole("tag", optional=True),
    _text("origin"),
    _link("assignment_id", "assignments", optional=True),
    _link("proposal_id", "predictions", optional=True),
    _link("supersedes", "annotations", optional=True),
    _number("effort_seconds"),
    _text("created_at"),
    _added_by_event(),
    Index(None, "case_id", "annotator_id", "event"),
    Index(None, "supersedes"),
    Index(None, "created_at"),
)

queries = Table(
    "queries",
    metadata,
    _id(),
    _text("strategy"),
    Column("seed", BigInteger, nullable=False),
    _link("model_id", "models", optional=True),
    _json("choices"),
    _text("created_at"),
    _added_by_event(),
)

rounds = Table(
    "rounds",
    metadata,
    _id(),
    Column("index", Integer, nullable=False, unique=True),
    Column("state", Text, nullable=False, index=True),
    _link("query_id", "queries", optional=True),
    _link("snapshot_id", "snapshots", optional=True),
    _link("model_id", "models", optional=True),
    _text("message"),
    _text("created_at"),
    _text("updated_at"),
    _added_by_event(),
)

snapshots = Table(
    "snapshots",
    metadata,
    _id(),
    _json("annotation_ids"),
    _text("digest"),
    _text("created_at"),
    _added_by_event(),
)

models = Table(
    "models",
    metadata,
    _id(),
    Column("index", Integer, nullable=False, unique=True),
    _json("recipe"),
    _link("snapshot_id", "snapshots"),
    _json("weights"),
    _json("metrics"),
    _text("created_at"),
    _added_by_event(),
)

predictions = Table(
    "predictions",
    metadata,
    _id(),
    _link("case_id", "cases"),
    _link("model_id", "models"),
    _text("mask", optional=True),
    _text("uncertainty", optional=True),
    _json("probabilities"),
    _text("features", optional=True),
    _json("scores"),
    _number("quality", optional=True),
    _number("quality_low", optional=True),
    _number("quality_high", optional=True),
    _text("created_at"),
    _added_by_event(),
    Index(None, "case_id", "model_id", "event"),
    Index(None, "model_id", "case_id", "event"),
)

evaluations = Table(
    "evaluations",
    metadata,
    _id(),
    _link("model_id", "models"),
    _text("split"),
    _text("metric"),
    _number("mean"),
    _number("low"),
    _number("high"),
    _whole("labelled_cases"),
    _number("effort_minutes"),
    _json("per_case"),
    Column("selected", Boolean, nullable=False),
    _text("created_at"),
    _added_by_event(),
    Index(None, "model_id", "split"),
)

case_states = Table(
    "case_states",
    metadata,
    Column("case_id", String(80), ForeignKey("cases.id"), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("patient"),
    _text("split"),
    _text("state"),
    _whole("annotations"),
    _whole("open_assignments"),
    _number("quality", optional=True),
    _number("uncertainty", optional=True),
    Index(None, "split", "state", "open_assignments"),
    Index(None, "state", "name"),
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    _text("kind"),
    _json("payload"),
    _text("state"),
    _text("key", optional=True),
    _whole("priority"),
    _whole("attempt"),
    _whole("max_attempts"),
    _number("progress"),
    _text("message"),
    _text("owner", optional=True),
    Column("cancel_requested", Boolean, nullable=False),
    _text("error"),
    _json("result"),
    _text("created_at"),
    _text("started_at", optional=True),
    _text("finished_at", optional=True),
    Column("beat", BigInteger, nullable=False),
    _number("lease_seconds"),
    _added_by_event(),
    Index(None, "state", "priority", "event"),
    Index(
        "uq_jobs_key_while_waiting",
        "key",
        unique=True,
        sqlite_where=text("key IS NOT NULL AND state IN ('queued', 'running')"),
        postgresql_where=text("key IS NOT NULL AND state IN ('queued', 'running')"),
    ),
)

job_logs = Table(
    "job_logs",
    metadata,
    Column("seq", _ROW_NUMBER, primary_key=True),
    _link("job_id", "jobs"),
    _text("at"),
    _text("text"),
    Index(None, "job_id", "seq"),
)
