"""What work took, session by session."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which begins empty: seconds of older annotations stay where they are."""
    op.create_table(
        "efforts",
        sa.Column("id", sa.String(length=80), nullable=False),
        _link("case_id", "cases"),
        _link("annotator_id", "annotators"),
        _link("assignment_id", "assignments", optional=True),
        sa.Column("session", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=True) for name in ("active_seconds", "idle_seconds", "first_stroke_seconds")),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("strokes", "prompts", "slices_viewed", "undos")),
        sa.Column("began_at", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_efforts")),
        sa.UniqueConstraint("assignment_id", "session", name=op.f("uq_efforts_assignment_id_session")),
    )
    for name in ("case_id", "annotator_id"):
        op.create_index(op.f(f"ix_efforts_{name}"), "efforts", [name])


def _link(name: str, to: str, *, optional: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_efforts_{name}")), nullable=optional)
