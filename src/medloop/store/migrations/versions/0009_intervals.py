"""Evaluations may have no interval: too few patients have none."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let both ends be empty; rows stay as they are, as their events tell them."""
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("evaluations", recreate="always") as table:  # SQLite makes the table anew, without its triggers
            table.alter_column("low", existing_type=sa.Double(), nullable=True)
            table.alter_column("high", existing_type=sa.Double(), nullable=True)
        for verb in ("UPDATE", "DELETE"):
            refusal = "SELECT RAISE(ABORT, 'rows of evaluations are immutable');"
            op.execute(f"CREATE TRIGGER evaluations_refuse_{verb.lower()} BEFORE {verb} ON evaluations BEGIN {refusal} END")
    else:
        op.alter_column("evaluations", "low", existing_type=sa.Double(), nullable=True)
        op.alter_column("evaluations", "high", existing_type=sa.Double(), nullable=True)
