"""The edit in progress: a base mask plus numbered patches, so that nothing drawn is ever lost.

The base is the annotation in force when the case was opened, anybody's, else the proposal shown, else background; it
stays the base whatever happens to the case meanwhile. Each patch sets runs of voxels; its number follows the last one, so a
stale page is told (409) instead of overwriting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError, StateError
from medloop.core.geometry import Shape3
from medloop.core.records import Annotation, Assignment, Case, DraftPatch, Prediction, Task, new_id, now
from medloop.images.encode import decode_mask, encode_mask
from medloop.interaction.locks import check_locks, keep_locked
from medloop.loop.annotating.mask_runs import Run, apply_runs, runs_between
from medloop.loop.annotating.prompt_log import bring_back, take_back
from medloop.loop.annotating.submission import submitted_mask
from medloop.loop.foundation.in_force import base_of
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader
from medloop.store.writer import Writer

MAX_RUNS = 200_000
"""Runs in one patch: a stroke in a large volume has some thousands."""

TAKE = "take"
"""Verb of a patch that put something a model proposed (a hypothesis) into the draft."""

MAX_COVER = 4
"""How often the runs of one patch may cover the image: one that sets each voxel once needs 1, overlapping strokes some more."""


@dataclass(frozen=True)
class Draft:
    """An open assignment's mask as it stands, shape (I, J, K), and the number of its last patch."""

    revision: int
    mask: MaskArray = field(repr=False)


def save_patch(
    workspace: Workspace,
    assignment_id: str,
    base_revision: int,
    runs: Sequence[Run],
    *,
    withdraws: Sequence[str] = (),
    restores: Sequence[str] = (),
    locked: Sequence[int] = (),
    taken: bool = False,
) -> int:
    """Append one edit to an open assignment.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        base_revision: The revision the edit was made on.
        runs: Flat voxel runs, applied in order.
        withdraws: Prompts whose effect these runs take back (undo).
        restores: Prompts whose effect these runs bring back (redo).
        locked: Labels that stay as they are: the edit changes other voxels only.
        taken: The runs put something that a model proposed into the draft; see `medloop.loop.annotating.independence`.

    Returns:
        The new revision.

    Raises:
        ConflictError: Another edit came first; read the draft again.
        StateError: The assignment is closed.
        InputError: A run outside the image, or an unknown label, locked or not.
        NotFoundError: A prompt that this assignment never had.
    """
    with workspace.store.read() as tx:
        case = tx.get(Case, tx.get(Assignment, assignment_id).case_id)
    check_runs(runs, case.grid.voxels, workspace.task)
    if locked:
        runs = _beside_locked(workspace, assignment_id, base_revision, runs, locked)
    with workspace.store.write(_actor(workspace, assignment_id)) as tx:
        assignment = require_revision(tx.get(Assignment, assignment_id), base_revision)
        revision = append_patch(tx, assignment, runs, verb=TAKE if taken else "edit")
        take_back(tx, assignment_id, withdraws, revision)
        bring_back(tx, assignment_id, restores, revision)
    return revision


def _beside_locked(
    workspace: Workspace, assignment_id: str, base_revision: int, runs: Sequence[Run], locked: Sequence[int]
) -> tuple[Run, ...]:
    """What runs change of a draft but for locked voxels."""
    check_locks(locked, workspace.task.label_values)
    before = read_draft(workspace, assignment_id, upto=base_revision).mask
    after = apply_runs(before, tuple((int(s), int(n), int(v)) for s, n, v in runs))
    return runs_between(before, keep_locked(before, after, locked))


def append_patch(tx: Writer, assignment: Assignment, runs: Sequence[Run], *, verb: str = "edit") -> int:
    """Add checked runs as the next patch within the caller's transaction; its number. The event log tells it by its verb."""
    patch = DraftPatch(
        id=new_id("patch"),
        assignment_id=assignment.id,
        revision=assignment.revision + 1,
        runs=tuple((int(s), int(n), int(v)) for s, n, v in runs),
        created_at=now(),
    )
    tx.add(patch, verb=verb)
    tx.change(Assignment, assignment.id, verb="edit", fields={"revision": patch.revision})
    return patch.revision


def read_draft(workspace: Workspace, assignment_id: str, *, upto: int | None = None, known: Draft | None = None) -> Draft:
    """The mask of an assignment: its base with the saved patches applied.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        upto: The last revision wanted; None for the newest.
        known: An earlier state of this draft, to go on from; patches never change.
    """
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        case = tx.get(Case, assignment.case_id)
        begin = known if known is not None and (upto is None or known.revision <= upto) else None
        patches = tx.patches(assignment_id, after=begin.revision if begin else 0)
        mask = begin.mask if begin else base_mask(workspace, tx, assignment, case)
    wanted = [patch for patch in patches if upto is None or patch.revision <= upto]
    if begin and not wanted:
        return begin
    revision = wanted[-1].revision if wanted else 0
    return Draft(revision, with_patches(mask, wanted))


def with_patches(mask: MaskArray, patches: Sequence[DraftPatch]) -> MaskArray:
    """A copy of the mask with patches applied in order, in file order in memory."""
    return apply_runs(mask, tuple(run for patch in patches for run in patch.runs))


def packed_draft(workspace: Workspace, assignment_id: str) -> tuple[int, bytes]:
    """The draft as (revision, mask bytes in file order, gzip); an untouched one is sent as it is stored."""
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        stored = None if tx.patches(assignment_id) else stored_base(tx, assignment)
        stored = submitted_mask(tx, assignment) or stored
    if stored is not None:
        return assignment.revision, workspace.store.blobs.get(stored)
    draft = read_draft(workspace, assignment_id)
    return draft.revision, encode_mask(draft.mask)


def touched_voxels(patches: Sequence[DraftPatch], shape: Shape3) -> BoolArray:
    """Which voxels edits went over, whether or not they changed there, shape (I, J, K)."""
    flat = np.zeros(int(np.prod(shape)), dtype=bool)
    for patch in patches:
        for start, length, _ in patch.runs:
            flat[start : start + length] = True
    return flat.reshape(shape, order="F")


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
    unknown = sorted(set(values.tolist()) - {0, *task.label_values})
    if unknown:
        raise LabelError(f"An edit may use 0 and the labels {list(task.label_values)}, got {unknown[:8]}")


def require_open(assignment: Assignment) -> Assignment:
    """The assignment itself, if it still accepts work.

    Raises:
        StateError: It was submitted, skipped, flagged or released.
    """
    if assignment.state != "open":
        kept = "; your draft is kept" if assignment.state == "released" else ""
        raise StateError(f"This assignment is {assignment.state}, not open", remedy=f"open the case again{kept}")
    return assignment


def require_revision(assignment: Assignment, base_revision: int) -> Assignment:
    """The assignment itself, if it is open and an edit made on that revision is the next one.

    Raises:
        ConflictError: Another edit came first.
        StateError: It is closed.
    """
    if require_open(assignment).revision != base_revision:
        raise ConflictError(
            f"The draft is at revision {assignment.revision}, the edit was made on {base_revision}",
            remedy="read the draft again and repeat the edit",
        )
    return assignment


def own_answer(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotator's current answer to a case, if any."""
    for annotation in tx.current_annotations(case_ids=[case_id]):
        if annotation.annotator_id == annotator_id:
            return annotation
    return None


def base_mask(workspace: Workspace, tx: Reader, assignment: Assignment, case: Case) -> MaskArray:
    """The mask an edit began with, shape (I, J, K): the annotation in force then, else the proposal, else background."""
    stored = stored_base(tx, assignment)
    if stored is None:
        return np.zeros(case.grid.shape, dtype=np.uint8)
    return decode_mask(workspace.store.blobs.get(stored), case.grid.shape)


def stored_base(tx: Reader, assignment: Assignment) -> str | None:
    """Blob of the mask the edit began with; None when it began with background."""
    base = base_of(tx, assignment)
    if base is not None and base.blob is not None:
        return base.blob
    return tx.get(Prediction, assignment.proposal_id).mask if assignment.proposal_id is not None else None


def _actor(workspace: Workspace, assignment_id: str) -> str:
    with workspace.store.read() as tx:
        return tx.get(Assignment, assignment_id).annotator_id
