"""Where DICOM slices lie: sorted along their normal, one affine, and notes on whatever is irregular.

Nothing is resampled. The step from slice to slice is the mean of the true positions, so a tilted gantry
gives a sheared affine; uneven steps are noted with the error they cause.

Source: DICOM PS3.3 C.7.6.2.1.1 (image plane), C.7.6.16.2 (functional groups).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import Affine
from medloop.core.errors import FormatError, GeometryError
from medloop.core.geometry import MAX_AXIS
from medloop.images.dicom_frames import detector_of, frame_offsets
from medloop.images.dicom_series import Header
from medloop.images.frame_times import are_moments, frame_seconds, time_note
from medloop.images.result import UNSIZED, UNSPACED

Vector = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of direction cosines within a series: 0.06 degrees; scanners write 6 digits."""

SAME_PLACE_MM = 1e-3
"""Slices closer than this along the normal lie at the same place."""

UNEVEN_SHARE = 0.02
"""Steps may differ by this share of their median before it is noted; rounding in headers stays below."""

DETECTOR_SIZE = "the pixel size is that of the detector (ImagerPixelSpacing), not of the body"
"""The note of a radiograph whose figures are larger than the body's by the projection's magnification."""

TILT_DEGREES = 0.1
"""Angle between the stack and the slices' normal above which the gantry counts as tilted."""

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Slice:
    """One slice or frame.

    Attributes:
        header: Its file.
        frame: Number within its file, from 0.
        position: Centre of its first pixel in mm, LPS; None when the file does not say.
        rows, columns: Directions (unit vectors, LPS) along a row and along a column; None likewise.
        spacing_mm: Between columns, and between rows; None when the file does not say.
        depth_mm: Thickness, or the spacing of slices when stated; None when the file says neither.
        slope, intercept: Rescale.
        unit: Of the rescaled values (HU, SUV, Bq/ml, Gy), "" when the file does not say.
    """

    header: Header
    frame: int
    position: Vector | None
    rows: Vector | None
    columns: Vector | None
    spacing_mm: tuple[float, float] | None
    depth_mm: float | None
    slope: float
    intercept: float
    unit: str = ""

    @property
    def normal(self) -> Vector:
        """Unit vector through the slice."""
        return np.cross(_given(self.rows), _given(self.columns))

    @property
    def depth(self) -> float:
        """Position along the normal in mm."""
        return float(_given(self.position) @ self.normal)


@dataclass(frozen=True)
class Stack:
    """Slices in order, and what they are together.

    Attributes:
        affine: Of their volume, RAS+.
        notes: What is irregular.
        oriented: Whether the patient's directions are known.
        over_time: The slices are moments of one picture: the last axis of the volume is time.
        seconds: When each of them begins, from the first; () where that is not stored.
    """

    slices: tuple[Slice, ...]
    affine: Affine
    notes: tuple[str, ...]
    oriented: bool = True
    over_time: bool = False
    seconds: tuple[float, ...] = ()


def slices_of(header: Header) -> list[Slice]:
    """The slice of a classic file, or the frames of a multi-frame one.

    Raises:
        FormatError: A spacing, rescale or orientation that cannot be used.
    """
    tags = header.tags
    frames = int(tags.get("NumberOfFrames", None) or 1)
    if not 1 <= frames <= MAX_AXIS:
        raise FormatError(f"{header.path.name}: NumberOfFrames must be 1 to {MAX_AXIS}, got {frames}", remedy="export the series again")
    shared = _first(tags, "SharedFunctionalGroupsSequence")
    own = tags.get("PerFrameFunctionalGroupsSequence", None) or []
    slices = [_slice(header, number, (own[number] if number < len(own) else None, shared, tags)) for number in range(frames)]
    return slices if own or frames == 1 else _frames_in_space(slices, header)


def _frames_in_space(slices: list[Slice], header: Header) -> list[Slice]:
    """Place the frames of a file that gives one position for all, its own or its detector's."""
    name, tags, first = header.path.name, header.tags, slices[0]
    if first.position is None and (detector := detector_of(tags)) is not None:
        rows, columns = _directions(name, _numbers(name, (detector,), "", "ImageOrientationPatient", 6))
        position = _numbers(name, (detector,), "", "ImagePositionPatient", 3)
        first = replace(first, position=position, rows=rows, columns=columns)
    offsets = frame_offsets(name, tags, len(slices))
    if first.position is None or first.rows is None or offsets is None:
        order = range(len(slices)) if offsets is None else np.argsort(np.abs(offsets), kind="stable")
        depth = None if offsets is None else float(np.median(np.abs(np.diff(np.sort(offsets)))))
        return [replace(slices[number], depth_mm=depth) for number in order]
    places = [first.position + offset * first.normal for offset in offsets]
    return [replace(s, position=p, rows=first.rows, columns=first.columns) for s, p in zip(slices, places, strict=True)]


def stack(slices: Sequence[Slice], name: str) -> Stack:
    """Order slices into a volume.

    Args:
        slices: All slices of one series, in any order.
        name: Of the series, for messages.

    Raises:
        FormatError: Slices of different size, or several without positions.
        GeometryError: Slices of different orientation or pixel spacing.
    """
    _require_uniform(slices, name)
    if any(s.position is None or s.rows is None for s in slices):
        return _flat_stack(slices, name)
    ordered = sorted(slices, key=lambda s: (s.depth, int(s.header.tags.get("InstanceNumber", None) or 0), s.frame))
    first, last = ordered[0], ordered[-1]
    spacing, notes = _spacing(first)
    steps = np.diff([s.depth for s in ordered])
    places = int(np.count_nonzero(steps >= SAME_PLACE_MM)) + 1
    step = first.normal * (first.depth_mm or 1.0) if places == 1 else (_given(last.position) - _given(first.position)) / (places - 1)
    affine = np.eye(4)
    affine[:3, 0] = _given(first.rows) * spacing[0] * _LPS_TO_RAS
    affine[:3, 1] = _given(first.columns) * spacing[1] * _LPS_TO_RAS
    affine[:3, 2] = step * _LPS_TO_RAS
    affine[:3, 3] = _given(first.position) * _LPS_TO_RAS
    return Stack(tuple(ordered), affine, (*notes, *_tilt_notes(step, first), *_step_notes(steps[steps >= SAME_PLACE_MM])))


def off_the_stack(found: Stack, slices: Sequence[Slice]) -> bool:
    """Whether a slice lies further than `SAME_PLACE_MM` from where the affine puts it, as where steps are uneven.

    Args:
        found: The stack.
        slices: Those of it that its volume has, in order.
    """
    step, first = found.affine[:3, 2] * _LPS_TO_RAS, found.affine[:3, 3] * _LPS_TO_RAS
    return any(
        s.position is not None and float(np.abs(s.position - (first + number * step)).max()) > SAME_PLACE_MM
        for number, s in enumerate(slices)
    )


def _slice(header: Header, frame: int, places: tuple[Any, ...]) -> Slice:
    """Find each attribute in the frame's own groups, the shared ones, or the file itself."""
    name = header.path.name
    orientation = _numbers(name, places, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    position = _numbers(name, places, "PlanePositionSequence", "ImagePositionPatient", 3)
    pixel = _numbers(name, places, "PixelMeasuresSequence", "PixelSpacing", 2)
    if pixel is None:
        pixel = _numbers(name, places, "", "ImagerPixelSpacing", 2)
    depths = [_number(places, "PixelMeasuresSequence", tag) for tag in ("SpacingBetweenSlices", "SliceThickness")]
    if pixel is not None and min(pixel) <= 0:
        raise FormatError(f"{name}: PixelSpacing must be positive, got {pixel[0]:g}, {pixel[1]:g}", remedy="export the series again")
    slope = _number(places, "PixelValueTransformationSequence", "RescaleSlope")
    if slope is None:
        slope = _number(places, "", "DoseGridScaling")
    intercept = _number(places, "PixelValueTransformationSequence", "RescaleIntercept")
    for value, rule in ((slope, "RescaleSlope"), (intercept, "RescaleIntercept")):
        if (value is not None and not math.isfinite(value)) or (value == 0 and rule == "RescaleSlope"):
            raise FormatError(f"{name}: {rule} must be finite and the slope not 0, got {value:g}", remedy="export the series again")
    rows, columns = _directions(name, orientation)
    return Slice(
        header,
        frame,
        position,
        rows,
        columns,
        None if pixel is None else (float(pixel[1]), float(pixel[0])),
        next((abs(d) for d in depths if d is not None and math.isfinite(d) and d != 0), None),
        1.0 if slope is None else slope,
        0.0 if intercept is None else intercept,
        _unit(places, rescales=intercept is not None),
    )


_UNITS = {"BQML": "Bq/ml", "GML": "SUV", "CNTS": "counts", "GY": "Gy", "US": ""}
"""DICOM's codes as they are written; a Rescale Type of US is unspecified. Others stay as they are."""


def _unit(places: tuple[Any, ...], *, rescales: bool) -> str:
    """Source: DICOM PS3.3 C.11.1.1.2 (Rescale Type; a CT without one is in HU), C.8.9.1 (PET Units), C.8.8.3 (Dose Units)."""
    modality = str(places[-1].get("Modality", "") or "")
    own = {"PT": "Units", "RTDOSE": "DoseUnits"}.get(modality)
    code = _value(places, "PixelValueTransformationSequence", "RescaleType") if own is None else _value(places, "", own)
    code = str(code or ("HU" if modality == "CT" and rescales else ""))[:16]
    return _UNITS.get(code, code)


def _directions(name: str, orientation: Vector | None) -> tuple[Vector | None, Vector | None]:
    if orientation is None:
        return None, None
    rows, columns = orientation[:3], orientation[3:]
    lengths = np.array([np.linalg.norm(rows), np.linalg.norm(columns)])
    if np.abs(lengths - 1).max() > 0.01 or abs(float(rows @ columns)) > 0.01:
        raise GeometryError(f"{name}: ImageOrientationPatient must be two unit vectors at a right angle", remedy="export the series again")
    return rows / lengths[0], columns / lengths[1]


def _first(tags: Any, sequence: str) -> Any:
    items = tags.get(sequence, None)
    return items[0] if items else None


def _value(places: tuple[Any, ...], sequence: str, keyword: str) -> Any:
    """The first value found: within `sequence` in the functional groups, plain in the file itself."""
    *groups, tags = places
    for group in groups:
        inner = _first(group, sequence) if group is not None and sequence else None
        if inner is not None and inner.get(keyword, None) is not None:
            return inner.get(keyword)
    return tags.get(keyword, None)


def _numbers(name: str, places: tuple[Any, ...], sequence: str, keyword: str, count: int) -> Vector | None:
    value = _value(places, sequence, keyword)
    if value is None:
        return None
    try:
        numbers = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise FormatError(f"{name}: {keyword} must be {count} finite numbers", remedy="export the series again")
    return numbers


def _number(places: tuple[Any, ...], sequence: str, keyword: str) -> float | None:
    value = _value(places, sequence, keyword)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def _given(value: Vector | None) -> Vector:
    """A vector that is known to be there."""
    return np.zeros(3) if value is None else value


def _require_uniform(slices: Sequence[Slice], name: str) -> None:
    first = slices[0]
    sizes = {(int(s.header.tags.Rows), int(s.header.tags.Columns)) for s in slices}
    if len(sizes) > 1:
        raise FormatError(f"{name}: the slices of a series have one size, got {sorted(sizes)[:4]}", remedy="keep one of them per folder")
    for s in slices:
        if first.rows is None or s.rows is None:
            continue
        turn = max(float(np.abs(s.rows - first.rows).max()), float(np.abs(_given(s.columns) - _given(first.columns)).max()))
        if turn > ORIENTATION_TOLERANCE:
            raise GeometryError(
                f"{name}: the slices of a series have one orientation, {s.header.path.name} differs from {first.header.path.name}",
                remedy="put the other orientation (often a localizer) into its own folder",
            )
        if s.spacing_mm != first.spacing_mm:
            raise GeometryError(f"{name}: the slices of a series have one PixelSpacing, {s.header.path.name} differs", remedy="split it")


def _flat_stack(slices: Sequence[Slice], name: str) -> Stack:
    """Pictures without a position: one, or the frames of one file in their own order."""
    if len({s.header.path for s in slices}) > 1:
        raise FormatError(
            f"{name}: slices need ImagePositionPatient and ImageOrientationPatient to be a volume, {len(slices)} files have not both",
            remedy="import each as its own picture",
        )
    spacing, notes = _spacing(slices[0])
    depth, tags = slices[0].depth_mm, slices[0].header.tags
    stays = "no orientation is stored"
    if len(slices) > 1 and are_moments(tags, spaced=depth is not None):
        seconds = frame_seconds(tags, len(slices))
        # Time has no millimetres; a step that is no finer than a pixel keeps the frames the slices that people page along.
        affine = np.diag([-spacing[0], -spacing[1], max(1.0, *spacing), 1.0])
        return Stack(tuple(slices), affine, (*notes, time_note(len(slices), seconds), stays), False, True, seconds)
    if len(slices) > 1:
        notes += (UNSPACED,) if depth is None else (f"frames have no positions; they are kept in stored order, {depth:g} mm apart",)
    affine = np.diag([-spacing[0], -spacing[1], depth or 1.0, 1.0])
    return Stack(tuple(slices), affine, (*notes, stays), oriented=False)


def _spacing(first: Slice) -> tuple[tuple[float, float], tuple[str, ...]]:
    if first.spacing_mm is None:
        return (1.0, 1.0), (UNSIZED,)
    at_detector = first.header.tags.get("PixelSpacing", None) is None and first.header.tags.get("ImagerPixelSpacing", None) is not None
    return first.spacing_mm, ((DETECTOR_SIZE,) if at_detector else ())


def _tilt_notes(step: Vector, first: Slice) -> tuple[str, ...]:
    cosine = min(abs(float(step @ first.normal)) / float(np.linalg.norm(step)), 1.0)
    tilt = math.degrees(math.acos(cosine))
    return (f"gantry tilt of {tilt:.1f} degrees; the voxel axes are sheared and nothing is resampled",) if tilt > TILT_DEGREES else ()


def _step_notes(steps: Vector) -> tuple[str, ...]:
    """Missing slices and uneven steps, with the largest error of position they cause."""
    if len(steps) < 2:
        return ()
    usual = float(np.median(steps))
    if float(np.abs(steps - usual).max()) <= UNEVEN_SHARE * usual:
        return ()
    true = np.concatenate([[0.0], np.cumsum(steps)])
    error = float(np.abs(true - np.linspace(0, true[-1], len(true))).max())
    notes = [f"slice spacing is uneven, {steps.min():.2f} to {steps.max():.2f} mm; positions are off by up to {error:.1f} mm"]
    for index in np.flatnonzero(np.abs(steps / usual - np.round(steps / usual)) < 0.1 if len(steps) > 2 else steps < 0):
        if lacking := round(float(steps[index]) / usual) - 1:
            notes.append(f"{lacking} slice(s) seem to be missing between slices {index + 1} and {index + 2}")
    return tuple(notes)
