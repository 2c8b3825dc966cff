"""Fill the slices between those that somebody has drawn on: a few drawn slices make a whole volume.

Where the edit began with a proposal, what the reader changed on two slices is carried over to the slices between; where it began with
background, the outlines themselves are interpolated.

Which slices were drawn on follows from the draft's own history, so that a reader has nothing to mark: for each label, those with a voxel
that the brush or a gesture gave to it or took from it. What an earlier filling made does not count, so that a slice mended later makes
the next filling better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.records import Assignment, Case, DraftPatch, PromptRecord
from medloop.interaction.carrying import carry_corrections
from medloop.interaction.interpolate import interpolate_slices
from medloop.interaction.locks import check_locks, keep_locked
from medloop.loop.annotating.drafts import Draft, append_patch, base_mask, read_draft, require_revision
from medloop.loop.annotating.mask_runs import Run, apply_runs, runs_between
from medloop.loop.annotating.prompt_log import prompt_log
from medloop.loop.annotating.provenance import hands
from medloop.loop.annotating.replaying import FILLED
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

FEWEST = 2
"""Slices drawn on: there is nothing between fewer."""

VERBS = FILLED


@dataclass(frozen=True, eq=False)
class Filling:
    """What a filling did to the draft.

    Attributes:
        draft: With it, at its new revision.
        runs: The patch that was saved.
        drawn: Numbers of the slices drawn on, for any label.
        filled: How many slices have changed.
    """

    draft: Draft
    runs: tuple[Run, ...]
    drawn: tuple[int, ...]
    filled: int


def fill_between(workspace: Workspace, assignment_id: str, *, axis: int, base_revision: int, locked: Sequence[int] = ()) -> Filling:
    """Give the slices between drawn ones what follows from these, label by label.

    A label's voxels on the slices that were drawn on for it, and beyond the first and last of these, stay.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        axis: The slices' axis, 0, 1 or 2.
        base_revision: The revision it is asked on.
        locked: Labels that must stay as they are.

    Raises:
        InputError: Fewer than two slices drawn on, or none between them; an axis that does not exist.
        LabelError: A lock on a label that the task does not have.
        ConflictError: Another edit came first.
        StateError: The assignment is closed.
    """
    if axis not in (0, 1, 2):
        raise InputError(f"Slices lie along axis 0, 1 or 2, got {axis}")
    check_locks(locked, workspace.task.label_values)
    with workspace.store.read() as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        case = tx.get(Case, assignment.case_id)
        begun, work = base_mask(workspace, tx, assignment, case), hand_work(tx, assignment_id)
    before = read_draft(workspace, assignment_id, upto=base_revision).mask
    hand = work.voxels(before, begun)
    slices = {label: _slices(hand & ((before == label) | (begun == label)), axis) for label in workspace.task.label_values}
    if max(map(len, slices.values())) < FEWEST:
        remedy = "draw on every third slice or so, then fill"
        found = max(map(len, slices.values()))
        raise InputError(f"Filling needs at least {FEWEST} slices that were drawn on for a label, got {found}", remedy=remedy)
    known = {label: found for label, found in slices.items() if len(found) >= FEWEST and label not in locked}
    after = keep_locked(before, _filled(begun, before, axis, known, case.grid.spacing_mm), locked)
    runs = runs_between(before, after)
    if not runs:
        raise InputError("Between the slices drawn on there is nothing to fill", remedy="draw on slices further apart")
    with workspace.store.write(assignment.annotator_id) as tx:
        revision = append_patch(tx, require_revision(tx.get(Assignment, assignment_id), base_revision), runs, verb=VERBS[axis])
    draft = Draft(revision, apply_runs(before, runs))
    return Filling(draft, runs, tuple(sorted(set().union(*slices.values()))), len(_slices(before != after, axis)))


@dataclass(frozen=True)
class HandWork:
    """What somebody did to a draft by hand, fillings left out.

    Attributes:
        patches: Brush strokes and gestures, in order.
        log: The gestures.
        axes: Along which axes slices were filled in between.
    """

    patches: tuple[DraftPatch, ...] = ()
    log: tuple[PromptRecord, ...] = ()
    axes: tuple[int, ...] = ()

    def voxels(self, mask: MaskArray, begun: MaskArray) -> BoolArray:
        """Voxels that a hand changed from what the edit began with to what they are, shape (I, J, K)."""
        drawn: BoolArray = (hands(mask, self.patches, self.log) > 0) & (mask != begun)
        return drawn

    def slices(self, mask: MaskArray, begun: MaskArray) -> BoolArray:
        """The slices that were drawn on, whole, along the axes that were filled along; shape (I, J, K)."""
        drawn, whole = self.voxels(mask, begun), np.zeros(mask.shape, dtype=np.bool_)
        for axis in self.axes:
            whole |= drawn.any(axis=tuple(a for a in range(3) if a != axis), keepdims=True)
        return whole


def hand_work(tx: Reader, assignment_id: str) -> HandWork:
    """What was done by hand to an assignment's draft, and along which axes the rest was filled in."""
    patches = tx.patches(assignment_id)
    filled = {event.noun_id: VERBS.index(event.verb) for event in tx.events_about("patch", [p.id for p in patches], verbs=VERBS)}
    by_hand = tuple(patch for patch in patches if patch.id not in filled)
    return HandWork(by_hand, tuple(prompt_log(tx, assignment_id)), tuple(sorted(set(filled.values()))))


def _slices(voxels: BoolArray, axis: int) -> list[int]:
    """Numbers of the slices that hold some of the voxels."""
    return [int(n) for n in np.flatnonzero(voxels.any(axis=tuple(a for a in range(3) if a != axis)))]


def _filled(begun: MaskArray, mask: MaskArray, axis: int, known: Mapping[int, Sequence[int]], spacing_mm: Sequence[float]) -> MaskArray:
    """The mask with every label made anew between the slices drawn on for it."""
    if begun.any():
        return carry_corrections(begun, mask, axis=axis, answered=known, spacing_mm=spacing_mm)
    filled = mask.copy(order="K")
    planes = np.moveaxis(filled, axis, 0)
    for label, found in known.items():
        between = sorted(set(range(found[0], found[-1])) - set(found))
        planes[between] = np.where(planes[between] == label, 0, planes[between])
    for label, found in known.items():
        filled = interpolate_slices(filled, axis=axis, answered=found, label=label, spacing_mm=spacing_mm)
    return filled
