"""Counts of cases, kept by triggers, in place of an index that was added up anew for every page."""

import sqlalchemy as sa
from alembic import op

from medloop.store.tallies import trigger_statements

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, count what there is, and let the database keep the counts."""
    op.create_table(
        "case_tallies",
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "split", "state", "bin", name=op.f("pk_case_tallies")),
    )
    for statement in trigger_statements(sqlite=op.get_bind().dialect.name == "sqlite"):
        op.execute(statement)
    op.drop_index(op.f("ix_case_states_split_state_quality"), "case_states")
    op.create_index(op.f("ix_case_states_split_state_annotations"), "case_states", ["split", "state", "annotations"])
