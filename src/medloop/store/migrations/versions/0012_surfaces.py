"""Evaluations may hold distances of surfaces."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which old rows leave empty."""
    op.add_column("evaluations", sa.Column("surfaces", sa.JSON(), nullable=True))
