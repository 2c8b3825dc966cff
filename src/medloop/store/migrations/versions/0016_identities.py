"""Accounts may be known by a provider of OpenID Connect."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty, and see to it that nobody at a provider has two accounts."""
    for name in ("issuer", "subject"):
        op.add_column("accounts", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    known = sa.text("subject != ''")
    op.create_index(
        op.f("ix_accounts_issuer_subject"), "accounts", ["issuer", "subject"], unique=True, sqlite_where=known, postgresql_where=known
    )
