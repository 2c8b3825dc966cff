"""Keys by which the worklist sorts (2 before 10) and searches (no upper and lower case, in any script)."""

import sqlalchemy as sa
from alembic import op

from medloop.core.names import folded, natural_key

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BATCH = 5_000


def upgrade() -> None:
    """Add both keys, work them out for every case there is, and index them; names stay as they are."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    for name in ("sort_key", "search_key"):
        op.add_column("case_states", sa.Column(name, text, nullable=False, server_default=""))
    table = sa.table("case_states", *(sa.column(name) for name in ("case_id", "name", "patient", "sort_key", "search_key")))
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.case_id, table.c.name, table.c.patient)).all()
    change = sa.update(table).where(table.c.case_id == sa.bindparam("of"))
    change = change.values(sort_key=sa.bindparam("sorted_by"), search_key=sa.bindparam("found_by"))
    for start in range(0, len(rows), _BATCH):
        keys = [
            {"of": row.case_id, "sorted_by": natural_key(row.name), "found_by": folded(f"{row.name}\n{row.patient}")}
            for row in rows[start : start + _BATCH]
        ]
        connection.execute(change, keys)
    op.execute("DROP INDEX IF EXISTS ix_case_states_state_name")
    op.create_index(op.f("ix_case_states_state_sort_key_name"), "case_states", ["state", "sort_key", "name"])
    op.create_index(op.f("ix_case_states_sort_key_name"), "case_states", ["sort_key", "name"])
