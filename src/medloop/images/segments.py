"""Named segments of a file: which values of which layers they are, and how they become one label map.

Source: 3D Slicer, vtkMRMLSegmentationStorageNode (`Segment0_Name`, `_Color`, `_LabelValue`, `_Layer`, …), Slicer 4.11 and later;
before that every layer is one segment of ones.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.drawing import combined
from medloop.core.errors import FormatError, LabelError
from medloop.core.names import first_named, folded
from medloop.core.records import Label

_KEY = re.compile(r"Segment(\d{1,5})_(Name|Color|LabelValue|Layer)")
_ESCAPED = re.compile(r"\\([n\\])")
MOST_SEGMENTS = 255


@dataclass(frozen=True)
class Segment:
    """One segment of a file.

    Attributes:
        name: As the file has it.
        value: What its voxels hold in its layer.
        layer: Channel that holds it, from 0.
        colour: Red, green and blue, 0..1; () when the file has none.
    """

    name: str
    value: int
    layer: int = 0
    colour: tuple[float, ...] = ()


def segments_of(file: str, keys: Mapping[str, str], layers: int) -> tuple[Segment, ...]:
    """The segments that a NRRD header's keys name; () without any.

    Raises:
        FormatError: A value or a layer that the file does not have, two segments in one place, or a `.seg.nrrd` without any.
    """
    told: dict[int, dict[str, str]] = {}
    for key, value in keys.items():
        if match := _KEY.fullmatch(key):
            told.setdefault(int(match[1]), {})[match[2]] = value.strip()
    if not told and file.lower().endswith(".seg.nrrd"):
        rule = "a .seg.nrrd names its segments, this one names none and so says of no label where it is"
        raise FormatError(f"{file}: {rule}", remedy="add a segment for each label, or save a plain label map as .nrrd")
    if len(told) > MOST_SEGMENTS:
        raise FormatError(f"{file}: a segmentation has at most {MOST_SEGMENTS} segments, got {len(told)}", remedy="split it")
    found = tuple(_segment(file, n, told[n], layers, old=layers > 1 or len(told) == 1) for n in sorted(told))
    places = [(one.layer, one.value) for one in found]
    if twice := next((one for n, one in enumerate(found) if places.index((one.layer, one.value)) < n), None):
        rule = f"every segment needs a value of its own in its layer, {twice.name!r} shares {twice.value} of layer {twice.layer}"
        raise FormatError(f"{file}: {rule}", remedy="save the segmentation again")
    return found


def _segment(file: str, number: int, told: Mapping[str, str], layers: int, *, old: bool) -> Segment:
    name = _ESCAPED.sub(_letter, told.get("Name", "")).strip() or f"Segment_{number}"
    value, layer = _whole(told.get("LabelValue", "1" if old else "")), _whole(told.get("Layer", str(number if layers > 1 else 0)))
    if value is None or value < 1:
        shown = told.get("LabelValue", "none")[:20]
        raise FormatError(f"{file}: the LabelValue of segment {name!r} must be 1 or more, got {shown}", remedy="save it again")
    if layer is None or layer >= layers:
        shown = told.get("Layer", str(number))[:20]
        raise FormatError(f"{file}: segment {name!r} must lie in one of {layers} layers, got {shown}", remedy="save it again")
    return Segment(name, value, layer, _colour(told.get("Color", "")))


def _letter(escaped: re.Match[str]) -> str:
    """What NRRD's writers escape in a value: a line's end, which no name has here, and the backslash."""
    return " " if escaped[1] == "n" else "\\"


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _colour(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(word) for word in text.split())
    except ValueError:
        return ()
    return found if len(found) == 3 and all(0 <= one <= 1 for one in found) else ()


def merged_segments(
    file: str, layers: ImageArray, segments: Sequence[Segment], values: Mapping[str, int], labels: Sequence[Label]
) -> MaskArray:
    """One label map of all segments: where several meet, the innermost label, or the value that overlapping labels share.

    Args:
        file: Its name.
        layers: Shape (layers, I, J, K).
        segments: Of the file.
        values: Name of each segment → the task's label value.
        labels: Of the task.

    Returns:
        Shape (I, J, K).

    Raises:
        LabelError: Voxels in two segments of which none lies inside the other, or of a value that no segment names.
    """
    _require_named(file, layers, segments)
    _, *shape = layers.shape
    mask, clash = combined(labels, (shape[0], shape[1], shape[2]), ((values[one.name], layers[one.layer] == one.value) for one in segments))
    if clash is not None:
        in_both = [one.name for one in segments[: clash.at] if (clash.voxels & (layers[one.layer] == one.value)).any()]
        count, names = int(np.count_nonzero(clash.voxels)), first_named([*in_both, segments[clash.at].name])
        raise LabelError(
            f"{file}: {count} voxels are in the segments {names}, and a voxel has one label",
            remedy="medloop configure DIR --inside INNER=OUTER or --overlap ONE=OTHER says which may share voxels, or take them apart",
        )
    return mask


def _require_named(file: str, layers: ImageArray, segments: Sequence[Segment]) -> None:
    """Raise where voxels hold what no segment of their layer is."""
    for number, layer in enumerate(layers):
        named = {one.value for one in segments if one.layer == number}
        unknown = sorted(set(np.unique(layer).tolist()) - {0, *named})
        if unknown:
            rule = f"every value of a segmentation has a segment with its name, layer {number} also has {unknown[:8]}"
            raise LabelError(f"{file}: {rule}", remedy="save the segmentation again, or save a plain label map")


def layers_of(values: Sequence[int], regions: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Value of each label → layer, so that labels that share voxels lie in different ones; those with most inside them lie below."""
    held = {value: set(regions.get(value, (value,))) for value in values}
    found: dict[int, int] = {}
    for value in sorted(values, key=lambda one: (-len(held[one]), one)):
        taken = {layer for other, layer in found.items() if held[other] & held[value]}
        found[value] = next(layer for layer in range(len(values)) if layer not in taken)
    return found


@dataclass(frozen=True)
class Naming:
    """What segments mean in a task.

    Attributes:
        labels: Of the task.
    """

    labels: tuple[Label, ...]

    @property
    def values(self) -> dict[str, int]:
        """Name of each label → its value."""
        return {label.name: label.value for label in self.labels}

    def of(self, file: str, segments: Sequence[Segment]) -> tuple[dict[str, int], tuple[str, ...]]:
        """Name of each segment → label value, and a note where the only one means the only one.

        Raises:
            LabelError: Segments that are no label, or two that are the same one.
        """
        spelled = {folded(name): value for name, value in self.values.items()} | dict(self.values)
        found = {one.name: spelled.get(one.name, spelled.get(folded(one.name))) for one in segments}
        unknown = [name for name, value in found.items() if value is None]
        if unknown and len(segments) == len(self.values) == 1:
            ((name, value),) = self.values.items()
            return {segments[0].name: value}, (f"its only segment {segments[0].name!r} is read as the only label, {name!r}",)
        if unknown:
            rule = f"segments are called like the labels, {', '.join(self.values)}"
            raise LabelError(f"{file}: {rule}, got {', '.join(map(repr, unknown[:8]))}", remedy="rename or remove them, or add such labels")
        if len(found) < len(segments) or len(set(found.values())) < len(found):
            raise LabelError(f"{file}: every label has one segment, got several of one name", remedy="rename or merge them")
        return {name: value for name, value in found.items() if value is not None}, ()
