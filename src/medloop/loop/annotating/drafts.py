"""The edit in progress: a base mask plus numbered patches, so that nothing drawn is ever lost.

Each patch sets runs of voxels; its number follows the last one, so a stale page is told (409) instead of overwriting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.errors import InputError, LabelError
from medloop.core.records import Assignment, Case, DraftPatch, Task, new_id, now
from medloop.images.encode import encode_mask
from medloop.interaction.locks import check_locks, keep_locked_labels
from medloop.interaction.runs import Run, apply_runs, runs_between
from medloop.loop.annotating.open_edit import ELSEWHERE, PROPAGATE, TAKE, TRACED, Draft, load_edit, require_revision
from medloop.loop.annotating.prompt_log import bring_back, take_back
from medloop.loop.annotating.submission import submitted_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.store.writer import Writer

MAX_RUNS = 200_000
"""Runs in one patch: a stroke in a large volume has some thousands."""

MAX_COVER = 4
"""How often the runs of one patch may cover the image: one that sets each voxel once needs 1, overlapping strokes some more."""


@dataclass(frozen=True)
class Edit:
    """One edit of a draft.

    Attributes:
        base_revision: The revision it was made on.
        runs: Flat voxel runs, applied in order.
        withdraws: Prompts whose effect these runs take back (undo).
        restores: Prompts whose effect these runs bring back (redo).
        locked: Labels that stay as they are: the edit changes other voxels only.
        taken: The runs put something that a model proposed into the draft; see `medloop.loop.annotating.independence`.
        elsewhere: Another program drew it.
        propagated: The runs are labels carried to other frames; see `medloop.loop.annotating.propagating`.
        traced: The runs are what a trace proposed; see `medloop.loop.annotating.tracing`.
    """

    base_revision: int
    runs: Sequence[Run]
    withdraws: Sequence[str] = ()
    restores: Sequence[str] = ()
    locked: Sequence[int] = ()
    taken: bool = False
    elsewhere: bool = False
    propagated: bool = False
    traced: bool = False

    @property
    def verb(self) -> str:
        """What the event log calls it."""
        sources = {TAKE: self.taken, ELSEWHERE: self.elsewhere, PROPAGATE: self.propagated, TRACED: self.traced}
        return next((verb for verb, holds in sources.items() if holds), "edit")


def save_patch(workspace: Workspace, assignment_id: str, edit: Edit) -> int:
    """Append one edit to an open assignment; the new revision.

    Raises:
        ConflictError: Another edit came first; read the draft again.
        StateError: The assignment is closed.
        InputError: A run outside the image, or an unknown label, locked or not.
        NotFoundError: A prompt that this assignment never had.
    """
    check_locks(edit.locked, workspace.task.label_values)
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        case = tx.get(Case, assignment.case_id)
        whole = load_edit(tx, assignment, workspace.store.blobs) if edit.locked else None
    check_runs(edit.runs, case.grid.voxels, workspace.task)
    runs = whole_runs(edit.runs)
    if whole is not None:
        before = whole.draft(upto=edit.base_revision).mask
        runs = runs_between(before, keep_locked_labels(workspace.task.labels, before, apply_runs(before, runs), edit.locked))
    with workspace.store.write(assignment.annotator_id) as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), edit.base_revision)
        revision = append_patch(tx, assignment, runs, verb=edit.verb)
        take_back(tx, assignment_id, edit.withdraws, revision)
        bring_back(tx, assignment_id, edit.restores, revision)
    return revision


def whole_runs(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Runs as plain whole numbers, as they are stored."""
    return tuple((int(start), int(length), int(value)) for start, length, value in runs)


def append_patch(tx: Writer, assignment: Assignment, runs: Sequence[Run], *, verb: str = "edit") -> int:
    """Add checked runs as the next patch within the caller's transaction; its number. The event log tells it by its verb."""
    revision, kept = assignment.revision + 1, whole_runs(runs)
    patch = DraftPatch(id=new_id("patch"), assignment_id=assignment.id, revision=revision, runs=kept, created_at=now())
    tx.add(patch, verb=verb)
    tx.change(Assignment, assignment.id, verb="edit", fields={"revision": patch.revision})
    return patch.revision


def read_draft(workspace: Workspace, assignment_id: str, *, upto: int | None = None) -> Draft:
    """The mask of an assignment: its base with the saved patches applied, up to a revision or all."""
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
    return edit.draft(upto=upto)


def packed_draft(workspace: Workspace, assignment_id: str) -> tuple[int, bytes]:
    """The draft as (revision, mask bytes in file order, gzip); an untouched one is sent as it is stored."""
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
        stored = submitted_mask(tx, edit.assignment) or (None if edit.patches or edit.partial else edit.stored)
    if stored is not None:
        return edit.assignment.revision, workspace.store.blobs.get(stored)
    draft = edit.draft()
    return draft.revision, encode_mask(draft.mask)


def check_runs(runs: Sequence[Run], voxels: int, task: Task) -> None:
    """Refuse runs that leave the image or name unknown labels.

    Raises:
        InputError: Too many runs, a negative start or length, or a run past the last voxel.
        LabelError: A value that is neither 0 nor a label of the task.
    """
    if len(runs) > MAX_RUNS:
        raise InputError(f"One edit may hold {MAX_RUNS} runs, got {len(runs)}", remedy="send it in parts")
    if not runs:
        return
    table = np.asarray(runs, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] != 3:
        raise InputError("A run is (start, length, value)")
    starts, lengths, values = table.T
    if starts.min() < 0 or lengths.min() < 1 or (starts > voxels - lengths).any():
        raise InputError(f"Runs must lie within the image's {voxels} voxels", remedy="send them for this case's own shape")
    if int(lengths.sum()) > MAX_COVER * voxels:
        rule = f"The runs of one edit may set {MAX_COVER} times the image's {voxels} voxels"
        raise InputError(f"{rule}, got {int(lengths.sum())}", remedy="send each voxel once")
    unknown = sorted(set(values.tolist()) - {0, *task.mask_values})
    if unknown:
        raise LabelError(f"An edit may use 0 and the labels {list(task.mask_values)}, got {unknown[:8]}")
