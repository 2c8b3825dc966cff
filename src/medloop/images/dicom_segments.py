"""What a DICOM segmentation or set of contours says, as plain values and packed planes: the limited process's side.

Source: DICOM PS3.3 C.8.20 (Segmentation Image and Segment Description), C.8.8.6 (ROI Contour), C.7.6.16.2 (functional groups).
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.utils import pixel_array

from medloop.core.errors import FormatError, MedloopError
from medloop.images.dicom_codestreams import require_honest_frames
from medloop.images.dicom_objects import CONTOURS, items, kind_of_object, read_tags, source_images
from medloop.images.dicom_reasons import codec_refusal, pixel_damage
from medloop.images.dicom_series import read_header
from medloop.images.result import MAX_VOXEL_BYTES

_AGAIN = "export it again"
_MAX_NAME = 64
MAX_POINTS = 20_000_000
Planes = npt.NDArray[np.uint8]


def object_record(path: Path) -> tuple[dict[str, Any], bytes]:
    """The record of an annotation object, and the planes that it names, one after the other.

    Raises:
        FormatError: Damaged, no such object, or in a compression no installed decoder reads.
    """
    tags, pixels_at = read_header(path)
    if not kind_of_object(tags):
        raise FormatError(f"{path.name}: an annotation is a SEG or an RTSTRUCT", remedy="leave it out")
    try:
        if str(tags.SOPClassUID) == CONTOURS:
            return _contours(path), b""
        syntax = str(getattr(getattr(tags, "file_meta", None), "TransferSyntaxUID", "") or "")
        if refusal := codec_refusal(syntax):
            raise FormatError(f"{path.name}: {refusal[0]}", remedy=refusal[1])
        if pixels_at >= 0 and (damage := pixel_damage(path, pixels_at, tags)):
            raise FormatError(f"{path.name}: {damage}", remedy="copy or export it again")
        return _segmentation(path, tags)
    except (AttributeError, KeyError, IndexError, TypeError, ArithmeticError) as error:
        raise FormatError(f"{path.name}: the DICOM header is damaged ({type(error).__name__})", remedy=_AGAIN) from error


def _segmentation(path: Path, header: Any) -> tuple[dict[str, Any], bytes]:
    name, frames = path.name, int(header.get("NumberOfFrames", None) or 1)
    if frames * int(header.Rows) * int(header.Columns) > MAX_VOXEL_BYTES:
        raise FormatError(f"{name}: a segmentation has up to {MAX_VOXEL_BYTES >> 20} MiB of frames", remedy="split it by segment")
    groups = [_frame_group(header, number) for number in range(frames)]
    described = items(read_tags(path, ("SegmentSequence",)), "SegmentSequence")
    _require_once(name, "segment", [int(one.SegmentNumber) for one in described])
    segments = {int(one.SegmentNumber): _segment(one) for one in described if int(one.SegmentNumber) > 0}
    whole = read_tags(path, ("SegmentationType", "MaximumFractionalValue", "PixelPaddingValue"))
    kind = str(whole.get("SegmentationType", "") or "")
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise FormatError(f"{name}: SegmentationType must be BINARY, FRACTIONAL or LABELMAP, got {kind[:16]!r}", remedy=_AGAIN)
    padding = int(whole.get("PixelPaddingValue", None) or 0)
    if kind == "LABELMAP":
        segments.pop(padding, None)  # described or not, it is the background (PS3.3 C.8.20.2)
    pixels = _pixels(path, frames)
    places: list[dict[str, Any]] = []
    sent: list[bytes] = []
    for number, plane in enumerate(pixels):
        for segment, part in _by_segment(name, plane, groups[number], kind, padding):
            if segment not in segments:
                raise FormatError(f"{name}: frame {number + 1} is of segment {segment}, which is not described", remedy=_AGAIN)
            places.append({**groups[number]["place"], "segment": segment, "frame": number + 1})
            sent.append(part.tobytes() if kind == "FRACTIONAL" else np.packbits(part).tobytes())
    record = {
        "kind": kind,
        "segments": [{"number": number, **told} for number, told in segments.items()],
        "planes": places,
        "rows": int(header.Rows),
        "columns": int(header.Columns),
        "most": int(whole.get("MaximumFractionalValue", None) or 255) if kind == "FRACTIONAL" else 1,
        "bytes": sum(map(len, sent)),
    }
    return record, b"".join(sent)


def _require_once(name: str, what: str, numbers: list[int]) -> None:
    """Raise where two descriptions have one number: which of them its voxels are, no file can say.

    Raises:
        FormatError: Some do.
    """
    twice = sorted({one for one in numbers if numbers.count(one) > 1})
    if twice:
        raise FormatError(f"{name}: every {what} has a number of its own, {twice[:8]} are described twice", remedy=_AGAIN)


def _by_segment(name: str, plane: Planes, group: dict[str, Any], kind: str, padding: int) -> list[tuple[int, Planes]]:
    """(segment, its plane) of a frame; of a labelmap one for each number that occurs."""
    if kind == "LABELMAP":
        return [(int(one), (plane == one).astype(np.uint8)) for one in np.unique(plane) if one not in (0, padding)]
    if group["segment"] is None:
        raise FormatError(f"{name}: every frame says of which segment it is, one does not", remedy=_AGAIN)
    return [(group["segment"], plane if kind == "FRACTIONAL" else (plane > 0).astype(np.uint8))]


def _pixels(path: Path, frames: int) -> Any:
    try:
        tags = pydicom.dcmread(path)
        require_honest_frames(path.name, tags, frames)
        pixels = np.asarray(pixel_array(tags))
    except (MedloopError, MemoryError, RecursionError):
        raise
    except Exception as error:
        # pydicom and its decoders raise many kinds on damaged pixels; all mean the same here.
        words = " ".join(f"{error}".split())[:160]
        raise FormatError(f"{path.name}: the frames cannot be decoded ({words})", remedy="copy it again, or decompress it") from error
    return pixels.reshape(frames, *pixels.shape[-2:])


def _frame_group(tags: Any, number: int) -> dict[str, Any]:
    """Where a frame lies, what it points at, and which segment it is of."""
    own = items(tags, "PerFrameFunctionalGroupsSequence")
    groups = [*own[number : number + 1], *items(tags, "SharedFunctionalGroupsSequence")[:1]]
    identified = [one for group in groups for one in items(group, "SegmentIdentificationSequence")]
    sources = next((found for group in groups if (found := source_images(group))), [])
    place = {
        "position": _found(groups, "PlanePositionSequence", "ImagePositionPatient", 3),
        "orientation": _found(groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6),
        "spacing": _found(groups, "PixelMeasuresSequence", "PixelSpacing", 2),
        "sources": sources,
    }
    return {"segment": int(identified[0].ReferencedSegmentNumber) if identified else None, "place": place}


def _found(groups: list[Any], sequence: str, keyword: str, count: int) -> list[float]:
    for group in groups:
        for item in items(group, sequence):
            numbers = [float(value) for value in item.get(keyword, None) or []]
            if len(numbers) == count and all(map(math.isfinite, numbers)):
                return numbers
    return []


def _segment(one: Any) -> dict[str, Any]:
    kinds = items(one, "SegmentedPropertyTypeCodeSequence")
    sides = items(kinds[0], "SegmentedPropertyTypeModifierCodeSequence") if kinds else []
    return {"name": _name(one.get("SegmentLabel", "")), "code": _code(kinds), "side": _code(sides)}


def _code(sequence: list[Any]) -> list[str]:
    """Scheme and value of a code; [] without one."""
    if not sequence:
        return []
    return [str(sequence[0].get("CodingSchemeDesignator", "") or ""), str(sequence[0].get("CodeValue", "") or "")]


def _name(value: Any) -> str:
    return "".join(letter for letter in " ".join(str(value or "").split()) if letter.isprintable())[:_MAX_NAME]


def _contours(path: Path) -> dict[str, Any]:
    """Regions with their contours; of a contour its slice's instance, its type and its points (LPS millimetres)."""
    tags = read_tags(path, ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"))
    regions = items(tags, "StructureSetROISequence")
    _require_once(path.name, "region", [int(one.ROINumber) for one in regions])
    names = {int(one.ROINumber): _name(one.get("ROIName", "")) for one in regions}
    if not names or not items(tags, "ROIContourSequence"):
        raise FormatError(f"{path.name}: a set of contours has regions and contours, these are missing or cut off", remedy=_AGAIN)
    codes = {
        int(one.ReferencedROINumber): _code(items(one, "RTROIIdentificationCodeSequence"))
        for one in items(tags, "RTROIObservationsSequence")
    }
    contours, points = [], 0
    for roi in items(tags, "ROIContourSequence"):
        number = int(roi.ReferencedROINumber)
        if number not in names:
            raise FormatError(f"{path.name}: contours are of region {number}, which is not described", remedy=_AGAIN)
        for one in items(roi, "ContourSequence"):
            numbers = [float(value) for value in one.get("ContourData", None) or []]
            points += len(numbers) // 3
            if len(numbers) % 3 or not all(map(math.isfinite, numbers)) or points > MAX_POINTS:
                raise FormatError(f"{path.name}: a contour has three finite numbers a point", remedy=_AGAIN)
            images = items(one, "ContourImageSequence")
            uid = str(images[0].get("ReferencedSOPInstanceUID", "") or "") if images else ""
            frame = int(images[0].get("ReferencedFrameNumber", None) or 0) if images else 0
            kind = str(one.get("ContourGeometricType", "") or "")
            contours.append({"segment": number, "type": kind, "points": numbers, "sources": [(uid, frame)] if uid else []})
    segments = [{"number": number, "name": name, "code": codes.get(number, []), "side": []} for number, name in names.items()]
    return {"kind": "CONTOURS", "segments": segments, "contours": contours, "bytes": 0}
