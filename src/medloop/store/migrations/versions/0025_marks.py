"""Annotations by marks are found by an index of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; no annotation is changed."""
    marked = sa.text("kind = 'marks'")
    op.create_index("ix_annotations_marked", "annotations", ["case_id"], sqlite_where=marked, postgresql_where=marked)
