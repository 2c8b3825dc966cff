"""What a finished answer owes to whom: who gave it, what it began from, which parts a person touched.

A voxel counts as touched when an edit went over it or when its label is not the one the edit began with; then the rest was
merely accepted. An answer that began from nothing, or was imported, is all of a person's own making. Where slices were filled in
between others, the slices drawn on count as touched, whole, and those between as accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray
from medloop.core.errors import BlobError
from medloop.core.records import Annotation, Annotator, Assignment, Case, Json, Model, Prediction
from medloop.images.encode import decode_mask
from medloop.loop.annotating.filling import drawn_slices
from medloop.loop.annotating.open_edit import load_edit
from medloop.loop.annotating.provenance import provenance
from medloop.loop.annotating.reviewing import visits_of
from medloop.loop.annotating.touching import touched_voxels
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.in_force import base_of
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader


@dataclass(frozen=True, eq=False)
class Correction:
    """Where an answer comes from.

    Attributes:
        annotator: Name of who gave it.
        model: Number of the model whose proposal was mended; None when there was none.
        edits: Patches saved while it was open.
        prompts: Gestures in force when it was submitted; `medloop.loop.annotating.provenance` says which.
        touched: Voxels a person has drawn over or changed, shape (I, J, K); all of them without a proposal.
        answered: Voxels that the answer speaks of, shape (I, J, K); all of them unless it is partial.
        visits: Places looked at, in order.
    """

    annotator: str
    model: int | None
    edits: int
    prompts: int
    touched: BoolArray
    answered: BoolArray
    visits: tuple[int, ...]

    def to_json(self) -> Json:
        """Numbers instead of arrays."""
        answered = int(self.answered.sum())
        return {
            "annotator": self.annotator,
            "model": self.model,
            "edits": self.edits,
            "prompts": self.prompts,
            "touched_voxels": int(self.touched.sum()),
            "touched_share": float(self.touched.sum() / answered) if answered else 0.0,
            "visits": list(self.visits),
        }


def correction_of(workspace: Workspace, annotation: Annotation) -> Correction:
    """What is known about how a mask, whole or partial, came to be."""
    with workspace.store.read() as tx:
        case, annotator = tx.get(Case, annotation.case_id), tx.get(Annotator, annotation.annotator_id)
        prediction = tx.get(Prediction, annotation.proposal_id) if annotation.proposal_id else None
        model = tx.get(Model, prediction.model_id).index if prediction else None
        patches = tx.patches(annotation.assignment_id) if annotation.assignment_id else []
        visits = visits_of(tx, annotation.assignment_id) if annotation.assignment_id else ()
        made = provenance(tx, annotation)
    answer = load_annotation(workspace.store.blobs, annotation, case)
    answered = np.ones(case.grid.shape, dtype=bool) if isinstance(answer, int) else answer.array != UNKNOWN
    touched = touched_of(workspace, [annotation], case) & answered
    prompts = len(made.prompt_ids) if made else 0
    return Correction(annotator.name, model, len(patches), prompts, touched, answered, tuple(visit.number for visit in visits))


def touched_of(workspace: Workspace, answers: Sequence[Annotation], case: Case) -> BoolArray:
    """Voxels of a case that people have drawn over or changed in these answers or those they replace, shape (I, J, K).

    Where what an answer began with can no longer be read, all of it counts as a person's own making.
    """
    touched = np.zeros(case.grid.shape, dtype=bool)
    with workspace.store.read() as tx:
        for annotation in answers:
            try:
                touched |= _touched(workspace, tx, annotation, case)
            except BlobError:
                touched[:] = True
    return touched


def _began_from(tx: Reader, annotation: Annotation) -> Annotation | None:
    """The annotation that this one began with, if it began with one."""
    if annotation.assignment_id is not None:
        return base_of(tx, tx.get(Assignment, annotation.assignment_id))
    return tx.get(Annotation, annotation.supersedes) if annotation.supersedes else None


def _touched(workspace: Workspace, tx: Reader, annotation: Annotation, case: Case) -> BoolArray:
    blobs, shape = workspace.store.blobs, case.grid.shape
    earlier = _began_from(tx, annotation)
    began = earlier.blob if earlier else tx.get(Prediction, annotation.proposal_id).mask if annotation.proposal_id else None
    answer = load_annotation(blobs, annotation, case)
    if isinstance(answer, int):
        return np.ones(shape, dtype=bool)
    edit = load_edit(tx, tx.get(Assignment, annotation.assignment_id), blobs) if annotation.assignment_id else None
    filled = edit is not None and bool(edit.filled_axes)
    if began is None and not filled:
        return np.ones(shape, dtype=bool)
    begun = np.zeros(shape, dtype=np.uint8) if began is None else decode_mask(blobs.get(began), shape)
    if edit is not None and filled:
        touched = drawn_slices(edit, answer.array, begun)
    else:
        touched = (answer.array != begun) & (answer.array != UNKNOWN) | touched_voxels(edit.patches if edit else (), shape)
    return touched | _touched(workspace, tx, earlier, case) if earlier else touched
