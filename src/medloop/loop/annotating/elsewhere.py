"""Drawn in another front end: found again by its voxels, what is drawn on a case's image becomes a person's draft of the case.

A draft replaces nothing: the person looks at it on the page and submits it there. Labels that are locked keep their voxels in it, and what
is drawn goes around them; labels that may share voxels with the one that is drawn do.
"""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import MaskArray, ObjectNumbers
from medloop.core.drawing import drawn_table, erased_table
from medloop.core.image import Image
from medloop.core.labels import held_by_value
from medloop.core.records import Annotator, Assignment, Case, Label
from medloop.datasets.objects import DrawnObjects
from medloop.images.encode import encodings
from medloop.interaction.nninteractive.session import Keep, Kept
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import choose_case
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.drawn_objects import keep_objects, objects_of_assignment
from medloop.loop.foundation.workspace import Workspace

STORED = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32")
"""What voxels of cases are stored as; front ends often send another dtype."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawing:
    """How a person draws one label in another front end.

    Attributes:
        annotator: Whose draft it is.
        label: Its value.
        locked: Values of labels that keep their voxels; None for all others.
    """

    annotator: Annotator
    label: int
    locked: frozenset[int] | None = None

    def locks(self, labels: Collection[Label]) -> frozenset[int]:
        """The values of the labels that stay."""
        others = frozenset(one.value for one in labels if one.value != self.label)
        return others if self.locked is None else others & self.locked


def keep_drafts(workspace: Workspace, drawing: Drawing) -> Keep:
    """Keeps what sessions draw as drafts of one person; an image that is no case of the project is logged, and nothing of it kept."""

    def keep(image: Image) -> Kept | None:
        case = case_of_image(workspace, image)
        if case is None:
            _LOG.warning("An image of %s voxels is no case of this project (or several): what is drawn on it is not kept", image.grid.shape)
            return None
        return _Draft(workspace, case, drawing).kept()

    return keep


def case_of_image(workspace: Workspace, image: Image) -> Case | None:
    """The one case whose stored voxels an image has, whatever dtype it came in; None for none, or several."""
    first = image.array.dtype.name
    for dtype in sorted(STORED, key=lambda name: name != first):
        cast = image.array.astype(dtype)
        if not np.array_equal(cast, image.array):
            continue
        names = [hashlib.sha256(data).hexdigest() for data in encodings(cast)]
        with workspace.store.read() as tx:
            found = [case for name in names for case in tx.find(Case, where={"voxels": name}) if case.grid.shape == image.grid.shape]
        if found:
            return found[0] if len(found) == 1 else None
    return None


class _Draft:
    """One person's draft of one case while a front end draws in it."""

    def __init__(self, workspace: Workspace, case: Case, drawing: Drawing) -> None:
        self._workspace, self._case, self._drawing = workspace, case, drawing
        self._before: DrawnObjects | None = None

    def kept(self) -> Kept:
        """How a session keeps what is drawn; where objects are kept apart this opens the case, to know those of the draft."""
        if self._workspace.settings.objects == "merged":
            return Kept(self.change, self.locked)
        opened, blobs = self._open(), self._workspace.store.blobs
        with self._workspace.store.read() as tx:
            self._before = objects_of_assignment(tx, blobs, self._case, opened.id)
        return Kept(self.change, self.locked, self._before.numbers if self._before else None, self.number)

    def change(self, before: MaskArray, after: MaskArray) -> None:
        """Repeat in the draft what a structure's mask gained and lost; both masks 0 or 1, shape (I, J, K) of the case.

        Raises:
            ConflictError: The draft was changed in this moment; nothing is saved.
        """
        assignment = self._open()
        draft = read_draft(self._workspace, assignment.id)
        labels, label = self._workspace.task.labels, self._drawing.label
        locks = self._drawing.locks(labels)
        mask = draft.mask.copy(order="K")
        for changed, table in ((after > before, drawn_table(labels, label)), (before > after, erased_table(labels, label))):
            free = ~(losing(labels, table, locks) > 0)[mask]
            mask = np.where(changed & free, table[mask], mask)
        runs = runs_between(draft.mask, mask)
        if runs:
            save_patch(self._workspace, assignment.id, Edit(draft.revision, runs, elsewhere=True))

    def locked(self) -> MaskArray | None:
        """A locked label wherever drawing would take it away, else 0."""
        labels = self._workspace.task.labels
        lost = losing(labels, drawn_table(labels, self._drawing.label), self._drawing.locks(labels))
        if not lost.any():
            return None
        found: MaskArray = lost[read_draft(self._workspace, self._open().id).mask]
        return found if found.any() else None

    def number(self, numbers: ObjectNumbers) -> None:
        """Keep which objects there are of the label that is drawn; those of others stay, also where another window drew them meanwhile."""
        label, known, opened = self._drawing.label, self._before.labels if self._before else (), self._open()
        more = int(numbers.max(initial=0)) - len(known)
        drawn = DrawnObjects(numbers, (*known, *[label] * max(0, more)))
        with self._workspace.store.read() as tx:
            now = objects_of_assignment(tx, self._workspace.store.blobs, self._case, opened.id)
        keep_objects(self._workspace, opened, drawn if now is None else now.with_label(drawn, label))

    def _open(self) -> Assignment:
        return choose_case(self._workspace, self._case.id, self._drawing.annotator.id).assignment


def losing(labels: tuple[Label, ...], table: MaskArray, locks: Collection[int]) -> MaskArray:
    """Value of a voxel → a locked label that a change takes from it, 0 for none; `table` is value → value after, both shape (256,)."""
    held = held_by_value(labels)
    lost = np.zeros(256, dtype=np.uint8)
    for value, of in held.items():
        lost[value] = min((of - held.get(int(table[value]), frozenset())) & set(locks), default=0)
    return lost
