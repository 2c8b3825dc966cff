"""Prompts: the gestures that steered a draft, and how each answer came about."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; rows of `provenances` stay as they are."""
    op.create_table(
        "prompts",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("assignment_id", sa.String(length=80), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.JSON(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("locked", sa.JSON(), nullable=False),
        sa.Column("quality", sa.Double(), nullable=True),
        sa.Column("replaces", sa.String(length=80), nullable=True),
        sa.Column("withdrawn", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_prompts_assignment_id")),
        sa.ForeignKeyConstraint(["replaces"], ["prompts.id"], name=op.f("fk_prompts_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
    )
    op.create_index(op.f("ix_prompts_assignment_id_event"), "prompts", ["assignment_id", "event"])
    op.create_table(
        "provenances",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("annotation_id", sa.String(length=80), nullable=False),
        sa.Column("assignment_id", sa.String(length=80), nullable=False),
        sa.Column("prompt_ids", sa.JSON(), nullable=False),
        sa.Column("withdrawn_prompts", sa.Integer(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["annotation_id"], ["annotations.id"], name=op.f("fk_provenances_annotation_id")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_provenances_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenances")),
        sa.UniqueConstraint("annotation_id", name=op.f("uq_provenances_annotation_id")),
    )
    op.create_index(op.f("ix_provenances_assignment_id"), "provenances", ["assignment_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = "SELECT RAISE(ABORT, 'rows of provenances are immutable');"
            op.execute(f"CREATE TRIGGER provenances_refuse_{verb.lower()} BEFORE {verb} ON provenances BEGIN {refusal} END")
    else:
        op.execute(
            "CREATE TRIGGER provenances_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON provenances "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
