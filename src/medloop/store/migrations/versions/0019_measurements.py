"""What people measured on images."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which begins empty."""
    op.create_table(
        "measurements",
        sa.Column("id", sa.String(length=80), nullable=False),
        _link("case_id", "cases"),
        _link("annotator_id", "annotators"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("axis", "index", "channel")),
        sa.Column("label", sa.Integer(), nullable=False),
        _link("assignment_id", "assignments", optional=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.Text(), nullable=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
    )
    op.create_index(op.f("ix_measurements_case_id_annotator_id"), "measurements", ["case_id", "annotator_id"])


def _link(name: str, to: str, *, optional: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_measurements_{name}")), nullable=optional)
