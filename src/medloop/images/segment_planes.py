"""The segments of a DICOM annotation on the slices of its series: nothing is resampled, and nothing is invented between slices.

A plane of a SEG lies on the slice that it points at and whose place it has; contours are filled on the slice in whose plane they lie.
A pixel belongs to a contour when its centre lies inside; several contours of a region on a slice are combined by exclusive or, so that
one inside another is a hole.

Source: DICOM PS3.3 C.8.20.2, C.8.8.6.1 and C.8.8.6.3 (contour types, representing inner and outer contours).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError, GeometryError
from medloop.core.geometry import GRID_TOLERANCE, Grid
from medloop.core.names import counted
from medloop.images.dicom_geometry import ORIENTATION_TOLERANCE
from medloop.images.polygons import toggle
from medloop.images.sandbox import annotation_isolated
from medloop.images.series_slices import Slices

Vector = npt.NDArray[np.float64]

_FILLED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OWN_SERIES = "choose the annotation of this series, or resample it onto the series' slices"
_NEEDS_THRESHOLD = "say from which share on a voxel counts, as --threshold 0.5"


@dataclass(frozen=True)
class Described:
    """One segment or region as its object describes it.

    Attributes:
        number: Within the object.
        name: What the object calls it.
        code, side: (scheme, value) of its type and of its side; () without.
    """

    number: int
    name: str
    code: tuple[str, ...] = ()
    side: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenedAnnotation:
    """An annotation object, decoded in the limited process and not yet on any grid.

    Attributes:
        name: Of its file.
        segments: What it describes.
        record, planes: What the process sent.
    """

    name: str
    segments: tuple[Described, ...]
    record: Mapping[str, Any] = field(repr=False)
    planes: bytearray = field(repr=False)


@dataclass(frozen=True)
class PlacedSegments:
    """What an annotation object says of one series.

    Attributes:
        voxels: Label → where it is, shape (I, J, K). A label without voxels was looked for and is nowhere.
        notes: What was noticed.
    """

    voxels: Mapping[int, BoolArray]
    notes: tuple[str, ...]


def open_annotation(path: Path) -> OpenedAnnotation:
    """Decode a SEG or RTSTRUCT.

    Raises:
        FormatError: It is damaged, or nothing of the kind.
    """
    record, planes = annotation_isolated(path)
    segments = tuple(Described(one["number"], one["name"], tuple(one["code"]), tuple(one["side"])) for one in record["segments"])
    return OpenedAnnotation(path.name, segments, record, planes)


def on_slices(
    opened: OpenedAnnotation, grid: Grid, dicom: Mapping[str, Any], labels: Mapping[int, int], *, threshold: float | None
) -> PlacedSegments:
    """The wanted segments on their series' slices.

    Args:
        opened: The object.
        grid: Of its series' volume.
        dicom: What the series' `Source` keeps: instances, frames, positions.
        labels: Number of a segment → the label that it is of; segments that are not in it are left out.
        threshold: Share of the most, above 0 to 1, from which on a voxel of a fractional segmentation counts.

    Raises:
        FormatError: It is fractional without a threshold.
        GeometryError: It lies on other pixels or slices than its series, or points at one slice and lies on another.
    """
    slices = Slices(opened.name, grid, dicom)
    if opened.record["kind"] == "CONTOURS":
        found, notes = _from_contours(opened, slices, labels)
    else:
        found, notes = _from_planes(opened, slices, labels, threshold)
    if slices.outside:
        what = "contour" if opened.record["kind"] == "CONTOURS" else "plane"
        notes.append(f"{counted(slices.outside, what)} of {opened.name} on slices that the series does not have: left out")
    if not found:
        raise GeometryError(f"{opened.name}: an annotation has an area on its series' slices, this has none", remedy=_OWN_SERIES)
    return PlacedSegments(found, tuple(notes))


_Found = dict[int, BoolArray]


def _from_planes(opened: OpenedAnnotation, slices: Slices, labels: Mapping[int, int], threshold: float | None) -> tuple[_Found, list[str]]:
    fractional = opened.record["kind"] == "FRACTIONAL"
    if fractional and threshold is None:
        raise FormatError(f"{slices.name}: a fractional segmentation holds shares, not labels", remedy=_NEEDS_THRESHOLD)
    _require_pixels(opened.record, slices)
    columns, rows = slices.grid.shape[:2]
    size = rows * columns if fractional else (rows * columns + 7) // 8
    found: _Found = {label: np.zeros(slices.grid.shape, dtype=np.bool_) for label in labels.values()}
    placed, lost = set[int](), set[int]()
    seen = set[tuple[int, int]]()
    for number, plane in enumerate(opened.record["planes"]):
        label = labels.get(plane["segment"])
        if label is None:
            continue
        raw = np.frombuffer(opened.planes, dtype=np.uint8, count=size, offset=number * size)
        flat = raw >= (threshold or 1.0) * opened.record["most"] if fractional else np.unpackbits(raw, count=rows * columns) > 0
        k = _slice_of(plane, slices)
        if k is None:
            slices.outside += bool(flat.any())
            lost.add(label)
        else:
            placed.add(label)
            if flat.any():
                _require_one_plane(slices, plane, seen, k)
            found[label][:, :, k] |= flat.reshape(rows, columns).T
    for label in lost - placed:
        del found[label]  # nothing of it is on these slices: it is not said to be nowhere
    notes = [f"voxels of {threshold:g} and more of the fractional {slices.name} count"] if fractional else []
    empty = [one.name for one in opened.segments if labels.get(one.number) in found and not found[labels[one.number]].any()]
    if empty:
        notes.append(f"{', '.join(empty)} in {slices.name} has no voxel: annotated, and nowhere in the image")
    return found, notes


def _require_one_plane(slices: Slices, plane: Mapping[str, Any], seen: set[tuple[int, int]], k: int) -> None:
    """Raise where two frames are of one segment on one slice: one of them belongs elsewhere."""
    if (place := (plane["segment"], k)) in seen:
        rule = f"a segment has one frame on a slice, frame {plane['frame']} is a second one of segment {plane['segment']}"
        raise FormatError(f"{slices.name}: {rule}", remedy="export it again")
    seen.add(place)


def _require_pixels(record: Mapping[str, Any], slices: Slices) -> None:
    """Refuse an object of other rows, columns, pixel spacing or orientation than its series."""
    columns, rows = slices.grid.shape[:2]
    if (record["rows"], record["columns"]) != (rows, columns):
        raise GeometryError(
            f"{slices.name}: an annotation has its series' {rows} × {columns} pixels, got {record['rows']} × {record['columns']}",
            remedy=_OWN_SERIES,
        )
    wide, high = slices.grid.spacing_mm[:2]
    directions = np.concatenate(slices.directions)
    for plane in record["planes"]:
        if plane["spacing"] and not np.allclose(plane["spacing"], (high, wide), rtol=1e-3):
            raise GeometryError(f"{slices.name}: an annotation has its series' pixel spacing, it has another", remedy=_OWN_SERIES)
        if plane["position"] and plane["orientation"] and np.abs(directions - plane["orientation"]).max() > ORIENTATION_TOLERANCE:
            raise GeometryError(f"{slices.name}: an annotation has its series' orientation, it has another", remedy=_OWN_SERIES)


def _slice_of(plane: Mapping[str, Any], slices: Slices) -> int | None:
    """The slice that a plane lies on, by its place and by what it points at; None for one that the series lacks.

    Raises:
        GeometryError: The two contradict each other, or its pixels lie beside those of the slice.
        FormatError: It has neither.
    """
    pointed, points = slices.of_sources(plane["sources"])
    if not plane["position"]:
        if len(pointed) != 1 and not points and slices.grid.shape[2] > 1:
            raise FormatError(f"{slices.name}: frame {plane['frame']} has no place and points at no image", remedy="export it again")
        return (pointed[0] if len(pointed) == 1 else None) if points else 0
    position = np.array(plane["position"])
    k = slices.at_depth(float(position @ slices.normal))
    if k is None or (points and pointed and k not in pointed):
        if not pointed and k is None:
            return None
        raise GeometryError(
            f"{slices.name}: a frame lies on the slice that it points at, frame {plane['frame']} does not",
            remedy="export it again from the series",
        )
    offset = position - slices.origins[k]
    wide, high = slices.grid.spacing_mm[:2]
    beside = max(abs(float(offset @ slices.directions[0])) / wide, abs(float(offset @ slices.directions[1])) / high)
    if beside > GRID_TOLERANCE:
        raise GeometryError(
            f"{slices.name}: an annotation lies on its series' pixels, it is off by {beside:.2g} pixels", remedy=_OWN_SERIES
        )
    return k


def _from_contours(opened: OpenedAnnotation, slices: Slices, labels: Mapping[int, int]) -> tuple[_Found, list[str]]:
    toggles: dict[int, BoolArray] = {}
    ignored: dict[str, int] = {}
    drawn, repeated = set[tuple[int, int, bytes]](), 0
    for number, contour in enumerate(opened.record["contours"], start=1):
        if contour["segment"] not in labels:
            continue
        points = np.array(contour["points"], dtype=np.float64).reshape(-1, 3)
        if contour["type"] not in _FILLED or len(points) < 3:
            kind = contour["type"] or "no type"
            ignored[kind] = ignored.get(kind, 0) + 1
        elif (k := _plane_of(number, points, contour["sources"], slices)) is None:
            slices.outside += 1
        elif (outline := (contour["segment"], k, points.tobytes())) in drawn:
            repeated += 1  # by exclusive or it would take its area away
        else:
            drawn.add(outline)
            grid = toggles.setdefault(contour["segment"], np.zeros(slices.grid.shape, dtype=np.bool_))
            toggle(grid[:, :, k], _in_plane(points, k, slices))
    found: _Found = {}
    for segment, toggled in toggles.items():
        filled: BoolArray = np.logical_xor.accumulate(toggled, axis=0)
        found[labels[segment]] = found[labels[segment]] | filled if labels[segment] in found else filled
    notes = [f"{counted(count, 'contour')} ({kind}) in {slices.name} bound no area: ignored" for kind, count in ignored.items()]
    notes += [f"{counted(repeated, 'contour')} in {slices.name} repeated: read once"] if repeated else []
    notes += _gaps(opened, slices.name, drawn)
    without = [one.name for one in opened.segments if labels.get(one.number) is not None and labels[one.number] not in found]
    if without:
        notes.append(f"{', '.join(without)} in {slices.name} has no area: not annotated by it")
    return found, notes


def _gaps(opened: OpenedAnnotation, name: str, drawn: set[tuple[int, int, bytes]]) -> list[str]:
    """A note for each region that was contoured on some slices only: in between, it is read as absent."""
    notes = []
    for one in opened.segments:
        on = {k for segment, k, _ in drawn if segment == one.number}
        if on and (lacking := max(on) - min(on) + 1 - len(on)):
            between = counted(lacking, "slice")
            notes.append(f"{one.name} in {name} has no contour on {between} between its first and its last: read as absent there")
    return notes


def _plane_of(number: int, points: Vector, sources: Sequence[Sequence[Any]], slices: Slices) -> int | None:
    """The slice that a contour lies in; None between slices and beyond them.

    Raises:
        GeometryError: It is not flat, lies across the slices, or lies on another slice than it points at.
    """
    depths = points @ slices.normal
    if float(np.ptp(depths)) > 2 * slices.near_mm:
        raise GeometryError(f"{slices.name}: contours lie in the slices of their series, contour {number} crosses them", remedy=_OWN_SERIES)
    k = slices.at_depth(float(np.median(depths)))
    pointed, _ = slices.of_sources(sources)
    if pointed and k not in pointed:
        raise GeometryError(
            f"{slices.name}: a contour lies on the slice that it points at, contour {number} does not", remedy="export it again"
        )
    return k


def _in_plane(points: Vector, k: int, slices: Slices) -> Vector:
    """Points in pixels of a slice, (points, 2): column and row, whole numbers at centres."""
    wide, high = slices.grid.spacing_mm[:2]
    offset = points - slices.origins[k]
    return np.stack([offset @ slices.directions[0] / wide, offset @ slices.directions[1] / high], axis=1)
