"""Which DICOM files of a folder belong together, judged from their headers alone.

Only named attributes are ever read: a dataset is never printed, walked or converted to JSON, because a
few kilobytes of nested sequences make each of these take gigabytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from medloop.core.errors import FormatError
from medloop.core.patients import is_placeholder
from medloop.images.files import read_start

NO_IMAGE = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "FID", "DOC", "AU", "ECG"})
"""Modalities of objects that are not images to annotate."""

HEADER_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "PatientID",
    "FrameOfReferenceUID",
    "Modality",
    "InstanceNumber",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsStored",
    "PixelRepresentation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "GantryDetectorTilt",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True)
class SeriesFiles:
    """The files of one case: a series, one multi-frame file, or one picture without a position.

    Attributes:
        uid: SeriesInstanceUID, followed by the instance's where a series holds several cases.
        paths: Its files, by name.
        description: SeriesDescription, or the modality.
        patient: A pseudonym made from PatientID, or from the study (`STUDY`) where that names nobody; "" without both; never an id itself.
    """

    uid: str
    paths: tuple[Path, ...]
    description: str
    patient: str = ""


@dataclass(frozen=True)
class Header:
    """A file and the attributes of `HEADER_TAGS` it has."""

    path: Path
    tags: Any


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM mark behind its preamble."""
    return path.is_file() and read_start(path, 132)[128:] == b"DICM"


def read_headers(paths: Iterable[Path]) -> tuple[Header, ...]:
    """Headers of the DICOM files among some paths.

    Raises:
        FormatError: A file with the DICOM mark that cannot be read.
    """
    return tuple(Header(path, _header(path)) for path in paths if is_dicom(path))


def group_series(headers: Sequence[Header]) -> tuple[SeriesFiles, ...]:
    """Split headers into cases, sorted by UID; objects without an image are left out."""
    groups: dict[str, list[Header]] = {}
    for header in headers:
        if is_image(header.tags):
            groups.setdefault(_group_key(header.tags), []).append(header)
    return tuple(
        SeriesFiles(uid, tuple(sorted(h.path for h in group)), _description(group[0].tags), _pseudonym(group[0].tags))
        for uid, group in sorted(groups.items())
    )


def is_image(tags: Any) -> bool:
    """Whether the object is an image to annotate rather than a report, plan or segmentation."""
    return str(tags.get("Modality", "")) not in NO_IMAGE and "Rows" in tags and "Columns" in tags


def files_below(place: Path) -> list[Path]:
    """The file itself, or every file below a folder, sorted; symbolic links are not followed."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())


def _header(path: Path) -> Any:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(HEADER_TAGS))
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        # pydicom raises a dozen kinds on damaged headers; all mean the same here.
        raise FormatError(f"{path.name}: the DICOM header is damaged ({type(error).__name__})", remedy="copy or export it again") from error


def _group_key(tags: Any) -> str:
    series = str(tags.get("SeriesInstanceUID", "")) or "no-series"
    alone = int(tags.get("NumberOfFrames", None) or 1) > 1 or "ImagePositionPatient" not in tags
    return f"{series}:{tags.get('SOPInstanceUID', '')}" if alone else series


def _description(tags: Any) -> str:
    return str(tags.get("SeriesDescription", "") or tags.get("Modality", ""))[:64]


STUDY = "study-"
"""How the pseudonym begins when the header names nobody and its study stands for the patient."""


def _pseudonym(tags: Any) -> str:
    """Equal for equal PatientIDs, or for equal studies where the id names nobody; says that two series are of one person, not of whom."""
    patient = str(tags.get("PatientID", "") or "").strip()
    if not is_placeholder(patient):
        return f"patient-{hashlib.sha256(patient.encode()).hexdigest()[:12]}"
    study = str(tags.get("StudyInstanceUID", "") or "").strip()
    return f"{STUDY}{hashlib.sha256(study.encode()).hexdigest()[:12]}" if study else ""
