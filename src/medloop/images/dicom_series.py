"""Which DICOM files of a folder belong together, judged from their headers alone.

Only named attributes are ever read: a dataset is never printed, walked or converted to JSON, because a
few kilobytes of nested sequences make each of these take gigabytes.
"""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medloop.core.errors import FormatError, MedloopError
from medloop.core.patients import is_placeholder
from medloop.images.dicom_subgroups import SUBGROUP_TAGS
from medloop.images.files import read_start, stays_within

_META_BYTES = 1 << 20
"""Where the name of deflation is looked for in a file whose meta group does not name its transfer syntax."""

MAX_INFLATED = 512 << 20
"""Bytes that a deflated file may inflate to: a CT of 1,000 slices; it is counted before anything is kept."""

MAX_RATIO = 100
"""How many times its size a large deflated file may inflate to; images stay below 10, and blank ones are small."""

_FREELY_INFLATED = 64 << 20

DISTINGUISHED_BY = (
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TriggerTime",
    "NominalPercentageOfCardiacPhase",
    "NominalCardiacTriggerDelayTime",
    "FrameReferenceTime",
    "InversionTime",
    "FlipAngle",
    "ImageType",
    "ComplexImageComponent",
    "ConvolutionKernel",
    "StackID",
    "AcquisitionTime",
)
"""Attributes that tell acquisitions of one series apart, the plainest first."""

NAMING_TAGS = ("PatientName", "OtherPatientNames", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber", "PatientIdentityRemoved")
"""Attributes, with PatientID, whose words are looked for in the names of files; they are never kept."""

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
    "RescaleType",
    "Units",
    "DoseUnits",
    "DoseGridScaling",
    "GridFrameOffsetVector",
    "DetectorInformationSequence",
    "SliceVector",
    "FrameIncrementPointer",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "SequenceOfUltrasoundRegions",
    "BurnedInAnnotation",
    "ConversionType",
    *DISTINGUISHED_BY,
    *NAMING_TAGS,
    *SUBGROUP_TAGS,
)


PERSON_TAGS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
"""Whose an image is and of which study: asked for only where an annotation goes back beside its originals, and never kept."""


@dataclass(frozen=True)
class SeriesFiles:
    """The files of one case: a series or a part of one, one multi-frame file, or one picture without a position.

    Attributes:
        uid: SeriesInstanceUID, followed by the instance's, or the part's, where a series holds several cases.
        paths: Its files, by name.
        description: SeriesDescription, or the modality.
        patient: A pseudonym made from PatientID, or from the study (`STUDY`) where that names nobody; "" without both; never an id itself.
        part: What tells it from the other parts of its series, such as "AcquisitionNumber 2"; "" when it is the whole series.
        notes: What was noticed while grouping.
        instances: SOP Instance UIDs of its files.
        frame_of_reference: UID of its coordinate system, "" where missing.
        identifiers: Words of its headers that name its patient, to be looked for in names of files; never kept.
        study: StudyInstanceUID, "" where missing.
        modality: DICOM's word, "" where missing.
    """

    uid: str
    paths: tuple[Path, ...]
    description: str
    patient: str = ""
    part: str = ""
    notes: tuple[str, ...] = ()
    instances: frozenset[str] = frozenset()
    frame_of_reference: str = ""
    identifiers: tuple[str, ...] = ()
    study: str = ""
    modality: str = ""


@dataclass(frozen=True)
class Header:
    """A file and the attributes of `HEADER_TAGS` it has."""

    path: Path
    tags: Any


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM mark behind its preamble."""
    return path.is_file() and read_start(path, 132)[128:] == b"DICM"


def read_header(path: Path) -> tuple[Any, int]:
    """The attributes of `HEADER_TAGS` that a file has, and where its pixels start (-1 when it is deflated).

    Raises:
        FormatError: Damaged, or deflated to more than `MAX_INFLATED`.
    """
    try:
        with path.open("rb") as file:
            deflated = require_bounded(path, file)
            file.seek(0)
            tags = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(HEADER_TAGS))
            return tags, -1 if deflated else file.tell()
    except (RecursionError, MemoryError, MedloopError):
        raise
    except Exception as error:
        # pydicom raises a dozen kinds on damaged headers; all mean the same here.
        raise FormatError(f"{path.name}: the DICOM header is damaged ({type(error).__name__})", remedy="copy or export it again") from error


def read_person(path: Path) -> Any:
    """Whose a file is, for an object that goes back beside it: `PERSON_TAGS`, its UIDs and its character set.

    Raises:
        FormatError: Damaged, or deflated to more than `MAX_INFLATED`.
    """
    wanted = [*PERSON_TAGS, "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SpecificCharacterSet"]
    try:
        with path.open("rb") as file:
            require_bounded(path, file)
            file.seek(0)
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=wanted)
    except (RecursionError, MemoryError, MedloopError):
        raise
    except Exception as error:
        # As in `read_header`.
        raise FormatError(f"{path.name}: the DICOM header is damaged ({type(error).__name__})", remedy="copy or export it again") from error


def require_bounded(path: Path, file: BinaryIO) -> bool:
    """Whether a file is deflated; raise when it inflates to more than `MAX_INFLATED`, without holding what it inflates to.

    Raises:
        FormatError: It inflates to more, or its deflated part is damaged.
    """
    syntax = _transfer_syntax(file)
    if not syntax:
        file.seek(0)
        if DeflatedExplicitVRLittleEndian.encode() in file.read(_META_BYTES):
            raise FormatError(f"{path.name}: the DICOM header is damaged (its transfer syntax is out of place)", remedy="export it again")
    if syntax != DeflatedExplicitVRLittleEndian:
        return False
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflate.eof and (stored := inflate.unconsumed_tail or file.read(1 << 16)):
        total += len(inflate.decompress(stored, 1 << 20))
        if total > min(MAX_INFLATED, max(_FREELY_INFLATED, MAX_RATIO * file.tell())):
            raise FormatError(
                f"{path.name}: a deflated DICOM file inflates to at most {MAX_INFLATED >> 20} MiB and {MAX_RATIO} times its size",
                remedy="rewrite it without deflation if you trust it",
            )
    return True


def _transfer_syntax(file: BinaryIO) -> str:
    """The transfer syntax in a file's meta group, "" when there is none; leaves the file at the end of that group."""
    file.seek(132)
    try:
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
        return str(meta.get("TransferSyntaxUID", "") or "")
    except NotImplementedError:
        return ""


def files_below(place: Path) -> list[Path]:
    """The file itself, or every file below a folder, sorted; links that lead out of the folder are left out."""
    if place.is_file():
        return [place]
    root = place.resolve()
    return sorted(path for path in place.rglob("*") if path.is_file() and (not path.is_symlink() or stays_within(path, root)))


def describe(tags: Any) -> str:
    """SeriesDescription, or the modality."""
    return str(tags.get("SeriesDescription", "") or tags.get("Modality", ""))[:64]


STUDY = "study-"
"""How the pseudonym begins when the header names nobody and its study stands for the patient."""


def pseudonym_of(tags: Any) -> str:
    """The word for a file's patient; see `SeriesFiles`.

    Equal for equal PatientIDs, or for equal studies where the id names nobody; says that two series are of one person, not of whom.
    """
    patient = str(tags.get("PatientID", "") or "").strip()
    if not is_placeholder(patient):
        return patient_word(patient)
    study = str(tags.get("StudyInstanceUID", "") or "").strip()
    return f"{STUDY}{hashlib.sha256(study.encode()).hexdigest()[:12]}" if study else ""


FROM_ID = "patient-"
"""How the pseudonym begins that is made from a PatientID."""


def patient_word(patient_id: str) -> str:
    """The word that stands for a PatientID: the same in every project."""
    return f"{FROM_ID}{hashlib.sha256(patient_id.encode()).hexdigest()[:12]}"
