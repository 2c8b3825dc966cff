"""Where annotations began, and which were taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that old rows leave empty, and the table of withdrawals; its rows stay as they are."""
    op.add_column("assignments", sa.Column("began_with", sa.Text(), nullable=True))
    op.add_column("assignments", sa.Column("base_id", sa.String(length=80), nullable=True))
    op.add_column("annotations", sa.Column("began_with", sa.Text(), nullable=True))
    op.add_column("annotations", sa.Column("untouched", sa.Double(), nullable=True))
    op.add_column("evaluations", sa.Column("leaning", sa.JSON(), nullable=True))
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("annotation_id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("annotator_id", sa.String(length=80), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("assignment_id", sa.String(length=80), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["annotation_id"], ["annotations.id"], name=op.f("fk_withdrawals_annotation_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_withdrawals_case_id")),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"], name=op.f("fk_withdrawals_annotator_id")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignments.id"], name=op.f("fk_withdrawals_assignment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("annotation_id", name=op.f("uq_withdrawals_annotation_id")),
    )
    op.create_index(op.f("ix_withdrawals_case_id"), "withdrawals", ["case_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = "SELECT RAISE(ABORT, 'rows of withdrawals are immutable');"
            op.execute(f"CREATE TRIGGER withdrawals_refuse_{verb.lower()} BEFORE {verb} ON withdrawals BEGIN {refusal} END")
    else:
        op.execute(
            "CREATE TRIGGER withdrawals_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON withdrawals "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
