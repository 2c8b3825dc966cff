"""The tables: one per noun, plus events, the worklist's states and job logs.

Conventions: column names are the record's field names; nested values are JSON; times are the records'
own text (UTC, ISO 8601). Every noun's row carries `event`, the sequence number of the audit event that
added it: it orders rows even when the clock was turned back, and ties the row to the chain.

`case_states` is derived: what the worklist shows per case, brought up to date in the transaction that
changes it (see `states.py`), so that a project of 100,000 cases is listed from one index. Triggers count
its lines in `case_tallies` (see `tallies.py`).
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint, text

from medloop.store.columns import ROW_NUMBER, added_by_event, key, link, nested, number, record_id, whole, words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

IMMUTABLE = (
    "annotations",
    "models",
    "predictions",
    "snapshots",
    "queries",
    "tasks",
    "evaluations",
    "descriptors",
    "provenances",
    "withdrawals",
    "live_choices",
    "evaluation_truths",
)
"""Tables whose rows are never updated or deleted: triggers refuse it, as they do for `events`."""

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

tasks = Table(
    "tasks",
    metadata,
    record_id(),
    whole("version"),
    words("kind"),
    nested("labels"),
    words("instructions"),
    words("created_at"),
    added_by_event(),
)

projects = Table(
    "projects",
    metadata,
    record_id(),
    words("name"),
    link("task_id", "tasks"),
    nested("settings"),
    words("created_at"),
    added_by_event(),
)

cases = Table(
    "cases",
    metadata,
    record_id(),
    Column("name", Text, nullable=False, unique=True),
    Column("patient", Text, nullable=False, index=True),
    words("split"),
    nested("grid"),
    whole("channels"),
    words("dtype"),
    words("voxels"),
    nested("window"),
    nested("value_range"),
    nested("source"),
    words("stratum"),
    nested("notes"),
    words("added_at"),
    added_by_event(),
    Index(None, "split", "name"),
)

annotators = Table(
    "annotators",
    metadata,
    record_id(),
    Column("name", Text, nullable=False, unique=True),
    words("kind"),
    nested("roles"),
    number("cost_per_minute"),
    words("created_at"),
    added_by_event(),
)

assignments = Table(
    "assignments",
    metadata,
    record_id(),
    link("case_id", "cases"),
    link("annotator_id", "annotators"),
    link("round_id", "rounds", optional=True),
    link("proposal_id", "predictions", optional=True),
    words("state"),
    whole("revision"),
    words("reason"),
    words("opened_at"),
    words("closed_at", optional=True),
    words("began_with", optional=True),
    Column("base_id", String(80)),  # no foreign key: annotations name assignments, and tables are made in one order
    added_by_event(),
    Index(None, "case_id", "state"),
    Index(None, "annotator_id", "state", "opened_at"),
    Index(None, "state", "opened_at"),
    Index(None, "round_id"),
)

draft_patches = Table(
    "draft_patches",
    metadata,
    record_id(),
    link("assignment_id", "assignments"),
    whole("revision"),
    nested("runs"),
    words("created_at"),
    added_by_event(),
    UniqueConstraint("assignment_id", "revision"),
)

prompts = Table(
    "prompts",
    metadata,
    record_id(),
    link("assignment_id", "assignments"),
    whole("revision"),
    nested("prompt"),
    words("engine"),
    nested("locked"),
    number("quality", optional=True),
    link("replaces", "prompts", optional=True),
    whole("withdrawn", optional=True),
    words("created_at"),
    added_by_event(),
    Index(None, "assignment_id", "event"),
)

annotations = Table(
    "annotations",
    metadata,
    record_id(),
    link("case_id", "cases"),
    link("task_id", "tasks"),
    link("annotator_id", "annotators"),
    words("kind"),
    words("blob", optional=True),
    whole("tag", optional=True),
    words("origin"),
    link("assignment_id", "assignments", optional=True),
    link("proposal_id", "predictions", optional=True),
    link("supersedes", "annotations", optional=True),
    number("effort_seconds"),
    words("created_at"),
    words("began_with", optional=True),
    number("untouched", optional=True),
    added_by_event(),
    Index(None, "case_id", "annotator_id", "event"),
    Index(None, "supersedes"),
    Index(None, "created_at"),
)

provenances = Table(
    "provenances",
    metadata,
    record_id(),
    Column("annotation_id", String(80), ForeignKey("annotations.id"), nullable=False, unique=True),
    link("assignment_id", "assignments"),
    nested("prompt_ids"),
    whole("withdrawn_prompts"),
    nested("parts"),
    words("created_at"),
    added_by_event(),
    Index(None, "assignment_id"),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    record_id(),
    Column("annotation_id", String(80), ForeignKey("annotations.id"), nullable=False, unique=True),
    link("case_id", "cases"),
    link("annotator_id", "annotators"),
    words("verb"),
    words("reason"),
    link("assignment_id", "assignments", optional=True),
    words("created_at"),
    added_by_event(),
    Index(None, "case_id"),
)

queries = Table(
    "queries",
    metadata,
    record_id(),
    words("strategy"),
    Column("seed", BigInteger, nullable=False),
    link("model_id", "models", optional=True),
    nested("choices"),
    words("created_at"),
    added_by_event(),
)

rounds = Table(
    "rounds",
    metadata,
    record_id(),
    Column("index", Integer, nullable=False, unique=True),
    Column("state", Text, nullable=False, index=True),
    link("query_id", "queries", optional=True),
    link("snapshot_id", "snapshots", optional=True),
    link("model_id", "models", optional=True),
    words("message"),
    words("created_at"),
    words("updated_at"),
    added_by_event(),
)

snapshots = Table(
    "snapshots",
    metadata,
    record_id(),
    nested("annotation_ids"),
    words("digest"),
    words("created_at"),
    added_by_event(),
)

models = Table(
    "models",
    metadata,
    record_id(),
    Column("index", Integer, nullable=False, unique=True),
    nested("recipe"),
    link("snapshot_id", "snapshots"),
    nested("weights"),
    nested("metrics"),
    words("created_at"),
    added_by_event(),
)

predictions = Table(
    "predictions",
    metadata,
    record_id(),
    link("case_id", "cases"),
    link("model_id", "models"),
    words("mask", optional=True),
    words("uncertainty", optional=True),
    nested("probabilities"),
    words("features", optional=True),
    nested("scores"),
    number("quality", optional=True),
    number("quality_low", optional=True),
    number("quality_high", optional=True),
    words("created_at"),
    added_by_event(),
    Index(None, "case_id", "model_id", "event"),
    Index(None, "model_id", "case_id", "event"),
)

descriptors = Table(
    "descriptors",
    metadata,
    record_id(),
    link("case_id", "cases"),
    words("method"),
    words("maker"),
    words("vector"),
    words("created_at"),
    added_by_event(),
    UniqueConstraint("method", "maker", "case_id"),
)

evaluations = Table(
    "evaluations",
    metadata,
    record_id(),
    link("model_id", "models"),
    words("split"),
    words("metric"),
    number("mean"),
    number("low", optional=True),
    number("high", optional=True),
    whole("labelled_cases"),
    number("effort_minutes"),
    nested("per_case"),
    Column("selected", Boolean, nullable=False),
    words("created_at"),
    Column("leaning", JSON),
    Column("surfaces", JSON),
    added_by_event(),
    Index(None, "model_id", "split"),
)

evaluation_truths = Table(
    "evaluation_truths",
    metadata,
    record_id(),
    link("model_id", "models"),
    words("split"),
    link("evaluation_id", "evaluations", optional=True),
    words("digest"),
    words("created_at"),
    added_by_event(),
    Index(None, "model_id", "split", "event"),
)

live_choices = Table(
    "live_choices",
    metadata,
    record_id(),
    link("model_id", "models"),
    link("judged_id", "models"),
    Column("pinned", Boolean, nullable=False),
    words("reason"),
    nested("comparison"),
    words("created_at"),
    added_by_event(),
    Index(None, "event"),
)

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

jobs = Table(
    "jobs",
    metadata,
    record_id(),
    words("kind"),
    nested("payload"),
    words("state"),
    words("key", optional=True),
    whole("priority"),
    whole("attempt"),
    whole("max_attempts"),
    number("progress"),
    words("message"),
    words("owner", optional=True),
    Column("cancel_requested", Boolean, nullable=False),
    words("error"),
    nested("result"),
    words("created_at"),
    words("started_at", optional=True),
    words("finished_at", optional=True),
    Column("beat", BigInteger, nullable=False),
    number("lease_seconds"),
    added_by_event(),
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
    link("job_id", "jobs"),
    words("at"),
    words("text"),
    Index(None, "job_id", "seq"),
)
