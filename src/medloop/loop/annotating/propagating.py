"""Carry the labels of a film from the frames that somebody drew on to the others: looked at first, saved once it is accepted.

Which frames were drawn on follows from the draft's own history, as for `medloop.loop.annotating.filling`: for each label, those where a
stroke or prompt that stands gave it a voxel or took one from it. What a propagation made does not count, so that a frame corrected later
makes the next one better. Frames of partial annotations that the draft began with count as drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.drawing import with_label
from medloop.core.errors import InputError
from medloop.core.labels import mask_of, members, nested_regions
from medloop.core.records import Assignment, Label
from medloop.interaction.engine import StillWanted
from medloop.interaction.locks import check_locks, keep_locked_labels
from medloop.interaction.moments import TIME
from medloop.interaction.propagation import Propagated, propagate_frames
from medloop.interaction.runs import Run, runs_between
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.open_edit import NOT_DRAWN, OpenEdit, load_edit, require_revision
from medloop.loop.annotating.replaying import history_of
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.workspace import Workspace

REACH = 100
"""Frames from one that was drawn on that labels are carried to, unless another number is asked for."""

MAX_REACH = 1000


@dataclass(frozen=True, eq=False)
class Propagation:
    """What carrying labels would do to a draft.

    Attributes:
        revision: Of the draft.
        runs: From the draft to what is shown.
        drawn: Frames drawn on for any label, ascending.
        reached: Frames made anew, ascending.
        weakest: The frame between drawn ones where what came from before and from behind agree least; None where nothing came from both.
        agreement: Dice of the two there, of the worst label.
    """

    revision: int
    runs: tuple[Run, ...]
    drawn: tuple[int, ...]
    reached: tuple[int, ...]
    weakest: int | None = None
    agreement: float | None = None


def preview_propagation(
    workspace: Workspace,
    assignment_id: str,
    *,
    base_revision: int,
    reach: int = REACH,
    locked: Sequence[int] = (),
    wanted: StillWanted = lambda: True,
) -> Propagation:
    """What carrying the labels to other frames would do to a draft; nothing is saved. Locked labels stay.

    Raises:
        InputError: The case is no film, no frame was drawn on, or a reach outside 1 to `MAX_REACH`.
        LabelError: A lock on a label that the task does not have.
        ConflictError: Another edit came first.
        StateError: The assignment is closed.
        CancelledError: The result is no longer wanted.
    """
    if not 1 <= reach <= MAX_REACH:
        raise InputError(f"Labels are carried 1 to {MAX_REACH} frames, got {reach}")
    check_locks(locked, workspace.task.label_values)
    with workspace.store.read() as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        edit = load_edit(tx, assignment, workspace.store.blobs)
    if not edit.case.display.over_time:
        raise InputError(
            f"Labels are carried through frames over time, {edit.case.name} is none", remedy="fill the slices between drawn ones"
        )
    known = {label: frames for label, frames in drawn_frames(edit, workspace.task.labels).items() if frames and label not in locked}
    if not known:
        raise InputError(
            "Propagation needs a frame that was drawn on for a label that is not locked, got none", remedy="draw on a frame first"
        )
    before = edit.draft().mask
    made = _carried(workspace, edit, before, known, reach=reach, wanted=wanted)
    weakest = min(made.agreement, key=lambda n: made.agreement[n], default=None)
    return Propagation(
        revision=assignment.revision,
        runs=runs_between(before, keep_locked_labels(workspace.task.labels, before, made.mask, locked)),
        drawn=tuple(sorted(set().union(*known.values()))),
        reached=made.reached,
        weakest=weakest,
        agreement=None if weakest is None else made.agreement[weakest],
    )


def propagate(
    workspace: Workspace, assignment_id: str, *, base_revision: int, reach: int = REACH, locked: Sequence[int] = ()
) -> Propagation:
    """Carry the labels and save what comes of it as one edit.

    Raises:
        InputError, LabelError, ConflictError, StateError: As `preview_propagation`.
    """
    made = preview_propagation(workspace, assignment_id, base_revision=base_revision, reach=reach, locked=locked)
    save_patch(workspace, assignment_id, Edit(base_revision=base_revision, runs=made.runs, locked=locked, propagated=True))
    return made


def _carried(
    workspace: Workspace, edit: OpenEdit, mask: MaskArray, known: Mapping[int, Sequence[int]], *, reach: int, wanted: StillWanted
) -> Propagated:
    """Labels together, or where labels share voxels each by itself, from all its voxels."""
    labels, pictures = workspace.task.labels, load_image(workspace.store.blobs, edit.case).array
    if not nested_regions(labels):
        return propagate_frames(pictures, mask, known=known, reach=reach, wanted=wanted)
    found, reached, agreement = mask, set[int](), dict[int, float]()
    lying = {label: mask_of(labels, mask, label) for label in known}
    there = {label: frames for label, frames in known.items() if lying[label][..., list(frames)].any()}
    for label, frames in (there or known).items():  # one that was drawn and erased again leads nowhere, and keeps none of the others
        own = np.where(lying[label], np.uint8(label), np.uint8(0))
        made = propagate_frames(pictures, own, known={label: frames}, reach=reach, wanted=wanted)
        found = with_label(labels, found, made.mask == label, label)
        reached |= set(made.reached)
        agreement |= {frame: min(dice, agreement.get(frame, dice)) for frame, dice in made.agreement.items()}
    return Propagated(found, tuple(sorted(reached)), agreement)


def drawn_frames(edit: OpenEdit, labels: Sequence[Label]) -> dict[int, list[int]]:
    """For each label, the frames where a hand that stands changed it, or that a partial annotation said before, ascending."""
    size = int(np.prod(edit.case.grid.shape[:TIME]))
    found: dict[int, set[int]] = {label.value: set() for label in labels}
    sharing = {value: members(labels, value) if nested_regions(labels) else (value,) for value in range(256)}
    gone = _taken_back(edit)
    flat = edit.begun.reshape(-1, order="F").copy()
    for patch in edit.patches:
        counts = patch.revision not in gone and edit.verbs.get(patch.id) not in NOT_DRAWN
        for start, length, value in patch.runs:
            part = flat[start : start + length]
            places = np.flatnonzero(part != value)
            for was in set(part[places].tolist()) if counts and len(places) else ():
                frames = set(np.unique((places[part[places] == was] + start) // size).tolist())
                for label in {*sharing[was]} ^ {*sharing[value]}:
                    found.get(label, set()).update(frames)
            part[:] = value
    if edit.partial:
        told = merged_annotation(edit.blobs, edit.partial, edit.case).array != UNKNOWN
        said = np.flatnonzero(told.reshape(-1, told.shape[TIME]).any(axis=0)).tolist()
        found = {label: frames | set(said) for label, frames in found.items()}
    return {label: sorted(frames) for label, frames in found.items()}


def _taken_back(edit: OpenEdit) -> set[int]:
    """Revisions of strokes and prompts that were taken back, and of those that took them back."""
    undone = {revision for pair in history_of(edit).undone for revision in pair}
    withdrawn = {number for record in edit.log if record.withdrawn is not None for number in (record.revision, record.withdrawn)}
    return undone | withdrawn
