"""What a closed assignment was closed with."""

from medloop.core.records import Annotation, Assignment
from medloop.store.reader import Reader


def submitted_mask(tx: Reader, assignment: Assignment) -> str | None:
    """Blob of the whole mask that an assignment was submitted with; None for an open one, a tag, or parts of a case.

    The draft of a submitted assignment is this, whatever it began with and whatever happened to the case since.
    """
    if assignment.state != "submitted":
        return None
    made = tx.find(Annotation, where={"assignment_id": assignment.id, "kind": "mask"}, descending=True, limit=1)
    return made[0].blob if made else None
