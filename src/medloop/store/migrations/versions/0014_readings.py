"""Reviews, consensuses, and whether a draft was made blind."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, which begin empty and whose rows stay as they are, and add the column."""
    op.add_column("assignments", sa.Column("blind", sa.Boolean(), nullable=False, server_default=sa.false()))
    _table(
        "reviews",
        _link("reviews", "case_id", "cases"),
        _link("reviews", "annotation_id", "annotations"),
        _link("reviews", "annotator_id", "annotators"),
        _words("verdict"),
        _words("comment"),
        _link("reviews", "returned_to", "annotators", optional=True),
        sa.Column("signature", sa.JSON(), nullable=True),
    )
    _table(
        "consensuses",
        _link("consensuses", "case_id", "cases"),
        _words("method"),
        sa.Column("inputs", sa.JSON(), nullable=False),
        _link("consensuses", "annotation_id", "annotations"),
        _link("consensuses", "supersedes", "consensuses", optional=True),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("agreement", sa.Double(), nullable=False),
        sa.Column("agreement_by_label", sa.JSON(), nullable=False),
        sa.Column("uncertainty", sa.Text(), nullable=True),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        _words("note"),
    )
    op.create_index(op.f("ix_consensuses_annotation_id"), "consensuses", ["annotation_id"])


def _words(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _link(table: str, name: str, to: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_{table}_{name}")), nullable=optional)


def _table(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        *columns,
        _words("created_at"),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_case_id"), name, ["case_id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = f"SELECT RAISE(ABORT, 'rows of {name} are immutable');"
            op.execute(f"CREATE TRIGGER {name}_refuse_{verb.lower()} BEFORE {verb} ON {name} BEGIN {refusal} END")
    else:
        op.execute(
            f"CREATE TRIGGER {name}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
