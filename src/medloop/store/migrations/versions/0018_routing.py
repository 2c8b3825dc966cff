"""Who read a case and why, gold cases and readings of them, capacity of annotators."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, which begin empty, and add the columns."""
    op.add_column("annotators", sa.Column("hours_per_week", sa.Double(), nullable=True))
    op.add_column("annotators", sa.Column("cases_per_week", sa.Integer(), nullable=True))
    op.add_column("annotators", sa.Column("admitted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("assignments", sa.Column("gold_id", sa.String(length=80), nullable=True))
    _table(
        "routed",
        _link("routed", "assignment_id", "assignments"),
        _link("routed", "case_id", "cases"),
        _link("routed", "annotator_id", "annotators"),
        _words("purpose"),
        *(_number(name) for name in ("skill", "minutes", "cost", "quality", "expected")),
        sa.Column("readers", sa.JSON(), nullable=False),
        _number("trust"),
        _words("reason"),
        _words("created_at"),
        indexed=("assignment_id", "case_id"),
    )
    _table(
        "gold_cases",
        _link("gold_cases", "case_id", "cases"),
        _link("gold_cases", "annotation_id", "annotations"),
        _link("gold_cases", "annotator_id", "annotators"),
        _words("created_at"),
        sa.Column("withdrawn_at", sa.Text(), nullable=True),
        indexed=("case_id",),
        immutable=False,
    )
    _table(
        "gold_readings",
        _link("gold_readings", "gold_id", "gold_cases"),
        _link("gold_readings", "case_id", "cases"),
        _link("gold_readings", "annotation_id", "annotations"),
        _link("gold_readings", "annotator_id", "annotators"),
        sa.Column("tutorial", sa.Boolean(), nullable=False),
        _number("score"),
        sa.Column("by_label", sa.JSON(), nullable=False),
        _words("created_at"),
        indexed=("annotator_id", "case_id"),
    )


def _words(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=False)


def _link(table: str, name: str, to: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=80), sa.ForeignKey(f"{to}.id", name=op.f(f"fk_{table}_{name}")), nullable=False)


def _table(name: str, *columns: sa.Column[Any], indexed: tuple[str, ...], immutable: bool = True) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        *columns,
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    for column in indexed:
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column])
    if not immutable:
        return
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            refusal = f"SELECT RAISE(ABORT, 'rows of {name} are immutable');"
            op.execute(f"CREATE TRIGGER {name}_refuse_{verb.lower()} BEFORE {verb} ON {name} BEGIN {refusal} END")
    else:
        op.execute(
            f"CREATE TRIGGER {name}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION medloop_refuse()"
        )
