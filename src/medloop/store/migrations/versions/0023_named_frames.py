"""Which frames or slices somebody took for the names of a template."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which begins empty."""
    links = (("case_id", "cases"), ("assignment_id", "assignments"), ("annotator_id", "annotators"))
    op.create_table(
        "named_frames",
        sa.Column("id", sa.String(length=80), nullable=False),
        *(
            sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_named_frames_{name}")), nullable=False)
            for name, to in links
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("axis", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("placed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_named_frames")),
    )
    op.create_index(op.f("ix_named_frames_case_id_annotator_id_event"), "named_frames", ["case_id", "annotator_id", "event"])
