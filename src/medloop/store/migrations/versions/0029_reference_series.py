"""Other series of a case's patient, to look at beside the case."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which begins empty."""
    nested = ("window", "value_range", "source")
    op.create_table(
        "reference_series",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), sa.ForeignKey("cases.id", name=op.f("fk_reference_series_case_id")), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("grid", sa.JSON(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("voxels", sa.Text(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in nested),
        sa.Column("frame", sa.Text(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.Text(), nullable=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_series")),
    )
    op.create_index(op.f("ix_reference_series_case_id"), "reference_series", ["case_id"])
