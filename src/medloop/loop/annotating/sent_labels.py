"""A label map that another program sends for a case, as a mask of the task: by the names of its segments, never by what is likely.

Clients of MONAI Label say in `label_info` which names their values have. Some number segments that they leave out of the file, so that
a number is either the value itself or one too high: what can be read both ways, with another result, is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, LabelError, ShapeError
from medloop.core.image import label_values
from medloop.core.labels import shared_names
from medloop.core.names import folded
from medloop.core.records import Case, Task
from medloop.images.segments import Naming
from medloop.loop.annotating.sent_outlines import read_outlines
from medloop.loop.foundation.annotated_labels import every_as_none

BACKGROUND = "background"
NO_LABELS = (BACKGROUND, "foreground_scribbles", "background_scribbles")
"""Segments that 3D Slicer's module makes for itself."""

RAW = ".bin"
"""Ending of voxels without a header, in the order of the image's file."""

OUTLINES = ".xml"
"""Ending of outlines on a flat picture."""


@dataclass(frozen=True)
class NamedValue:
    """A name in `label_info`, and the number beside it."""

    name: str
    number: int


@dataclass(frozen=True, eq=False)
class SentMask:
    """What was sent: the mask in values of the task, shape (I, J, K), and which labels it annotates as a record keeps them."""

    mask: MaskArray
    annotated: tuple[int, ...] = ()


def read_sent(task: Task, case: Case, path: Path, named: Sequence[NamedValue] | None = None) -> SentMask:
    """Read a label map for a case.

    Args:
        task: Its labels.
        case: On whose grid it must lie.
        path: NIfTI, NRRD, `.seg.nrrd`, MetaImage, raw voxels (`.bin`), or outlines of a flat picture (`.xml`).
        named: What its values are called; None where nothing is said: then they are the task's. Segments of a file name themselves.

    Raises:
        FormatError: A damaged file.
        GeometryError: Another grid.
        ShapeError: Raw voxels of another number.
        LabelError: Names or values that are no label, or that can be read two ways.
        InputError: Names without one label among them.
    """
    if path.name.lower().endswith(RAW):
        return _named(task, _raw(case, path), named)
    if path.name.lower().endswith(OUTLINES):
        mask, values = read_outlines(task, case, path)
        return SentMask(mask, every_as_none(task, values))
    from medloop.images.read import read_mask_with_notes  # whose readers a server that only serves does not load

    read = read_mask_with_notes(path, case.grid, naming=Naming(task.labels), without=NO_LABELS)
    if read.named:
        return SentMask(read.mask.array, every_as_none(task, read.named))
    return _named(task, read.mask.array, named)


def _raw(case: Case, path: Path) -> MaskArray:
    data = path.read_bytes()
    width = {case.grid.voxels: "<u1", case.grid.voxels * 2: "<u2"}.get(len(data))
    if width is None:
        raise ShapeError(
            f"Raw voxels of {case.name} are {case.grid.voxels} of 8 or 16 bits, got {len(data)} bytes",
            remedy="send them on the image's grid",
        )
    values = np.frombuffer(data, dtype=width).reshape(case.grid.shape, order="F")
    if values.max(initial=0) > 255:
        raise LabelError(f"Label values must be 0 to 255, got {values.max()}", remedy="map the labels to smaller numbers")
    return values.astype(np.uint8)


def _named(task: Task, mask: MaskArray, named: Sequence[NamedValue] | None) -> SentMask:
    if named is None:
        return SentMask(mask)
    table = task_values(task, [value for value in label_values(mask) if value], named)
    known = _values(task)
    said = [known[folded(one.name)] for one in named if folded(one.name) in known]
    if not said:
        names = ", ".join(label.name for label in task.labels)
        raise InputError(f"label_info names labels of the project, got {_shown(named)}", remedy=f"name some of {names}")
    lookup = np.arange(256, dtype=np.uint8)
    for sent, value in table.items():
        lookup[sent] = value
    own = set(task.label_values)
    shared = {label.value for label in task.labels if any(value in label.shared for value in said)}
    return SentMask(lookup[mask], every_as_none(task, {value for value in said if value in own} | shared))


def task_values(task: Task, present: Sequence[int], named: Sequence[NamedValue]) -> dict[int, int]:
    """What the values of a sent mask are in the task.

    Args:
        task: Its labels.
        present: Values above 0 that the mask holds.
        named: As sent, at most one of a name.

    Raises:
        LabelError: A value without a name, a name that is no label, one name twice, or names that fit the values in two ways.
    """
    _require_different(named)
    ways = [way for way in (dict(enumerate(named, 1)), {one.number: one for one in named}) if {*present} <= way.keys()]
    if not ways:
        lacking = [value for value in present if value not in {one.number for one in named}]
        raise LabelError(f"label_info names every value of the mask, got also {lacking[:8]}", remedy=f"it names {_shown(named)}")
    found = [_read_by(task, present, way) for way in ways]
    if len(found) > 1 and found[0] != found[1]:
        raise LabelError(
            f"The values {list(present)} can be read in two ways: as places in label_info, or as its numbers ({_shown(named)})",
            remedy="number the labels 1, 2, 3, … in label_info, or save as .seg.nrrd, whose segments have names",
        )
    return found[0]


def _read_by(task: Task, present: Sequence[int], way: Mapping[int, NamedValue]) -> dict[int, int]:
    known = _values(task) | {BACKGROUND: 0}
    unknown = sorted({way[value].name for value in present if folded(way[value].name) not in known})
    if unknown:
        names = ", ".join(label.name for label in task.labels)
        raise LabelError(
            f"The project has the labels {names}, got voxels of {', '.join(unknown[:8])}", remedy="rename or remove these segments"
        )
    return {value: known[folded(way[value].name)] for value in present}


def _values(task: Task) -> dict[str, int]:
    own = {folded(label.name): label.value for label in task.labels}
    return {folded(name): value for value, name in shared_names(task.labels).items()} | own


def _require_different(named: Sequence[NamedValue]) -> None:
    for what, all_ in (("name", [folded(one.name) for one in named]), ("number", [str(one.number) for one in named])):
        twice = next((one for n, one in enumerate(all_) if one in all_[:n]), None)
        if twice is not None:
            raise LabelError(f"Every {what} stands once in label_info, {twice!r} stands there twice", remedy="rename or merge the segments")


def _shown(named: Sequence[NamedValue]) -> str:
    return ", ".join(f"{one.name}={one.number}" for one in named[:8]) or "nothing"
