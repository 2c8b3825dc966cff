"""Move the names of a template to other frames or slices of an open case."""

from medloop.core.records import Assignment
from medloop.loop.annotating.open_edit import require_open
from medloop.loop.foundation.named_frames import NamedSlice, named_slices, place_name
from medloop.loop.foundation.workspace import Workspace


def place_frame(workspace: Workspace, assignment_id: str, name: str, index: int) -> tuple[NamedSlice, ...]:
    """Let a name of the template stand for another slice; all names of the assignment as they stand then.

    Raises:
        InputError: The template does not have the name, or the case not the slice.
        StateError: The assignment is closed.
    """
    with workspace.store.write(workspace.store.get(Assignment, assignment_id).annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        place_name(tx, assignment, name, index)
        return named_slices(tx, assignment)
