"""What grouping needs to know of each DICOM file, as plain values, so that the limited process reads and this one decides."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from medloop.core.errors import MedloopError
from medloop.images.deidentification.naming import identifiers_in
from medloop.images.dicom_objects import ObjectFacts, kind_of_object, object_facts
from medloop.images.dicom_reasons import RefusedFile, codec_refusal, is_bare, kind_refusal, pixel_damage, unmarked_refusal
from medloop.images.dicom_series import DISTINGUISHED_BY, Header, describe, is_dicom, pseudonym_of, read_header


@dataclass(frozen=True)
class FileFacts:
    """One DICOM image, as far as grouping looks.

    Attributes:
        path: The file.
        series, instance: Its UIDs, "" where missing.
        description, patient: See `SeriesFiles`.
        frames: Of the file.
        size: Rows and columns.
        position, orientation: ImagePositionPatient and ImageOrientationPatient, () where missing or unusable.
        spacing: PixelSpacing, () likewise.
        thickness_mm: SliceThickness, 0 when unknown.
        header: Values of `DISTINGUISHED_BY` that the file has, as text.
        frame_of_reference: UID of its coordinate system, "" where missing.
        identifiers, study, modality: See `SeriesFiles`.
    """

    path: Path
    series: str
    instance: str
    description: str
    patient: str
    frames: int
    size: tuple[int, int]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness_mm: float
    header: Mapping[str, str]
    frame_of_reference: str = ""
    identifiers: tuple[str, ...] = ()
    study: str = ""
    modality: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "FileFacts":
        """Inverse of `to_json`."""
        lists = ("size", "position", "orientation", "spacing", "identifiers")
        return cls(**{**record, "path": Path(record["path"]), **{name: tuple(record[name]) for name in lists}})


@dataclass
class Looked:
    """What some files are: images, annotations of images, and what is neither, with the reason."""

    images: list[FileFacts] = field(default_factory=list)
    objects: list[ObjectFacts] = field(default_factory=list)
    refused: list[RefusedFile] = field(default_factory=list)


def facts_among(paths: Iterable[Path]) -> Looked:
    """Facts of the DICOM images and annotations among some files, and why others are none; what is not called DICOM is passed over."""
    looked = Looked()
    for path in paths:
        answer = _look(path)
        if isinstance(answer, FileFacts):
            looked.images.append(answer)
        elif isinstance(answer, ObjectFacts):
            looked.objects.append(answer)
        elif answer is not None:
            looked.refused.append(RefusedFile(path, *answer))
    return looked


def facts_of(header: Header) -> FileFacts:
    """The facts in a header."""
    tags = header.tags
    return FileFacts(
        path=header.path,
        series=str(tags.get("SeriesInstanceUID", "") or ""),
        instance=str(tags.get("SOPInstanceUID", "") or ""),
        description=describe(tags),
        patient=pseudonym_of(tags),
        frames=int(tags.get("NumberOfFrames", None) or 1),
        size=(int(tags.Rows or 0), int(tags.Columns or 0)),
        position=_numbers(tags.get("ImagePositionPatient", None), 3),
        orientation=_numbers(tags.get("ImageOrientationPatient", None), 6),
        spacing=_numbers(tags.get("PixelSpacing", None), 2),
        thickness_mm=next(iter(_numbers([tags.get("SliceThickness", None) or 0], 1)), 0.0),
        header={name: _text(tags.get(name)) for name in DISTINGUISHED_BY if tags.get(name, None) not in (None, "")},
        frame_of_reference=str(tags.get("FrameOfReferenceUID", "") or ""),
        identifiers=identifiers_in(tags),
        study=str(tags.get("StudyInstanceUID", "") or ""),
        modality=str(tags.get("Modality", "") or "")[:16],
    )


def _look(path: Path) -> FileFacts | ObjectFacts | tuple[str, str] | None:
    """Facts, or (why not, remedy), or None for a file that has nothing to do with DICOM."""
    try:
        if not is_dicom(path):
            return unmarked_refusal(path) if path.suffix.lower() == ".dcm" or is_bare(path) else None
        tags, pixels_at = read_header(path)
        if kind := kind_of_object(tags):
            return object_facts(path, kind)
        syntax = str(getattr(getattr(tags, "file_meta", None), "TransferSyntaxUID", "") or "")
        if refusal := kind_refusal(tags) or codec_refusal(syntax):
            return refusal
        if pixels_at >= 0 and (damage := pixel_damage(path, pixels_at, tags)):
            return damage, "copy or export it again"
        return facts_of(Header(path, tags))
    except MedloopError as error:
        return error.message.removeprefix(f"{path.name}: "), error.remedy
    except RecursionError:
        return "it is nested too deeply", "convert it with a tool you trust"
    except (ValueError, TypeError, ArithmeticError, AttributeError, KeyError, OSError) as error:
        # Values are converted when they are asked for; what cannot be converted is damage.
        return f"the DICOM header is damaged ({type(error).__name__})", "copy or export it again"


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    return numbers if len(numbers) == count and all(math.isfinite(number) for number in numbers) else ()


def _text(value: Any) -> str:
    """One value or several, as text of bounded length."""
    plain = value if isinstance(value, str) or not isinstance(value, Sequence) else "\\".join(str(one) for one in value)
    return str(plain)[:64]
