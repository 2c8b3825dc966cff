"""A trace of a pointer or of gaze on a case becomes a proposal: looked at first, saved once it is accepted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.drawing import drawn_table, have_overlaps, shows_locked
from medloop.core.errors import InputError, LabelError
from medloop.core.records import Assignment, Case, Task
from medloop.interaction.dwell import SPREAD_SHARE, Dwelt, dwell
from medloop.interaction.engine import StillWanted
from medloop.interaction.locks import check_locks, keep_locked_labels
from medloop.interaction.runs import Run, runs_between
from medloop.interaction.traces import read_trace
from medloop.loop.annotating.open_edit import load_edit, require_revision
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Traced:
    """What a trace would do to a draft.

    Attributes:
        revision: Of the draft.
        runs: From the draft to what is shown: background within the proposal becomes the label.
        samples: How many samples count.
        seconds: How long they lasted together.
        slices: Slices along the last axis that were looked at, ascending.
        expected_dice: How sure the proposal is, 0..1; see `medloop.interaction.dwell`.
    """

    revision: int
    runs: tuple[Run, ...]
    samples: int
    seconds: float
    slices: tuple[int, ...]
    expected_dice: float


def dwell_of(
    workspace: Workspace, case: Case, text: str, label: int, *, spread_share: float = SPREAD_SHARE, wanted: StillWanted = lambda: True
) -> tuple[Dwelt, int]:
    """What a trace says of one label on a case, and how many of its samples count: those that name it, or all where none names any.

    Raises:
        FormatError, InputError: As `read_trace` and `dwell`; no sample names the label.
        LabelError: A label that the task does not have, given or in the trace.
        CancelledError: The result is no longer wanted.
    """
    name = _named(workspace.task, label)
    trace = read_trace(text, case.grid)
    known = {one.name.casefold() for one in workspace.task.labels}
    if strange := sorted({one for one in trace.labels if one and one.casefold() not in known}):
        raise LabelError(f"A trace names labels of the task, got {strange[0]!r}", remedy=f"use one of {', '.join(sorted(known))}")
    if any(trace.labels):
        trace = trace.about(name)
    if not len(trace.seconds):
        raise InputError(f"No sample of the trace names the label {name!r}", remedy="choose a label that it names")
    image = load_image(workspace.store.blobs, case)
    return dwell(image, trace, spread_share=spread_share, wanted=wanted), len(trace.seconds)


def preview_trace(
    workspace: Workspace,
    assignment_id: str,
    text: str,
    *,
    label: int,
    base_revision: int,
    locked: Sequence[int] = (),
    spread_share: float = SPREAD_SHARE,
) -> Traced:
    """What a trace would add of a label to a draft; nothing is saved. Other labels stay.

    Raises:
        FormatError, InputError, LabelError: As `dwell_of`.
        ConflictError: Another edit came first.
        StateError: The assignment is closed.
    """
    check_locks(locked, workspace.task.label_values)
    with workspace.store.read() as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        edit = load_edit(tx, assignment, workspace.store.blobs)
    found, samples = dwell_of(workspace, edit.case, text, label, spread_share=spread_share)
    before = edit.draft().mask
    after = _joined(workspace.task, before, found.inside, label)
    runs = runs_between(before, keep_locked_labels(workspace.task.labels, before, after, locked))
    return Traced(assignment.revision, runs, samples, found.seconds, found.slices, found.expected_dice)


def _joined(task: Task, before: MaskArray, inside: BoolArray, label: int) -> MaskArray:
    """A mask with a label where there was background, or another label that overlaps it, and which stays."""
    if not have_overlaps(task.labels):
        return np.where(inside & (before == 0), np.uint8(label), before)
    after = np.where(inside, drawn_table(task.labels, label)[before], before)
    others = [value for value in task.label_values if value != label]
    return np.where(shows_locked(task.labels, before, after, others), before, after)


def _named(task: Task, label: int) -> str:
    for one in task.labels:
        if one.value == label and task.kind == "segmentation":
            return one.name
    raise LabelError(f"A trace is of a label of a segmentation, got {label}", remedy=f"use one of {list(task.label_values)}")
