"""What a simulated annotator does with a case that was queried for something else than all of it.

Slices and boxes are corrected by hand where there is a proposal, else drawn, and nothing is viewed beside them. A proposal that is checked
is viewed slice by slice: it is accepted where nothing noticeable is wrong, and rejected at the first slice on which something is. Marks
are those that a careful person gives.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.image import Mask
from medloop.core.records import QueryKind
from medloop.core.settings import GivenKind
from medloop.interaction.simulated_users.cheapest import work_through
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import noticeable_errors
from medloop.interaction.weak.simulated import GivenMarks
from medloop.loop.annotating.annotations import Opened, submit
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.effort_log import plain_seconds
from medloop.loop.foundation.partial_annotations import Part, SlicePart
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.chosen import choice_of
from medloop.loop.querying.parts import queried_parts

GIVEN_FOR: Mapping[QueryKind, GivenKind] = {"scribbles": "scribbles", "boxes": "boxes", "tags": "tags"}
"""What is given of a case by the kind that was queried of it."""


def queried_kind(workspace: Workspace, opened: Opened) -> tuple[QueryKind, tuple[Part, ...]]:
    """What was queried of an open case; "" and no parts for all of one that was not weighed."""
    with workspace.store.read() as tx:
        chosen = choice_of(tx, opened.assignment.round_id, opened.assignment.case_id)
        return (chosen.kind if chosen else ""), queried_parts(tx, opened.assignment)


def give_marks(workspace: Workspace, opened: Opened, given: GivenMarks) -> None:
    """Submit marks of an open case with their seconds."""
    submit_marks(workspace, opened.assignment.id, SubmittedMarks(marks=given.marks, reported=plain_seconds(given.seconds)))


def check_proposal(workspace: Workspace, opened: Opened, proposal: MaskArray, truth: Mask, effort: EffortModel) -> None:
    """Accept the proposal of an open case, or reject it at the first slice on which something noticeable is wrong."""
    axis = truth.grid.paging_axis
    wrong = noticeable_errors(proposal, truth.array, axis)
    first = next((n for n, plane in enumerate(np.moveaxis(wrong, axis, 0), start=1) if plane.any()), None)
    seconds = effort.slice_viewed * (first or truth.array.shape[axis])
    if first is not None:
        reject_proposal(workspace, opened.assignment.id, effort=plain_seconds(seconds))
    else:
        submit(workspace, opened.assignment.id, Submitted(effort_seconds=seconds))


def correct_parts(workspace: Workspace, opened: Opened, truth: Mask, parts: Sequence[Part], effort: EffortModel) -> None:
    """Annotate slices and boxes of an open case, or all of it without any, and leave the rest as it is."""
    proposal = None if opened.prediction is None else load_proposal(workspace.store.blobs, opened.prediction, opened.case)
    mask: MaskArray = np.zeros_like(truth.array) if proposal is None else proposal.copy()
    seconds = 0.0
    for where in [_slices(part) for part in parts] or [(slice(None),) * 3]:
        axis = truth.grid.paging_axis
        worked = work_through(mask[where], truth.array[where], axis, range(truth.array[where].shape[axis]), effort)
        mask[where] = worked.mask
        seconds += worked.tally.seconds(effort)
    submit(workspace, opened.assignment.id, Submitted(mask=mask, effort_seconds=seconds, whole=not parts))


def _slices(part: Part) -> tuple[slice, slice, slice]:
    if isinstance(part, SlicePart):
        i, j, k = (slice(part.index, part.index + 1) if axis == part.axis else slice(None) for axis in range(3))
    else:
        i, j, k = (slice(start, stop) for start, stop in zip(part.start, part.stop, strict=True))
    return i, j, k
