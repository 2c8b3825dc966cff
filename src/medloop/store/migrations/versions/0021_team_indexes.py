"""What somebody did within a week, and what was annotated last, is found without reading all that was ever done."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes; the one on the annotator alone is the beginning of another now."""
    op.drop_index(op.f("ix_efforts_annotator_id"), "efforts")
    op.create_index(op.f("ix_efforts_annotator_id_ended_at_created_at"), "efforts", ["annotator_id", "ended_at", "created_at"])
    op.create_index(op.f("ix_annotations_annotator_id_created_at"), "annotations", ["annotator_id", "created_at"])
    op.create_index(op.f("ix_annotations_assignment_id"), "annotations", ["assignment_id"])
    op.create_index(op.f("ix_annotations_event"), "annotations", ["event"])
