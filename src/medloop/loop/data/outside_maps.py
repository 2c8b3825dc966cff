"""What another tool's file says of a case: a label map, or the probability of every class, on the case's own grid."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.errors import FormatError, GeometryError
from medloop.core.image import Image
from medloop.core.records import Case
from medloop.datasets.dataset import CaseSource
from medloop.images.npz import read_npz
from medloop.images.read import read_image
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.source_labels import read_label

SUM_GAP = 0.01
"""How far the probabilities of a voxel may add up beside 1: 16-bit floats and resampling stay below."""

_SAVE_AGAIN = "save the softmax of every class, background first, or save the label map"


@dataclass(frozen=True)
class OutsideMap:
    """One proposal.

    Attributes:
        mask: Label values of the task, shape (I, J, K).
        probabilities: Of background and every label in the task's order, shape (classes, I, J, K); None for a plain mask.
        notes: What was noticed.
    """

    mask: MaskArray
    probabilities: FloatArray | None = None
    notes: tuple[str, ...] = ()


def read_outside(path: Path, case: Case, values: LabelMap, labels: int) -> OutsideMap:
    """Read one file as a proposal of a case.

    Args:
        path: A mask, a volume with a channel per class, or a `.npz`.
        case: It must share its grid.
        values: How the source's labels become the task's.
        labels: How many the task has.

    Raises:
        FormatError: A damaged file, or numbers that are no probabilities.
        GeometryError: Another grid.
        LabelError: Label values that the task does not have.
    """
    if path.name.lower().endswith(".npz"):
        return _of_probabilities(path.name, read_npz(path, case.grid.shape), values, labels)
    found = read_image(path)
    whole = found.image.array.dtype.kind in "iu" or bool((found.image.array == np.round(found.image.array)).all())
    if found.segments or (found.image.channels == 1 and whole):
        blank = Image(np.zeros((1, *case.grid.shape), dtype=np.uint8), case.grid)
        read = read_label(CaseSource(case.name, "", (path,), mask=path), blank, case.grid, values)
        mask = getattr(read.label, "array", None)
        if mask is None:
            raise FormatError(f"{path.name}: a proposal is a mask, got none")
        return OutsideMap(mask, None, read.notes)
    if difference := found.image.grid.differs_from(case.grid):
        rule = f"{path.name}: a proposal must lie on the grid of its case, but {difference}"
        raise GeometryError(rule, remedy="export it again on the grid of its image")
    return _of_probabilities(path.name, found.image.array.astype(np.float32), values, labels)


def _of_probabilities(name: str, given: FloatArray, values: LabelMap, labels: int) -> OutsideMap:
    """Check what each class has, and put the classes into the task's order."""
    if bad := int(np.count_nonzero(~np.isfinite(given))):
        raise FormatError(f"{name}: probabilities are 0 to 1, got {bad} that are NaN or infinite", remedy=_SAVE_AGAIN)
    low, high = float(given.min()), float(given.max())
    if low < -1e-3 or high > 1 + 1e-3:
        raise FormatError(f"{name}: probabilities are 0 to 1, got {low:.4g} to {high:.4g}", remedy=_SAVE_AGAIN)
    order = [value for _, value in sorted(values.voxels.items())] or list(range(1, labels + 1))
    inner = len(given) == len(order)
    if not inner and len(given) != len(order) + 1:
        rule = f"{len(order) + 1} classes with the background, or {len(order)} without, are expected"
        raise FormatError(f"{name}: {rule}, got {len(given)}", remedy=_SAVE_AGAIN)
    sums = given.sum(axis=0, dtype=np.float64)
    off = sums - 1 if inner else np.abs(sums - 1)
    if float(off.max()) > SUM_GAP:
        worst = float(sums.ravel()[int(off.argmax())])
        share = int(np.count_nonzero(off > SUM_GAP))
        rule = f"the probabilities of a voxel add up to 1, those of {share} of {sums.size} voxels do not"
        raise FormatError(f"{name}: {rule}, got {worst:.4g}", remedy=_SAVE_AGAIN)
    placed = np.zeros((labels + 1, *given.shape[1:]), dtype=np.float32)
    for value, layer in zip(order, given if inner else given[1:], strict=True):
        placed[value] += layer
    placed = placed.clip(0.0, 1.0)
    placed[0] = (1.0 - placed[1:].sum(axis=0)).clip(0.0, 1.0)
    placed /= placed.sum(axis=0, keepdims=True)
    return OutsideMap(placed.argmax(axis=0).astype(np.uint8), placed)
