"""The first schema: every noun, the audit chain, the worklist and the jobs; triggers that keep rows as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PROTECTED = ("events", "annotations", "models", "predictions", "snapshots", "queries", "tasks", "evaluations")


def upgrade() -> None:
    """Make everything."""
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _protect_on_sqlite()
    else:
        _protect_on_postgresql()


def _protect_on_sqlite() -> None:
    for table in PROTECTED:
        for verb in ("UPDATE", "DELETE"):
            refusal = f"SELECT RAISE(ABORT, 'rows of {table} are immutable');"
            op.execute(f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} BEGIN {refusal} END")


def _protect_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION medloop_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of % are immutable', TG_TABLE_NAME; END $$"
    )
    for table in PROTECTED:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )


def _make_tables() -> None:
    op.create_table(
        "annotators",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("cost_per_minute", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotators")),
        sa.UniqueConstraint("name", name=op.f("uq_annotators_name")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("grid", sa.JSON(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("voxels", sa.Text(), nullable=False),
        sa.Column("window", sa.JSON(), nullable=False),
        sa.Column("value_range", sa.JSON(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("name", name=op.f("uq_cases_name")),
    )
    op.create_index(op.f("ix_cases_patient"), "cases", ["patient"], unique=False)
    op.create_index(op.f("ix_cases_split_name"), "cases", ["split", "name"], unique=False)
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("noun_id", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("digest", name=op.f("uq_events_digest")),
    )
    op.create_index(op.f("ix_events_noun_noun_id"), "events", ["noun", "noun_id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("lease_seconds", sa.Double(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_state_priority_event"), "jobs", ["state", "priority", "event"], unique=False)
    op.create_index(
        "uq_jobs_key_while_waiting",
        "jobs",
        ["key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL AND state IN ('queued', 'running')"),
        postgresql_where=sa.text("key IS NOT NULL AND state IN ('queued', 'running')"),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("annotation_ids", sa.JSON(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_table(
        "case_states",
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Integer(), nullable=False),
        sa.Column("open_assignments", sa.Integer(), nullable=False),
        sa.Column("quality", sa.Double(), nullable=True),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_states_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_states")),
        sa.UniqueConstraint("name", name=op.f("uq_case_states_name")),
    )
    op.create_index(
        op.f("ix_case_states_split_state_open_assignments"), "case_states", ["split", "state", "open_assignments"], unique=False
    )
    op.create_index(op.f("ix_case_states_state_name"), "case_states", ["state", "name"], unique=False)
    op.create_table(
        "job_logs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.String(length=80), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_logs_job_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_job_logs")),
    )
    op.create_index(op.f("ix_job_logs_job_id_seq"), "job_logs", ["job_id", "seq"], unique=False)
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("snapshot_id", sa.String(length=80), nullable=False),
        sa.Column("weights", sa.JSON(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_models_snapshot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("index", name=op.f("uq_models_index")),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("task_id", sa.String(length=80), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_projects_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_table(
        "evaluations",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("labelled_cases", sa.Integer(), nullable=False),
        sa.Column("effort_minutes", sa.Double(), nullable=False),
        sa.Column("per_case", sa.JSON(), nullable=False),
        sa.Column("selected", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_evaluations_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index(op.f("ix_evaluations_model_id_split"), "evaluations", ["model_id", "split"], unique=False)
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("mask", sa.Text(), nullable=True),
        sa.Column("uncertainty", sa.Text(), nullable=True),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("features", sa.Text(), nullable=True),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("quality", sa.Double(), nullable=True),
        sa.Column("quality_low", sa.Double(), nullable=True),
        sa.Column("quality_high", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_predictions_case_id")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_predictions_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
    )
    op.create_index(op.f("ix_predictions_case_id_model_id_event"), "predictions", ["case_id", "model_id", "event"], unique=False)
    op.create_index(op.f("ix_predictions_model_id_case_id_event"), "predictions", ["model_id", "case_id", "event"], unique=False)
    op.create_table(
        "queries",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=True),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_queries_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queries")),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("query_id", sa.String(length=80), nullable=True),
        sa.Column("snapshot_id", sa.String(length=80), nullable=True),
        sa.Column("model_id", sa.String(length=80), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_rounds_model_id")),
        sa.ForeignKeyConstraint(["query_id"], ["queries.id"], name=op.f("fk_rounds_query_id")),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name=op.f("fk_rounds_snapshot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
        sa.UniqueConstraint("index", name=op.f("uq_rounds_index")),
    )
    op.create_index(op.f("ix_rounds_state"), "rounds", ["state"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("annotator_id", sa.String(length=80), nullable=False),
        sa.Column("round_id", sa.String(length=80), nullable=True),
        sa.Column("proposal_id", sa.String(length=80), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_assignments_annotator_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_assignments_case_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["predictions.id"], name=op.f("fk_assignments_proposal_id")),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_assignments_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    op.create_index(
        op.f("ix_assignments_annotator_id_state_opened_at"), "assignments", ["annotator_id", "state", "opened_at"], unique=False
    )
    op.create_index(op.f("ix_assignments_case_id_state"), "assignments", ["case_id", "state"], unique=False)
    op.create_index(op.f("ix_assignments_round_id"), "assignments", ["round_id"], unique=False)
    op.create_index(op.f("ix_assignments_state_opened_at"), "assignments", ["state", "opened_at"], unique=False)
    op.create_table(
        "annotations",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("task_id", sa.String(length=80), nullable=False),
        sa.Column("annotator_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("tag", sa.Integer(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("assignment_id", sa.String(length=80), nullable=True),
        sa.Column("proposal_id", sa.String(length=80), nullable=True),
        sa.Column("supersedes", sa.String(length=80), nullable=True),
        sa.Column("effort_seconds", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_annotations_annotator_id")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_annotations_assignment_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_annotations_case_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["predictions.id"], name=op.f("fk_annotations_proposal_id")),
        sa.ForeignKeyConstraint(["supersedes"], ["annotations.id"], name=op.f("fk_annotations_supersedes")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_annotations_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
    )
    op.create_index(op.f("ix_annotations_case_id_annotator_id_event"), "annotations", ["case_id", "annotator_id", "event"], unique=False)
    op.create_index(op.f("ix_annotations_created_at"), "annotations", ["created_at"], unique=False)
    op.create_index(op.f("ix_annotations_supersedes"), "annotations", ["supersedes"], unique=False)
    op.create_table(
        "draft_patches",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("assignment_id", sa.String(length=80), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("runs", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_draft_patches_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_patches")),
        sa.UniqueConstraint("assignment_id", "revision", name=op.f("uq_draft_patches_assignment_id_revision")),
    )
