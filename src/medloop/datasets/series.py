"""DICOM: every series below a folder is a case.

A series alone in its folder is named by that folder; several in one folder get a number (or their only file's name)
behind it and count as one patient.
"""

from pathlib import Path

from medloop.core.errors import FormatError, MedloopError
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.files import Root
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule

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
    for place in sorted({path.parent for path in root.files() if root.holds(path) and is_dicom(path)}):
        _add_folder(root, cases, place, by_folder=patient_pattern is None)
    found = cases.sorted()
    if not found and not cases.refused:
        raise FormatError(f"{folder.name}: needs DICOM series, got none", remedy="choose another folder")
    return Dataset(format="dicom", kind=None, labels=(), channels=(), cases=found, refused=tuple(cases.refused))


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM mark after its preamble, or at least the usual suffix."""
    if path.suffix.lower() == ".dcm":
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def holds_dicom(root: Root) -> bool:
    """Whether one of the first files below the root is DICOM."""
    return any(root.holds(path) and is_dicom(path) for path in root.files()[:_LOOKED_AT])


def _add_folder(root: Root, cases: CaseList, place: Path, *, by_folder: bool) -> None:
    from medloop.images.dicom import list_series

    label = root.label(place)
    try:
        series = [one for one in list_series(place) if all(path.parent == place for path in one.paths)]
    except MedloopError as error:
        cases.refuse(label, error.message, "", error.remedy)
        return
    parts = place.relative_to(root.folder).parts
    name = "_".join(parts) or root.folder.name
    patient = parts[0] if by_folder and len(parts) >= 2 else ""
    _refuse_others(root, cases, place, {path for one in series for path in one.paths})
    if len(series) == 1:
        alone = not any(path.is_dir() for path in place.iterdir())
        cases.add(CaseSource(name, series[0].patient or patient, (place,) if alone else series[0].paths), label)
    else:
        for number, one in enumerate(series, start=1):
            which = one.paths[0].stem if len(one.paths) == 1 else str(number)
            cases.add(CaseSource(f"{name}_{which}", one.patient or patient or name, one.paths), label)


def _refuse_others(root: Root, cases: CaseList, place: Path, taken: set[Path]) -> None:
    """Name the DICOM files of a folder that no case holds."""
    for path in sorted(place.iterdir()):
        if path.is_file() and path not in taken and is_dicom(path):
            cases.refuse(root.label(path), "a DICOM file needs an image in it", "another object or a damaged header", "check the series")
