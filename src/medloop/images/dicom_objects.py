"""DICOM objects that annotate a series: segmentations and sets of contours, and which images they point at.

An object is matched to its series by these references alone, never by its name or its order.

Source: DICOM PS3.3 C.7.4.2 (Common Instance Reference), C.7.6.16.2.6 (Derivation Image), C.8.8.5 (Structure Set).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pydicom

from medloop.core.errors import FormatError, MedloopError
from medloop.images.dicom_reasons import RefusedFile
from medloop.images.dicom_series import SeriesFiles, require_bounded

SEGMENTATION, LABELMAP, CONTOURS = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.481.3"
KINDS: Mapping[str, str] = {SEGMENTATION: "SEG", LABELMAP: "SEG", CONTOURS: "RTSTRUCT"}
"""SOP classes that are read as annotations, and what they are called."""

_REFERENCE_TAGS = (
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "ReferencedSeriesSequence",
    "ReferencedFrameOfReferenceSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ROIContourSequence",
)
MAX_REFERENCES = 100_000


@dataclass(frozen=True)
class ObjectFacts:
    """One annotation object, as far as finding its series goes.

    Attributes:
        path: The file.
        kind: "SEG" or "RTSTRUCT".
        instance: Its own SOP Instance UID, "" where missing.
        instances: SOP Instance UIDs of the images that it points at.
        frames_of_reference: UIDs of the coordinate systems that it lies in.
    """

    path: Path
    kind: str
    instance: str
    instances: tuple[str, ...]
    frames_of_reference: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ObjectFacts":
        """Inverse of `to_json`."""
        lists = ("instances", "frames_of_reference")
        return cls(**{**record, "path": Path(record["path"]), **{name: tuple(record[name]) for name in lists}})


@dataclass(frozen=True)
class SeriesListing:
    """The cases among some DICOM files, annotations of images, and why other files are neither."""

    series: tuple[SeriesFiles, ...]
    refused: tuple[RefusedFile, ...]
    objects: tuple[ObjectFacts, ...] = ()


def kind_of_object(tags: Any) -> str:
    """What an annotation object is called; "" for everything else."""
    return KINDS.get(str(tags.get("SOPClassUID", "") or ""), "")


def object_facts(path: Path, kind: str) -> ObjectFacts:
    """The references of an annotation object, in this process.

    Raises:
        FormatError: A damaged header.
    """
    tags = read_tags(path, _REFERENCE_TAGS)
    instances = dict.fromkeys(uid for uid in _instances(tags) if uid)
    frames = dict.fromkeys(uid for uid in _frames_of_reference(tags) if uid)
    if len(instances) > MAX_REFERENCES:
        raise FormatError(f"{path.name}: an object points at up to {MAX_REFERENCES} images, this at {len(instances)}")
    return ObjectFacts(path, kind, str(tags.get("SOPInstanceUID", "") or ""), tuple(instances), tuple(frames))


def read_tags(path: Path, names: tuple[str, ...]) -> Any:
    """Some attributes of a file without its pixels.

    Raises:
        FormatError: A damaged header.
    """
    try:
        with path.open("rb") as file:
            require_bounded(path, file)
            file.seek(0)
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(names))
    except (RecursionError, MemoryError, MedloopError):
        raise
    except Exception as error:
        # As in `read_header`: pydicom raises a dozen kinds on damaged headers.
        raise FormatError(f"{path.name}: the DICOM header is damaged ({type(error).__name__})", remedy="copy or export it again") from error


def items(tags: Any, keyword: str) -> list[Any]:
    """The items of a sequence, [] without it."""
    return list(tags.get(keyword, None) or [])


def source_images(group: Any) -> list[tuple[str, int]]:
    """(SOP Instance UID, frame from 1 or 0 for none) of the images that a functional group derives from."""
    found = []
    for derivation in items(group, "DerivationImageSequence"):
        for source in items(derivation, "SourceImageSequence"):
            number = source.get("ReferencedFrameNumber", None)
            first = number if isinstance(number, int) or number is None else next(iter(number), None)
            found.append((str(source.get("ReferencedSOPInstanceUID", "") or ""), int(first or 0)))
    return found


def _instances(tags: Any) -> Iterator[str]:
    for series in items(tags, "ReferencedSeriesSequence"):
        for one in items(series, "ReferencedInstanceSequence"):
            yield str(one.get("ReferencedSOPInstanceUID", "") or "")
    for group in (*items(tags, "SharedFunctionalGroupsSequence"), *items(tags, "PerFrameFunctionalGroupsSequence")):
        yield from (uid for uid, _ in source_images(group))
    for frame in items(tags, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                yield from _contour_images(series)
    for roi in items(tags, "ROIContourSequence"):
        for contour in items(roi, "ContourSequence"):
            yield from _contour_images(contour)


def _contour_images(item: Any) -> Iterator[str]:
    for one in items(item, "ContourImageSequence"):
        yield str(one.get("ReferencedSOPInstanceUID", "") or "")


def _frames_of_reference(tags: Any) -> Iterator[str]:
    yield str(tags.get("FrameOfReferenceUID", "") or "")
    for frame in items(tags, "ReferencedFrameOfReferenceSequence"):
        yield str(frame.get("FrameOfReferenceUID", "") or "")
