"""What the page keeps for an account, and the pictures of a task's instructions."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty."""
    op.add_column("accounts", sa.Column("preferences", sa.Text(), nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("pictures", sa.JSON(), nullable=False, server_default="[]"))
