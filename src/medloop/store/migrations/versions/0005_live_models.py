"""Live models: which model is in use and why, which annotations an evaluation was made with, and qualities added up fast."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; their rows stay as they are."""
    op.create_table(
        "evaluation_truths",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("evaluation_id", sa.String(length=80), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_evaluation_truths_model_id")),
        sa.ForeignKeyConstraint(["evaluation_id"], ["evaluations.id"], name=op.f("fk_evaluation_truths_evaluation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_truths")),
    )
    op.create_index(op.f("ix_evaluation_truths_model_id_split_event"), "evaluation_truths", ["model_id", "split", "event"])
    op.create_table(
        "live_choices",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("judged_id", sa.String(length=80), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("comparison", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_live_choices_model_id")),
        sa.ForeignKeyConstraint(["judged_id"], ["models.id"], name=op.f("fk_live_choices_judged_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_choices")),
    )
    op.create_index(op.f("ix_live_choices_event"), "live_choices", ["event"])
    op.create_index(op.f("ix_case_states_split_state_quality"), "case_states", ["split", "state", "quality"])
    for table in ("evaluation_truths", "live_choices"):
        _keep_rows(table)


def _keep_rows(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = f"SELECT RAISE(ABORT, 'rows of {table} are immutable');"
            op.execute(f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} BEGIN {refusal} END")
    else:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
