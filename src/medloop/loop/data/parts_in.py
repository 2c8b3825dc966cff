"""Masks of which only slices or boxes are annotated, drawn elsewhere, as annotations of these parts.

A file per case, called like it: label values, 0 for background, and the ignore label of a dataset.json beside them, or 255, where nobody
has looked. So nnU-Net writes sparse annotations, and so `medloop.loop.data.part_exports` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import InputError, LabelError, MedloopError, SettingError, StateError, StorageError
from medloop.core.names import composed, counted
from medloop.core.records import Annotation, Annotator, Case, new_id, now
from medloop.datasets.dataset import Refusal
from medloop.datasets.files import Root
from medloop.images.read import read_mask
from medloop.loop.data.cases import IMPORTER
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.outside_proposals import described_labels, one_file_each
from medloop.loop.foundation.annotated_labels import labels_named, require_only
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.partial_annotations import BoxPart, Part, SlicePart, encode_partial, load_partial
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace

_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError, RecursionError)
_SHAPES = "save whole slices, or rectangles that do not touch, and the ignore label everywhere else"
_NNUNET = "labelsTr"
"""Folder of the masks in an nnU-Net data set, whose dataset.json lies beside it."""


@dataclass(frozen=True)
class PartsReport:
    """What became of a folder of masks of parts: cases with new parts, cases whose parts were there already, and files left out."""

    taken: tuple[str, ...]
    known: tuple[str, ...]
    refused: tuple[Refusal, ...]

    def __str__(self) -> str:
        return f"parts of {counted(len(self.taken), 'case')}, {len(self.known)} unchanged, {len(self.refused)} left out"


@dataclass
class _Tally:
    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def import_parts(workspace: Workspace, folder: str | Path, *, annotated: Sequence[str] | None = None, actor: str = "system") -> PartsReport:
    """Take masks of which parts are annotated, of training cases that are there; what cannot be read is named, and the rest goes on.

    Args:
        workspace: Of a segmentation.
        folder: A mask per case, see the module; or an nnU-Net data set, whose `labelsTr` is read.
        annotated: Names of the labels that the parts annotate; None is all that the dataset.json names, else all of the project.
        actor: Who brings them, for the audit.

    Raises:
        SettingError: The project is a classification.
        LabelError: A label that the project does not have.
        StorageError: The project cannot write.
    """
    if workspace.task.kind != "segmentation":
        raise SettingError("Parts are of masks, and this project is a classification", remedy="import the classes")
    place = Path(folder)
    inside = place / _NNUNET if (place / _NNUNET).is_dir() else place
    root = Root.of(inside)
    values, tally = described_labels(workspace, Root.of(inside.parent) if inside.name == _NNUNET else root), _Tally()
    said = values.annotated if annotated is None else labels_named(workspace.task, annotated)
    importer = annotator_named(workspace, IMPORTER, program=True)
    with workspace.store.read() as tx:
        cases = {composed(case.name): case for case in tx.find(Case)}
    files, tally.refused = root.walk()
    for name, path in one_file_each(root, files, cases, tally.refused, "a mask of parts").items():
        try:
            new = _take(workspace, cases[name], path, (values, said), (importer, actor))
        except StorageError:
            raise
        except _FAULTS as error:
            tally.refused.append(_refusal(root.label(path), path.name, error))
            continue
        (tally.taken if new else tally.known).append(cases[name].name)
    if tally.taken:
        after_annotation(workspace)
    return PartsReport(tuple(tally.taken), tuple(tally.known), tuple(tally.refused))


def parts_of(known: BoolArray) -> tuple[Part, ...]:
    """The slices or boxes that annotated voxels make up, shape (I, J, K): whole slices along one axis, else rectangles on each slice.

    Raises:
        InputError: They are all voxels or none, or of another shape.
    """
    if known.all() or not known.any():
        what = "every voxel, as a whole mask does" if known.all() else "no voxel"
        raise InputError(f"A mask of parts says something of some voxels, got {what}", remedy="import whole masks with their images")
    for axis in (2, 1, 0):
        others = tuple(n for n in range(3) if n != axis)
        whole = known.all(axis=others)
        if np.array_equal(whole, known.any(axis=others)):
            return tuple(SlicePart(axis, int(n)) for n in np.flatnonzero(whole))
    return tuple(part for n in np.flatnonzero(known.any(axis=(0, 1))) for part in _rectangles(known[:, :, n], int(n)))


def _rectangles(here: BoolArray, number: int) -> list[BoxPart]:
    """The rectangles of one slice, shape (I, J)."""
    islands, _ = ndimage.label(here)
    found = []
    for rows, columns in ndimage.find_objects(islands):
        if not here[rows, columns].all():
            raise InputError(f"Annotated parts are whole slices or rectangles, got another shape on slice {number + 1}", remedy=_SHAPES)
        found.append(BoxPart((rows.start, columns.start, number), (rows.stop, columns.stop, number + 1)))
    return found


def _take(workspace: Workspace, case: Case, path: Path, labels: tuple[LabelMap, tuple[int, ...]], who: tuple[Annotator, str]) -> bool:
    """Store what one file says of a case; whether it is new."""
    (values, annotated), (importer, actor) = labels, who
    if case.split != "train":
        rule = f"Parts are learned from, and {case.name} is a {case.split} case, against whose mask models are held"
        raise StateError(rule, remedy="annotate the whole mask")
    mask = _mask(path, case, values)
    known: BoolArray = mask != UNKNOWN
    parts, named = parts_of(known), () if set(annotated) >= {*workspace.task.label_values} else tuple(annotated)
    require_only(mask, named, workspace.task, path.name)
    blob = workspace.store.blobs.put(encode_partial(mask, parts))
    with workspace.store.write(actor) as tx:
        before = [one for one in tx.partial_annotations(case_ids=[case.id]) if one.annotator_id == importer.id]
        same = [n for n, one in enumerate(before) if one.blob == blob and one.annotated == named]
        if same and not any(_replaces(workspace, one, case, mask, named) for one in before[same[-1] + 1 :]):
            return False
        made = Annotation(
            id=new_id("annotation"), case_id=case.id, task_id=workspace.task.id, annotator_id=importer.id, kind="partial", blob=blob,
            origin="imported", effort_seconds=0.0, created_at=now(), began_with="elsewhere", annotated=named,
        )  # fmt: skip
        tx.add(made, verb="import")
    return True


def _replaces(workspace: Workspace, later: Annotation, case: Case, mask: MaskArray, named: tuple[int, ...]) -> bool:
    """Whether a later mask of parts says something else of voxels that a mask, 255 for unknown, speaks of."""
    _, other = load_partial(workspace.store.blobs, later, case)
    both = (mask != UNKNOWN) & (other != UNKNOWN)
    return bool(both.any()) and (later.annotated != named or not np.array_equal(mask[both], other[both]))


def _mask(path: Path, case: Case, values: LabelMap) -> MaskArray:
    """In the task's values, `UNKNOWN` where nothing is annotated; shape (I, J, K)."""
    stored = read_mask(path, case.grid).array
    unknown = UNKNOWN if values.ignore is None else values.ignore
    table = np.zeros(256, dtype=np.uint8)
    for value, wanted in values.voxels.items():
        table[value] = wanted
    table[unknown] = UNKNOWN
    foreign = sorted({int(value) for value in np.unique(stored)} - {0, unknown, *values.voxels})
    if foreign:
        rule = f"{path.name}: mask values must be 0, the task's labels or {unknown} where nothing is annotated, got also {foreign[:8]}"
        raise LabelError(rule, remedy="make the project with more labels, or correct the mask")
    found: MaskArray = table[stored]
    return found


def _refusal(label: str, name: str, error: BaseException) -> Refusal:
    if isinstance(error, MedloopError):
        return Refusal(label, error.message.removeprefix(f"{name}: "), "", error.remedy)
    reason = "there is not enough memory" if isinstance(error, MemoryError) else str(error) or type(error).__name__
    return Refusal(label, f"it cannot be read: {reason}", "", "copy or export it again")
