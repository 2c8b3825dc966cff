"""What the DICOM annotations of a case say, in the values of the project's task.

Segments are the project's labels by name, else by code. What is no label is left out and named. A voxel has one label, or those that lie
inside each other; anything else is refused, and so are two objects that both annotate a label: which is right, no file can say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.codes import coded
from medloop.core.drawing import combined
from medloop.core.errors import LabelError, MedloopError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Mask
from medloop.core.names import first_named, folded
from medloop.core.records import Json, Label, Task
from medloop.images.segment_planes import Described, OpenedAnnotation, PlacedSegments, on_slices, open_annotation

_KNOW_THEM = "add them with medloop configure DIR --add-label, or give a label its code with --code"


@dataclass(frozen=True)
class SourceSegments:
    """A mask made of DICOM annotations.

    Attributes:
        mask: None where no object can be used.
        values: Of the labels that they annotate.
        notes: What was decided and noticed.
        faults: What is wrong with the objects that are left out, one for each.
        words: What the objects call their segments and files, but for labels of the project: free words, which may name somebody.
    """

    mask: Mask | None
    values: tuple[int, ...]
    notes: tuple[str, ...]
    faults: tuple[MedloopError, ...]
    words: tuple[str, ...] = ()


def read_objects(paths: Sequence[Path], grid: Grid, dicom: Json, task: Task, *, threshold: float | None) -> SourceSegments:
    """The annotations of one case as one mask; an object that cannot be used costs itself alone.

    Args:
        paths: SEG and RTSTRUCT files that point at its series.
        grid: Of the case.
        dicom: What its source keeps of the series.
        task: The version in force.
        threshold: For fractional segmentations; see `on_slices`.
    """
    placed: dict[str, PlacedSegments] = {}
    notes: list[str] = []
    faults: list[MedloopError] = []
    words: set[str] = {path.name for path in paths}
    for path in paths:
        said: list[str] = []
        try:
            _require_masks(task, path)
            opened = open_annotation(path)
            words |= {one.name for one in opened.segments if one.name and not _named(one, task.labels)}
            placed[path.name] = on_slices(opened, grid, dicom, matched(opened, task.labels, said), threshold=threshold)
            notes += (*said, *placed[path.name].notes)
        except MedloopError as error:
            faults.append(error)
    faults += _contradictions(placed, task.labels)
    found = {value: voxels for one in placed.values() for value, voxels in one.voxels.items()}
    try:
        mask = Mask(mask_of_labels(found, task.labels, first_named(list(placed))), grid) if found else None
    except LabelError as error:
        return SourceSegments(None, (), (), (*faults, error))
    return SourceSegments(mask, tuple(sorted(found)) if mask else (), tuple(notes), tuple(faults), tuple(sorted(words)))


def _require_masks(task: Task, path: Path) -> None:
    if task.kind != "segmentation":
        raise SettingError(f"{path.name}: a DICOM annotation holds masks, the project is a {task.kind}", remedy="leave it out")


def _contradictions(placed: dict[str, PlacedSegments], labels: Sequence[Label]) -> list[MedloopError]:
    """Take out objects that say different things of one label: which is right, no file can say."""
    faults: list[MedloopError] = []
    bad: set[str] = set()
    for (name, one), (other_name, other) in combinations(placed.items(), 2):
        for value in one.voxels.keys() & other.voxels.keys():
            if not np.array_equal(one.voxels[value], other.voxels[value]):
                rule = f"{name} and {other_name}: a label has one annotation, they differ in {_name_of(labels, value)}"
                faults.append(LabelError(rule, remedy="leave one of them out"))
                bad |= {name, other_name}
    for name in bad:
        del placed[name]
    return faults


def matched(opened: OpenedAnnotation, labels: Sequence[Label], notes: list[str]) -> dict[int, int]:
    """Number of a segment → value of the label that it is; `notes` takes what was decided.

    Raises:
        LabelError: None is a label.
    """
    found = {one.number: value for one in opened.segments if (value := _label_of(one, labels)) is not None}
    left = [one.name or f"segment {one.number}" for one in opened.segments if one.number not in found]
    if not found and len(opened.segments) == len(labels) == 1:
        notes.append(f"the only segment of {opened.name}, {left[0]!r}, is read as the project's only label, {labels[0].name!r}")
        return {opened.segments[0].number: labels[0].value}
    if not found:
        known = ", ".join(label.name for label in labels)
        raise LabelError(f"{opened.name}: its segments must be labels of the project ({known}), got {first_named(left)}", remedy=_KNOW_THEM)
    if left:
        notes.append(f"{first_named(left)} in {opened.name}: no label of the project, left out")
    by_code = [one for one in opened.segments if one.number in found and not _is_named(one, labels, found[one.number])]
    notes += [f"{one.name!r} in {opened.name} is read as {_name_of(labels, found[one.number])!r}, by its code" for one in by_code]
    notes += [note for one in opened.segments if one.number in found and (note := _coded_otherwise(opened.name, one, labels))]
    for value in {v for v in found.values() if list(found.values()).count(v) > 1}:
        joined = [one.name for one in opened.segments if found.get(one.number) == value]
        notes.append(f"{', '.join(joined)} in {opened.name} are read as one label, {_name_of(labels, value)!r}")
    return found


def _coded_otherwise(file: str, one: Described, labels: Sequence[Label]) -> str:
    """A note where a segment is called like one label and has the code of another: names may have been exchanged."""
    other = [label.name for label in labels if _same_code(one, label)]
    if not _named(one, labels) or not other or any(folded(name) == folded(one.name) for name in other):
        return ""
    return f"{one.name!r} in {file} is read by its name, and its code is that of {first_named(other)}"


def _named(one: Described, labels: Sequence[Label]) -> bool:
    return any(folded(label.name) == folded(one.name) for label in labels)


def _label_of(one: Described, labels: Sequence[Label]) -> int | None:
    named = next((label.value for label in labels if folded(label.name) == folded(one.name)), None)
    if named is not None:
        return named
    fitting = [label.value for label in labels if _same_code(one, label)]
    return fitting[0] if len(fitting) == 1 else None


def _same_code(one: Described, label: Label) -> bool:
    """Whether type and side are a label's; pydicom knows SNOMED's older values (SRT) of the same concepts."""
    from pydicom.sr.coding import Code

    what = coded(label)
    if not one.code or Code(one.code[1], one.code[0], "") != Code(what.kind.value, what.kind.scheme, ""):
        return False
    if not one.side or what.side is None:
        return not one.side and what.side is None
    return bool(Code(one.side[1], one.side[0], "") == Code(what.side.value, what.side.scheme, ""))


def _is_named(one: Described, labels: Sequence[Label], value: int) -> bool:
    return folded(_name_of(labels, value)) == folded(one.name)


def _name_of(labels: Sequence[Label], value: int) -> str:
    return next(label.name for label in labels if label.value == value)


def mask_of_labels(found: Mapping[int, BoolArray], labels: Sequence[Label], name: str) -> MaskArray:
    """One mask of several labels: a voxel is the innermost label that claims it, or has the value that overlapping labels share.

    Args:
        found: Value of each label → where it is.
        labels: Of the task.
        name: Of the files, for messages.

    Raises:
        LabelError: Labels that may not share voxels do.
    """
    given = list(found.items())
    shape = given[0][1].shape
    mask, clash = combined(labels, (shape[0], shape[1], shape[2]), given)
    if clash is not None:
        value, count = given[clash.at][0], int(np.count_nonzero(clash.voxels))
        other = next(_name_of(labels, one) for one, here in given[: clash.at] if (here & clash.voxels).any())
        raise LabelError(
            f"{name}: a voxel has one label, {count} are {_name_of(labels, value)} and {other}",
            remedy="correct one of the two, or say with medloop configure DIR --inside or --overlap that they may share voxels",
        )
    return mask
