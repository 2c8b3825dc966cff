"""Accounts, their roles, sign-ins, tokens and one-time links; annotators have an expertise."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, which begin empty, and add the column."""
    names: tuple[Any, ...] = (_words("name"), _words("key"), _words("password"), sa.Column("disabled", sa.Boolean(), nullable=False))
    _table("accounts", *names, _unique("accounts", "name"), _unique("accounts", "key"))
    one_role = _unique("memberships", "account_id", "project_id")
    _of_account("memberships", _words("project_id"), _words("role", optional=True), one_role)
    _handed_out("sign_ins", _words("ended_at", optional=True), _words("seen_at", optional=True))
    _handed_out("api_tokens", _words("name"), _words("scope"), _words("expires_at"), _words("revoked_at", optional=True))
    _handed_out("one_time_links", _words("use"), _words("expires_at"), _words("used_at", optional=True))
    op.add_column("annotators", sa.Column("expertise", sa.Text(), nullable=False, server_default="expert"))


def _words(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _table(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        *columns,
        _words("created_at"),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def _of_account(name: str, *columns: Any) -> None:
    of = sa.Column("account_id", sa.String(length=80), nullable=False)
    _table(name, of, *columns, sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f(f"fk_{name}_account_id")))


def _handed_out(name: str, *columns: Any) -> None:
    _of_account(name, _words("digest"), *columns, _unique(name, "digest"))
    op.create_index(op.f(f"ix_{name}_account_id"), name, ["account_id"])


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))
