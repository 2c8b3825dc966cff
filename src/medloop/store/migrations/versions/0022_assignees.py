"""Whom a case was given to by a lead."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which begins empty."""
    links = (("case_id", "cases"), ("annotator_id", "annotators"))
    op.create_table(
        "assignees",
        sa.Column("id", sa.String(length=80), nullable=False),
        *(
            sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_assignees_{name}")), nullable=False)
            for name, to in links
        ),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignees")),
    )
    for name, _ in links:
        op.create_index(op.f(f"ix_assignees_{name}"), "assignees", [name])
