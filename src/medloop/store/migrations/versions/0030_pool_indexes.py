"""What a model or a method said last, and what it said since, is found without reading all that it ever said."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes; no row is changed."""
    op.create_index(op.f("ix_predictions_model_id_event"), "predictions", ["model_id", "event"])
    op.create_index(op.f("ix_descriptors_method_maker_event"), "descriptors", ["method", "maker", "event"])
