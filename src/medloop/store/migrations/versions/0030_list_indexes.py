"""The first lines of a list of cases in any order are found without sorting all of it."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes; no row is changed."""
    for columns in (["patient"], ["quality"], ["uncertainty"], ["annotations", "sort_key", "name"], ["split", "sort_key", "name"]):
        op.create_index(op.f(f"ix_case_states_{'_'.join(columns)}"), "case_states", columns)
