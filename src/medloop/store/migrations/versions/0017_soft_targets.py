"""How probable each label is in a fused consensus, voxel by voxel, and how wrong it probably is."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; what was fused before has neither."""
    op.add_column("consensuses", sa.Column("voxel_probabilities", sa.Text(), nullable=True))
    op.add_column("consensuses", sa.Column("expected_error", sa.Double(), nullable=True))
