"""The tables: one per noun, plus events, the worklist's states and job logs.

A record's table has a column per field, of the field's type (`columns.by_type`): nested values are JSON, times the
records' own text (UTC, ISO 8601); what a type does not say stands here. Every noun's row carries `event`, the sequence
number of the audit event that added it: it orders rows even when the clock was turned back, and ties the row to the chain.

`case_states` is derived: what the worklist shows per case, brought up to date in the transaction that
changes it (see `states.py`), so that a project of 100,000 cases is listed from one index. Triggers count
its lines in `case_tallies` (see `tallies.py`).
"""

from dataclasses import fields
from typing import Any, get_type_hints

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint, text
from sqlalchemy.schema import SchemaItem

from medloop.core import accounts as people
from medloop.core import records
from medloop.core.records import Prediction, Round
from medloop.store.columns import ROW_NUMBER, by_type, key, link, nested, number, whole, words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _records(name: str, record: type[Any], *items: SchemaItem) -> Table:
    """The table of a record: its fields become columns; items are columns that say more than the field's type, indexes, constraints."""
    given = {item.name: item for item in items if isinstance(item, Column)}
    hints = get_type_hints(record)
    named = [given.pop(field.name) if field.name in given else by_type(field.name, hints[field.name]) for field in fields(record)]
    event = Column("event", BigInteger, nullable=False)  # number of the audit event that added the row
    return Table(name, metadata, *named, *given.values(), event, *(item for item in items if not isinstance(item, Column)))


def _unique(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, unique=True)


events = Table(
    "events",
    metadata,
    Column("seq", ROW_NUMBER, primary_key=True, autoincrement=False),
    words("at"),
    words("actor"),
    words("verb"),
    words("noun"),
    words("noun_id"),
    nested("body"),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Index(None, "noun", "noun_id"),
)

tasks = _records("tasks", records.Task)
projects = _records("projects", records.Project)
cases = _records("cases", records.Case, _unique("name"), Column("patient", Text, nullable=False, index=True), Index(None, "split", "name"))
annotators = _records("annotators", records.Annotator, _unique("name"))
reference_series = _records("reference_series", records.ReferenceSeries, Index(None, "case_id"))
MARKED = text("kind = 'marks'")
"""Annotations by marks are few beside masks, and are looked for without reading those."""

IN_PART = text("annotated IS NOT NULL AND CAST(annotated AS TEXT) NOT IN ('null', '[]')")
"""Of annotations: it says nothing of some label of its version of the task."""
_KNOWN_ELSEWHERE = text("subject != ''")
accounts = _records(
    "accounts",
    people.Account,
    _unique("name"),
    _unique("key"),
    Index(None, "issuer", "subject", unique=True, sqlite_where=_KNOWN_ELSEWHERE, postgresql_where=_KNOWN_ELSEWHERE),
)
memberships = _records("memberships", people.Membership, UniqueConstraint("account_id", "project_id"))
sign_ins = _records("sign_ins", people.SignIn, _unique("digest"), Column("seen_at", Text), Index(None, "account_id"))
api_tokens = _records("api_tokens", people.ApiToken, _unique("digest"), Index(None, "account_id"))
one_time_links = _records("one_time_links", people.OneTimeLink, _unique("digest"), Index(None, "account_id"))
assignments = _records(
    "assignments",
    records.Assignment,
    Column("base_id", String(80)),  # no foreign key: annotations name assignments, and tables are made in one order
    Column("annotated", JSON, nullable=True),  # those from before it was kept have none
    Column("gold_id", String(80)),  # none for the same reason: gold cases name annotations
    Index(None, "case_id", "state"),
    Index(None, "annotator_id", "state", "opened_at"),
    Index(None, "state", "opened_at"),
    Index(None, "round_id"),
)
draft_patches = _records("draft_patches", records.DraftPatch, UniqueConstraint("assignment_id", "revision"))
prompts = _records("prompts", records.PromptRecord, Index(None, "assignment_id", "event"))
annotations = _records(
    "annotations",
    records.Annotation,
    Column("annotated", JSON, nullable=True),  # likewise
    Index(None, "case_id", "annotator_id", "event"),
    Index(None, "supersedes"),
    Index(None, "created_at"),
    Index(None, "annotator_id", "created_at"),
    Index(None, "assignment_id"),
    Index(None, "event"),
    Index("ix_annotations_in_part", "case_id", sqlite_where=IN_PART, postgresql_where=IN_PART),
    Index("ix_annotations_marked", "case_id", sqlite_where=MARKED, postgresql_where=MARKED),
)
efforts = _records(
    "efforts",
    records.Effort,
    UniqueConstraint("assignment_id", "session"),
    Index(None, "case_id"),
    Index(None, "annotator_id", "ended_at", "created_at"),
)
measurements = _records("measurements", records.Measurement, Index(None, "case_id", "annotator_id"))
named_frames = _records("named_frames", records.NamedFrame, Index(None, "case_id", "annotator_id", "event"))
provenances = _records("provenances", records.Provenance, link("annotation_id", unique=True), Index(None, "assignment_id"))
withdrawals = _records("withdrawals", records.Withdrawal, link("annotation_id", unique=True), Index(None, "case_id"))
reviews = _records(
    "reviews", records.Review, Column("returned_to", String(80), ForeignKey("annotators.id"), nullable=True), Index(None, "case_id")
)
consensuses = _records(
    "consensuses",
    records.Consensus,
    Column("supersedes", String(80), ForeignKey("consensuses.id"), nullable=True),
    Index(None, "case_id"),
    Index(None, "annotation_id"),
)
routed = _records("routed", records.Routed, Index(None, "assignment_id"), Index(None, "case_id"))
gold_cases = _records("gold_cases", records.GoldCase, Index(None, "case_id"))
assignees = _records("assignees", records.Assignee, Index(None, "case_id"), Index(None, "annotator_id"))
gold_readings = _records("gold_readings", records.GoldReading, Index(None, "annotator_id"), Index(None, "case_id"))
queries = _records("queries", records.Query, Column("seed", BigInteger, nullable=False))
rounds = _records("rounds", Round, Column("index", Integer, nullable=False, unique=True), Column("state", Text, nullable=False, index=True))
snapshots = _records("snapshots", records.Snapshot)
models = _records("models", records.Model, Column("index", Integer, nullable=False, unique=True))
predictions = _records("predictions", Prediction, Index(None, "case_id", "model_id", "event"), Index(None, "model_id", "case_id", "event"))
descriptors = _records("descriptors", records.Descriptor, UniqueConstraint("method", "maker", "case_id"))
evaluations = _records("evaluations", records.Evaluation, Column("leaning", JSON), Index(None, "model_id", "split"))
evaluation_truths = _records("evaluation_truths", records.EvaluationTruth, Index(None, "model_id", "split", "event"))
live_choices = _records("live_choices", records.LiveChoice, Index(None, "event"))

case_states = Table(
    "case_states",
    metadata,
    Column("case_id", String(80), ForeignKey("cases.id"), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    words("patient"),
    words("split"),
    words("state"),
    whole("annotations"),
    whole("open_assignments"),
    number("quality", optional=True),
    number("uncertainty", optional=True),
    key("sort_key"),
    key("search_key"),
    Index(None, "split", "state", "open_assignments"),
    Index(None, "state", "sort_key", "name"),
    Index(None, "sort_key", "name"),
    Index(None, "split", "state", "annotations"),
    Index(None, "patient"),
    Index(None, "quality"),
    Index(None, "uncertainty"),
    Index(None, "annotations", "sort_key", "name"),
    Index(None, "split", "sort_key", "name"),
)

case_tallies = Table(
    "case_tallies",
    metadata,
    Column("model_id", String(80), primary_key=True),
    Column("split", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("bin", Integer, primary_key=True, autoincrement=False),
    whole("cases"),
    whole("opened"),
    Column("millionths", BigInteger, nullable=False),
)

jobs = _records(
    "jobs",
    records.Job,
    Column("beat", BigInteger, nullable=False),
    number("lease_seconds"),
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
    Column("seq", ROW_NUMBER, primary_key=True),
    link("job_id"),
    words("at"),
    words("text"),
    Index(None, "job_id", "seq"),
)
