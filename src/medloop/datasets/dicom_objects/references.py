"""The images that an annotation object points at, as minimal DICOM headers, made from what an import keeps of them.

The writers need the UIDs, the geometry and the frames of the source, never its pixels. Patient and study are the project's
pseudonym and nothing, unless the original files are at hand: then they are taken from there, matched by SOP Instance UID.

Source: DICOM PS3.3 C.7.6.2.1.1 (image plane), C.7.6.16.2 (functional groups).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from medloop.core.errors import FormatError, InputError, MedloopError, NotFoundError
from medloop.core.geometry import Grid
from medloop.datasets.export_tally import ExportCase
from medloop.images.dicom_series import PERSON_TAGS as PERSON_TAGS
from medloop.images.dicom_series import files_below, is_dicom, read_person

_LPS = np.array([-1.0, -1.0, 1.0])
_UNICODE = "ISO_IR 192"
IMPORT_DICOM = "import the original DICOM series into a project, or export as nifti"
IMPORT_AGAIN = "make the project from the DICOM series again, with this version"


@dataclass(frozen=True)
class Referenced:
    """The source of one case.

    Attributes:
        images: Headers: one a slice, in order of the volume, or the only one of a multi-frame file.
        frames: Frame (from 1) of the file that each slice is; () where every slice is a file.
        positions: Centre of each slice's first pixel, LPS millimetres, shape (slices, 3); None where directions are not known.
    """

    images: list[Dataset]
    frames: tuple[int, ...]
    positions: "np.ndarray[tuple[int, int], np.dtype[np.float64]] | None"

    def instance_of(self, index: int) -> tuple[Dataset, int | None]:
        """The header of a slice, and its frame (from 1) where its file has several."""
        return (self.images[0], self.frames[index]) if self.frames else (self.images[index], None)


@dataclass(frozen=True)
class Originals:
    """Patient, study and UIDs of original files, by the SOP Instance UIDs that the project has for them."""

    people: Mapping[str, Dataset] = field(default_factory=dict)

    @classmethod
    def below(cls, folder: Path, known_as: Callable[[str], str] = str) -> "Originals":
        """Of all DICOM files below a folder.

        Args:
            folder: With the files that were imported.
            known_as: The UID by keyed hash that stands for one of theirs; cases that came in as they are have theirs.

        Raises:
            NotFoundError: No such folder, or no DICOM in it.
        """
        people: dict[str, Dataset] = {}
        for path in files_below(folder) if folder.exists() else []:
            try:
                if is_dicom(path):
                    person = read_person(path)
                    uid = str(person.get("SOPInstanceUID", ""))
                    people[uid] = people[known_as(uid)] = person
            except MedloopError:
                continue  # what cannot be read is the original of nothing; a case that needs it is named
        if not people:
            raise NotFoundError(f"The original files must be DICOM, {folder.name} holds none", remedy="name the imported folder")
        return cls(people)


def referenced(case: ExportCase, originals: Originals | None) -> Referenced:
    """The source of a case.

    Args:
        case: Its image is not looked at beyond its grid.
        originals: Where to take patient and study from; None leaves the pseudonym.

    Raises:
        InputError: It did not come from DICOM, or from before this could be kept, or its originals are not there.
    """
    kept = case.source.dicom
    if case.source.format != "dicom" or not all(kept.get(name) for name in ("study", "series", "sop_class", "instances")):
        raise InputError(f"{case.name}: a DICOM object points at a DICOM series, this case came as {_origin(case)}", remedy=IMPORT_DICOM)
    grid, frames = case.image.grid, tuple(kept.get("frames", ()))
    _require_kept(case, grid, frames)
    if originals is not None:
        case = _as_the_originals(case, originals)
    positions = _positions(case, grid)
    person = _person(case, originals)
    if frames:
        return Referenced([_multi_frame(case, person, positions, frames)], frames, positions)
    images = [_single(case, person, k, None if positions is None else positions[k]) for k in range(grid.shape[2])]
    return Referenced(images, (), positions)


def _origin(case: ExportCase) -> str:
    return case.source.format if case.source.format != "dicom" else "DICOM without UIDs"


def _require_kept(case: ExportCase, grid: Grid, frames: tuple[int, ...]) -> None:
    """Refuse cases imported before frames and uneven places were kept, or made of several files in another way."""
    kept = case.source.dicom
    whole = len(frames) == grid.shape[2] and len(kept["instances"]) == 1 if frames else len(kept["instances"]) == grid.shape[2]
    if not whole:
        raise InputError(
            f"{case.name}: every slice needs its DICOM instance, {len(kept['instances'])} are kept for {grid.shape[2]} slices",
            remedy=IMPORT_AGAIN,
        )
    if "thickness" not in kept:
        raise InputError(f"{case.name}: the places of its slices must be kept, it was imported before they were", remedy=IMPORT_AGAIN)


def _positions(case: ExportCase, grid: Grid) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]] | None":
    """Where each slice lies; None where the patient's directions are not known."""
    display = case.source.display
    if display is None or not display.oriented or not case.source.dicom.get("frame_of_reference"):
        return None
    own = case.source.dicom.get("positions")
    if own:
        return np.array(own, dtype=np.float64)
    places = grid.affine[:3, 3] + np.arange(grid.shape[2])[:, None] * grid.affine[:3, 2]
    return np.asarray(places * _LPS, dtype=np.float64)


def _as_the_originals(case: ExportCase, originals: Originals) -> ExportCase:
    """A case with the UIDs of its original files in place of those by keyed hash.

    Raises:
        InputError: Its originals are not there.
    """
    kept = case.source.dicom
    lacking = [uid for uid in kept["instances"] if uid not in originals.people]
    if lacking:
        raise InputError(
            f"{case.name}: its original files must lie in the folder of originals, {len(lacking)} of {len(kept['instances'])} do not",
            remedy="name the folder that was imported, or leave --source out",
        )
    own = [originals.people[uid] for uid in kept["instances"]]
    uids = {name: str(own[0].get(keyword, "") or "") for name, keyword in _UIDS.items()}
    instances = [str(one.get("SOPInstanceUID", "")) for one in own]
    found = {name: uid for name, uid in uids.items() if kept.get(name)}
    return replace(case, source=replace(case.source, dicom={**kept, **found, "instances": instances}))


_UIDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "frame_of_reference": "FrameOfReferenceUID"}


def _person(case: ExportCase, originals: Originals | None) -> Dataset:
    """Patient and study: the originals', or the pseudonym."""
    if originals is None:
        plain = Dataset()
        for keyword in PERSON_TAGS:
            setattr(plain, keyword, "")
        plain.SpecificCharacterSet = _UNICODE
        plain.PatientID = case.patient[:64]
        return plain
    first = originals.people[case.source.dicom["instances"][0]]
    person = Dataset()
    for keyword in PERSON_TAGS:
        setattr(person, keyword, str(first.get(keyword, None) or ""))  # decoded, from whatever characters the original is in
    person.SpecificCharacterSet = _UNICODE
    return person


def _plain(case: ExportCase, person: Dataset, uid: str) -> Dataset:
    kept, (columns, rows, _) = case.source.dicom, case.image.grid.shape
    ds = Dataset()
    ds.update(person)
    ds.SOPClassUID, ds.SOPInstanceUID = kept["sop_class"], uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = kept["study"], kept["series"]
    if kept.get("frame_of_reference"):
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = kept["frame_of_reference"], ""
    ds.Modality = (case.source.display.modality if case.source.display else "") or "OT"
    ds.Rows, ds.Columns = rows, columns
    return ds


def _single(case: ExportCase, person: Dataset, index: int, position: Any) -> Dataset:
    ds = _plain(case, person, case.source.dicom["instances"][index])
    ds.InstanceNumber = index + 1
    if position is None:
        return ds
    ds.ImagePositionPatient = decimals(position)
    ds.update(orientation_of(case.image.grid))
    ds.update(_measures(case))
    return ds


def _multi_frame(case: ExportCase, person: Dataset, positions: Any, frames: tuple[int, ...]) -> Dataset:
    ds = _plain(case, person, case.source.dicom["instances"][0])
    ds.NumberOfFrames = int(case.source.dicom["frames_of_file"])
    if positions is None:
        return ds
    shared = Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation_of(case.image.grid)], [_measures(case)]
    ds.SharedFunctionalGroupsSequence = [shared]
    place = {frame: positions[k] for k, frame in enumerate(frames)}
    groups = []
    for frame in range(1, ds.NumberOfFrames + 1):
        # A frame that repeats another is not part of the volume; it lies where the nearest kept one does.
        nearest = frame if frame in place else min(place, key=lambda known: abs(known - frame))
        group, plane = Dataset(), Dataset()
        plane.ImagePositionPatient = decimals(place[nearest])
        group.PlanePositionSequence = [plane]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    return ds


def orientation_of(grid: Grid) -> Dataset:
    """ImageOrientationPatient of a grid whose slices are DICOM's."""
    directions = [grid.affine[:3, axis] / np.linalg.norm(grid.affine[:3, axis]) * _LPS for axis in (0, 1)]
    ds = Dataset()
    ds.ImageOrientationPatient = decimals(np.concatenate(directions))
    return ds


def _measures(case: ExportCase) -> Dataset:
    wide, high, deep = case.image.grid.spacing_mm
    ds = Dataset()
    ds.PixelSpacing = decimals((high, wide))
    ds.SliceThickness = decimals((case.source.dicom.get("thickness") or deep,))[0]
    return ds


def decimals(numbers: Any) -> list[str]:
    """Numbers as decimal strings of at most 16 characters, -0 as 0."""
    return [format_number_as_ds(float(number) + 0.0) for number in numbers]


def require_highdicom() -> None:
    """Refuse where the writer of DICOM objects is not installed.

    Raises:
        FormatError: Naming the extra.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise FormatError("DICOM objects are written with highdicom, which is not installed", remedy="install medloop[dicom]") from error
