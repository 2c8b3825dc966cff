"""The edit in progress: a base mask plus numbered patches, so that nothing drawn is ever lost.

The base is the annotator's own earlier answer, else the proposal shown, else background. Each patch sets
runs of voxels; its number follows the last one, so a stale page is told (409) instead of overwriting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import ConflictError, InputError, LabelError, StateError
from medloop.core.geometry import Shape3
from medloop.core.records import Annotation, Assignment, Case, DraftPatch, Prediction, Task, new_id, now
from medloop.images.encode import decode_mask, encode_mask
from medloop.loop.workspace import Workspace
from medloop.store.reader import Reader

Run = tuple[int, int, int]
"""(start, length, value): `length` voxels from flat index `start` (I fastest) become `value`."""

MAX_RUNS = 200_000
"""Runs in one patch: a stroke in a large volume has some thousands."""


@dataclass(frozen=True)
class Draft:
    """An open assignment's mask as it stands, shape (I, J, K), and the number of its last patch."""

    revision: int
    mask: MaskArray = field(repr=False)


def save_patch(workspace: Workspace, assignment_id: str, base_revision: int, runs: Sequence[Run]) -> int:
    """Append one edit to an open assignment.

    Args:
        workspace: The project.
        assignment_id: Whose draft.
        base_revision: The revision the edit was made on.
        runs: Flat voxel runs, applied in order.

    Returns:
        The new revision.

    Raises:
        ConflictError: Another edit came first; read the draft again.
        StateError: The assignment is closed.
        InputError: A run outside the image, or an unknown label.
    """
    with workspace.store.read() as tx:
        case = tx.get(Case, tx.get(Assignment, assignment_id).case_id)
    check_runs(runs, case.grid.voxels, workspace.task)
    with workspace.store.write(_actor(workspace, assignment_id)) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        if assignment.revision != base_revision:
            raise ConflictError(
                f"The draft is at revision {assignment.revision}, the edit was made on {base_revision}",
                remedy="read the draft again and repeat the edit",
            )
        patch = DraftPatch(
            id=new_id("patch"),
            assignment_id=assignment_id,
            revision=base_revision + 1,
            runs=tuple((int(s), int(n), int(v)) for s, n, v in runs),
            created_at=now(),
        )
        tx.add(patch, verb="edit")
        tx.change(Assignment, assignment_id, verb="edit", fields={"revision": patch.revision})
    return patch.revision


def read_draft(workspace: Workspace, assignment_id: str) -> Draft:
    """The mask of an assignment: its base with every saved patch applied."""
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        case = tx.get(Case, assignment.case_id)
        base = base_mask(workspace, tx, assignment, case)
        patches = tx.patches(assignment_id)
    flat = base.ravel(order="F").copy()
    for patch in patches:
        for start, length, value in patch.runs:
            flat[start : start + length] = value
    revision = patches[-1].revision if patches else 0
    return Draft(revision, flat.reshape(case.grid.shape, order="F"))


def packed_draft(workspace: Workspace, assignment_id: str) -> tuple[int, bytes]:
    """The draft as (revision, mask bytes in file order, gzip); an untouched one is sent as it is stored."""
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        case = tx.get(Case, assignment.case_id)
        stored = None if tx.patches(assignment_id) else _stored_base(tx, assignment, case)
    if stored is not None:
        return 0, workspace.store.blobs.get(stored)
    draft = read_draft(workspace, assignment_id)
    return draft.revision, encode_mask(draft.mask)


def touched_voxels(patches: Sequence[DraftPatch], shape: Shape3) -> BoolArray:
    """Which voxels edits went over, whether or not they changed there, shape (I, J, K)."""
    flat = np.zeros(shape, dtype=bool).ravel(order="F")
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
    unknown = sorted(set(values.tolist()) - {0, *task.label_values})
    if unknown:
        raise LabelError(f"An edit may use 0 and the labels {list(task.label_values)}, got {unknown[:8]}")


def require_open(assignment: Assignment) -> Assignment:
    """The assignment itself, if it still accepts work.

    Raises:
        StateError: It was submitted, skipped, flagged or released.
    """
    if assignment.state != "open":
        raise StateError(f"This assignment is {assignment.state}, not open", remedy="open the case again")
    return assignment


def own_answer(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotator's current answer to a case, if any."""
    for annotation in tx.current_annotations(case_ids=[case_id]):
        if annotation.annotator_id == annotator_id:
            return annotation
    return None


def base_mask(workspace: Workspace, tx: Reader, assignment: Assignment, case: Case) -> MaskArray:
    """The mask the edit began with: the annotator's own earlier answer, else the proposal, else background."""
    stored = _stored_base(tx, assignment, case)
    if stored is None:
        return np.zeros(case.grid.shape, dtype=np.uint8)
    return decode_mask(workspace.store.blobs.get(stored), case.grid.shape)


def _stored_base(tx: Reader, assignment: Assignment, case: Case) -> str | None:
    """Blob of the mask the edit began with; None when it began with background."""
    earlier = own_answer(tx, case.id, assignment.annotator_id)
    if earlier is not None and earlier.blob is not None and earlier.assignment_id != assignment.id:
        return earlier.blob
    return tx.get(Prediction, assignment.proposal_id).mask if assignment.proposal_id is not None else None


def _actor(workspace: Workspace, assignment_id: str) -> str:
    with workspace.store.read() as tx:
        return tx.get(Assignment, assignment_id).annotator_id
