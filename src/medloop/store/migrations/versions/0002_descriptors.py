"""Descriptors: what is known of a case without its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and keep its rows as they are."""
    op.create_table(
        "descriptors",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("vector", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_descriptors_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_descriptors")),
        sa.UniqueConstraint("method", "maker", "case_id", name=op.f("uq_descriptors_method_maker_case_id")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = "SELECT RAISE(ABORT, 'rows of descriptors are immutable');"
            op.execute(f"CREATE TRIGGER descriptors_refuse_{verb.lower()} BEFORE {verb} ON descriptors BEGIN {refusal} END")
    else:
        op.execute(
            "CREATE TRIGGER descriptors_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON descriptors "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
