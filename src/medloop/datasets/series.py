"""DICOM: every series below a folder is a case.

A series alone in its folder is named by that folder; several in one folder get a number (or their only file's name)
behind it and count as one patient.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import FormatError, MedloopError
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.files import Root
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule

if TYPE_CHECKING:
    from medloop.images.dicom_series import SeriesFiles

_LOOKED_AT = 50
"""Files opened to find out whether a folder holds DICOM."""


def open_dicom(folder: Path, *, patient_pattern: str | None = None) -> Dataset:
    """Every DICOM series below a folder, unlabelled.

    Args:
        folder: Of series; they may lie in any depth.
        patient_pattern: Applied to the case's name; it wins over the header. Where the header names nobody, the first folder
            level is the patient where series lie at least two levels deep (patient/study/…), else the study is.

    Raises:
        FormatError: No series in it.
    """
    root = Root.of(folder)
    cases = CaseList(patient_rule(patient_pattern))
    files, refused = root.walk()
    cases.refused += refused
    for place in sorted({path.parent for path in files if _is_ours(root, cases, path)}):
        _add_folder(root, cases, place)
    found = cases.sorted()
    if not found and not cases.refused:
        raise FormatError(f"{folder.name}: needs DICOM series, got none", remedy="choose another folder")
    return Dataset(format="dicom", kind=None, labels=(), channels=(), cases=found, refused=tuple(cases.refused))


def _is_ours(root: Root, cases: CaseList, path: Path) -> bool:
    """Whether a file is DICOM within the root; one that cannot be opened is named."""
    try:
        return root.holds(path) and is_dicom(path)
    except OSError as error:
        cases.refuse(root.label(path), f"a file must be readable: {error.strerror or error}", "", "check its permissions")
        return False


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM mark after its preamble, or at least the usual suffix."""
    if path.suffix.lower() == ".dcm":
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def holds_dicom(root: Root) -> bool:
    """Whether one of the first files below the root is DICOM."""
    ignored = CaseList(patient_rule(None))
    return any(_is_ours(root, ignored, path) for path in root.files()[:_LOOKED_AT])


def _add_folder(root: Root, cases: CaseList, place: Path) -> None:
    from medloop.images.dicom import list_series

    label = root.label(place)
    try:
        series = [one for one in list_series(place) if all(path.parent == place for path in one.paths)]
    except (MedloopError, OSError) as error:
        rule, remedy = (error.message, error.remedy) if isinstance(error, MedloopError) else (f"it cannot be read: {error}", "")
        cases.refuse(label, rule, "", remedy)
        return
    parts = place.relative_to(root.folder).parts
    name = "_".join(parts) or root.folder.name
    folder = parts[0] if len(parts) >= 2 else ""
    _refuse_others(root, cases, place, {path for one in series for path in one.paths})
    if len(series) == 1:
        alone = not any(path.is_dir() for path in place.iterdir())
        patient, notes = _patient(series[0], folder, "")
        cases.add(CaseSource(name, patient, (place,) if alone else series[0].paths, notes=notes), label)
    else:
        for number, one in enumerate(series, start=1):
            which = one.paths[0].stem if len(one.paths) == 1 else str(number)
            patient, notes = _patient(one, folder, name)
            cases.add(CaseSource(f"{name}_{which}", patient, one.paths, notes=notes), label)


def _patient(series: "SeriesFiles", folder: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Who a series is of: the header's patient, else the first folder, else the study, else the series' own folder."""
    from medloop.images.dicom_series import STUDY

    if series.patient and not series.patient.startswith(STUDY):
        return series.patient, ()
    what = "its first folder" if folder else "its study" if series.patient else "its folder"
    return folder or series.patient or name, (f"the header names no patient (PatientID is empty or a placeholder); {what} stands for one",)


def _refuse_others(root: Root, cases: CaseList, place: Path, taken: set[Path]) -> None:
    """Name the DICOM files of a folder that no case holds."""
    for path in sorted(place.iterdir()):
        if path.is_file() and path not in taken and is_dicom(path):
            cases.refuse(root.label(path), "a DICOM file needs an image in it", "another object or a damaged header", "check the series")
