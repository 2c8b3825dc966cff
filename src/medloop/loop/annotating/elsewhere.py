"""Drawn in another front end: found again by its voxels, what is drawn on a case's image becomes a person's draft of the case.

A draft replaces nothing: the person looks at it on the page and submits it there. Voxels of other labels stay as they are in it.
"""

import hashlib
import logging
from functools import partial

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.image import Image
from medloop.core.records import Annotator, Case
from medloop.images.encode import encode_voxels
from medloop.interaction.nninteractive.session import Keep, KeepChange
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import choose_case
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.foundation.workspace import Workspace

STORED = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32")
"""What voxels of cases are stored as; front ends often send another dtype."""

_LOG = logging.getLogger(__name__)


def keep_drafts(workspace: Workspace, annotator: Annotator, label: int) -> Keep:
    """Keeps what sessions draw as drafts of one person; an image that is no case of the project is logged, and nothing of it kept."""

    def keep(image: Image) -> KeepChange | None:
        case = case_of_image(workspace, image)
        if case is None:
            _LOG.warning("An image of %s voxels is no case of this project (or several): what is drawn on it is not kept", image.grid.shape)
            return None
        return partial(draw_change, workspace, case.id, annotator.id, label)

    return keep


def case_of_image(workspace: Workspace, image: Image) -> Case | None:
    """The one case whose stored voxels an image has, whatever dtype it came in; None for none, or several."""
    first = image.array.dtype.name
    for dtype in sorted(STORED, key=lambda name: name != first):
        cast = image.array.astype(dtype)
        if not np.array_equal(cast, image.array):
            continue
        voxels = hashlib.sha256(encode_voxels(cast)).hexdigest()
        with workspace.store.read() as tx:
            found = [case for case in tx.find(Case, where={"voxels": voxels}) if case.grid.shape == image.grid.shape]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def draw_change(workspace: Workspace, case_id: str, annotator_id: str, label: int, before: MaskArray, after: MaskArray) -> None:
    """Repeat in a person's draft what a structure's mask gained and lost; both masks 0 or 1, shape (I, J, K) of the case.

    Raises:
        ConflictError: The draft was changed in this moment; nothing is saved.
    """
    assignment = choose_case(workspace, case_id, annotator_id).assignment
    draft = read_draft(workspace, assignment.id)
    mask = draft.mask.copy(order="K")
    mask[(after > before) & (mask == 0)] = label
    mask[(before > after) & (mask == label)] = 0
    runs = runs_between(draft.mask, mask)
    if runs:
        save_patch(workspace, assignment.id, Edit(draft.revision, runs, elsewhere=True))
