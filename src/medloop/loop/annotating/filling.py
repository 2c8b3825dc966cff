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
from medloop.core.drawing import with_label
from medloop.core.errors import InputError
from medloop.core.labels import mask_of, nested_regions
from medloop.core.records import Assignment, Label
from medloop.interaction.carrying import carry_corrections
from medloop.interaction.interpolate import interpolate_slices
from medloop.interaction.locks import check_locks, keep_locked_labels
from medloop.interaction.runs import Run, apply_runs, runs_between
from medloop.loop.annotating.drafts import append_patch
from medloop.loop.annotating.open_edit import FILLED, Draft, OpenEdit, load_edit, require_revision
from medloop.loop.annotating.provenance import hands
from medloop.loop.foundation.workspace import Workspace

FEWEST = 2
"""Slices drawn on: there is nothing between fewer."""


@dataclass(frozen=True, eq=False)
class Filling:
    """What a filling did: the draft with it, the patch saved, the slices drawn on for any label, how many slices changed."""

    draft: Draft
    runs: tuple[Run, ...]
    drawn: tuple[int, ...]
    filled: int


def fill_between(workspace: Workspace, assignment_id: str, *, axis: int, base_revision: int, locked: Sequence[int] = ()) -> Filling:
    """Give the slices between drawn ones along an axis, 0 to 2, what follows from these, label by label; locked labels stay.

    A label's voxels on the slices that were drawn on for it, and beyond the first and last of these, stay.

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
        edit = load_edit(tx, assignment, workspace.store.blobs)
    begun, before = edit.begun, edit.draft().mask
    hand = drawn_voxels(edit, before, begun)
    labels = workspace.task.labels
    slices = {
        one: _slices(hand & (mask_of(labels, before, one) != mask_of(labels, begun, one)), axis) for one in workspace.task.label_values
    }
    if max(map(len, slices.values())) < FEWEST:
        remedy = "draw on every third slice or so, then fill"
        found = max(map(len, slices.values()))
        raise InputError(f"Filling needs at least {FEWEST} slices that were drawn on for a label, got {found}", remedy=remedy)
    known = {label: found for label, found in slices.items() if len(found) >= FEWEST and label not in locked}
    after = keep_locked_labels(labels, before, _filled_each(labels, begun, before, axis, known, edit.case.grid.spacing_mm), locked)
    runs = runs_between(before, after)
    if not runs:
        raise InputError("Between the slices drawn on there is nothing to fill", remedy="draw on slices further apart")
    with workspace.store.write(assignment.annotator_id) as tx:
        revision = append_patch(tx, require_revision(tx.get(Assignment, assignment_id), base_revision), runs, verb=FILLED[axis])
    draft = Draft(revision, apply_runs(before, runs))
    return Filling(draft, runs, tuple(sorted(set().union(*slices.values()))), len(_slices(before != after, axis)))


def drawn_voxels(edit: OpenEdit, mask: MaskArray, begun: MaskArray) -> BoolArray:
    """Voxels that a hand, fillings left out, changed from what an edit began with to what they are in a mask; shape (I, J, K)."""
    drawn: BoolArray = (hands(mask, edit.by_hand, edit.log) > 0) & (mask != begun)
    return drawn


def drawn_slices(edit: OpenEdit, mask: MaskArray, begun: MaskArray) -> BoolArray:
    """The slices that were drawn on, whole, along the axes that were filled along; shape (I, J, K)."""
    drawn, whole = drawn_voxels(edit, mask, begun), np.zeros(mask.shape, dtype=np.bool_)
    for axis in edit.filled_axes:
        whole |= drawn.any(axis=tuple(a for a in range(3) if a != axis), keepdims=True)
    return whole


def _slices(voxels: BoolArray, axis: int) -> list[int]:
    """Numbers of the slices that hold some of the voxels."""
    return [int(n) for n in np.flatnonzero(voxels.any(axis=tuple(a for a in range(3) if a != axis)))]


def _filled_each(
    labels: Sequence[Label], begun: MaskArray, mask: MaskArray, axis: int, known: Mapping[int, Sequence[int]], spacing_mm: Sequence[float]
) -> MaskArray:
    """Where labels share voxels each is made anew by itself, from all its voxels, else all together.

    Of the voxels that a label has for itself alone the outline of one inside it would be filled, too, and leave a hole.
    """
    if not nested_regions(labels):
        return _filled(begun, mask, axis, known, spacing_mm)
    found = mask
    for label, slices in known.items():
        first, own = (np.where(mask_of(labels, one, label), np.uint8(label), np.uint8(0)) for one in (begun, mask))
        found = with_label(labels, found, _filled(first, own, axis, {label: slices}, spacing_mm) == label, label)
    return found


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
