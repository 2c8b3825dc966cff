"""Which labels an annotation annotates, and those that an open assignment is going to."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is there annotates every label that its version of the task has."""
    for table in ("annotations", "assignments"):
        op.add_column(table, sa.Column("annotated", sa.JSON(), nullable=True))
    in_part = sa.text("annotated IS NOT NULL AND CAST(annotated AS TEXT) NOT IN ('null', '[]')")
    op.create_index("ix_annotations_in_part", "annotations", ["case_id"], sqlite_where=in_part, postgresql_where=in_part)
