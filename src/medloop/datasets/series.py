"""DICOM: every series below a folder is a case.

A series is the files of one SeriesInstanceUID, whatever their folders. Alone in its folder it is named by that folder (by the
folder above where it lies in several); several in one folder get a number (or their only file's name, or what tells the
acquisitions of one series apart) behind it and count as one patient.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from os.path import commonpath
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import FormatError, MedloopError
from medloop.core.names import folded
from medloop.datasets.annotation_objects import match_objects, objects_below
from medloop.datasets.dataset import Acquired, CaseSource, Dataset, HeaderWords
from medloop.datasets.files import LINK_REMEDY, LINK_RULE, Root
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.unread import unread_files

if TYPE_CHECKING:
    from medloop.images.dicom_series import SeriesFiles

DIRECTORY = "DICOMDIR"
_LOOKED_AT = 50
"""Files opened to find out whether a folder holds DICOM."""


def open_dicom(
    folder: Path, *, patient_pattern: str | None = None, objects_in: Path | None = None, known_as: Callable[[str], str] = str
) -> Dataset:
    """Every DICOM series below a folder, with the SEG and RTSTRUCT that point at them.

    Args:
        folder: Of series; they may lie in any depth.
        patient_pattern: Applied to the case's name; it wins over the header. Where the header names nobody, the first folder
            level is the patient where series lie at least two levels deep (patient/study/…), else the study is.
        objects_in: Another folder with annotation objects; None reads those beside the series alone.
        known_as: What a project calls a UID, which objects that it exported have.

    Raises:
        FormatError: No series in it.
    """
    root = Root.of(folder)
    cases = CaseList(patient_rule(patient_pattern))
    files, refused = root.walk()
    cases.refused += refused
    named = len(cases.refused)
    directories = [path for path in files if path.name == DIRECTORY and root.holds(path)]
    _require_listed(root, cases, directories, files)
    files = [path for path in files if path not in directories]
    ours = [path for path in files if _is_ours(root, cases, path)]
    met = {*(root.label(path) for path in ours), *(refusal.file for refusal in cases.refused[named:])}
    cases.refused += unread_files(
        root,
        [p for p in files if root.label(p) not in met],
        "a DICOM source is read for its series",
        "import them from a folder of their own",
    )
    _add_series(root, cases, ours, (objects_in, known_as))
    notes = add_index(root, cases, "index.csv")
    found = cases.sorted()
    if not found and not cases.refused:
        raise FormatError(f"{folder.name}: needs DICOM series, got none", remedy="choose another folder")
    return Dataset("dicom", None, cases=found, refused=tuple(cases.refused), notes=notes)


def _require_listed(root: Root, cases: CaseList, directories: list[Path], files: list[Path]) -> None:
    """Name every file that a DICOMDIR lists and that is not there; what is there is read, listed or not."""
    if not directories:
        return
    from medloop.images.sandbox import listed_isolated

    there = {folded(root.label(path)) for path in files}
    for directory in directories:
        place = root.label(directory.parent)
        try:
            listed = listed_isolated(directory)
        except MedloopError as error:
            cases.refuse(root.label(directory), error.message.removeprefix(f"{DIRECTORY}: "), "", error.remedy)
            continue
        for name in listed:
            if folded(name if place == "." else f"{place}/{name}") not in there:
                shown = "".join(c if c.isprintable() else " " for c in name)[:200]
                cases.refuse(root.label(directory), "a file that it lists must be there", shown, "copy the whole medium")


def _is_ours(root: Root, cases: CaseList, path: Path) -> bool:
    """Whether a file is DICOM within the root; one that cannot be opened, or is a link out of the root, is named."""
    if not root.holds(path):
        cases.refuse(root.label(path), LINK_RULE, "", LINK_REMEDY)
        return False
    from medloop.images.dicom_reasons import is_bare

    try:
        return is_dicom(path) or is_bare(path)
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


def _add_series(root: Root, cases: CaseList, files: list[Path], annotations: tuple[Path | None, Callable[[str], str]]) -> None:
    from medloop.images.dicom import list_series

    objects_in, known_as = annotations
    listing = list_series(files)
    for refusal in listing.refused:
        cases.refuse(root.label(refusal.path), refusal.rule, "", refusal.remedy)
    objects, naming = ([], root.label) if objects_in is None else objects_below(objects_in, cases)
    beside = match_objects(listing.objects, listing.series, cases, root.label, known_as)
    apart = match_objects(objects, listing.series, cases, naming, known_as)
    places = Counter(_place(one.paths) for one in listing.series)
    numbers: Counter[Path] = Counter()
    spoiled = {one.path.parent for one in listing.refused} | {one.path.parent for one in listing.objects}
    for n, one in enumerate(listing.series):
        place = _place(one.paths)
        parts = place.relative_to(root.folder).parts
        name, alone = "_".join(parts) or root.folder.name, places[place] == 1
        patient, notes = _patient(one, parts[0] if len(parts) >= 2 else "", "" if alone else name)
        if not alone:
            numbers[place] += 1
            name = f"{name}_{_which(one.part, one.paths, numbers[place])}"
        whole = alone and place not in spoiled and not any(path.is_dir() for path in place.iterdir())
        images = (place,) if whole and all(path.parent == place for path in one.paths) else one.paths
        given = (*beside.of_series.get(n, ()), *apart.of_series.get(n, ()))
        notes = (*one.notes, *notes, *beside.notes.get(n, ()), *apart.notes.get(n, ()))
        header = _header_words(one, patient, f"{'_'.join(parts) or root.folder.name}_{numbers[place]}")
        made = CaseSource(name, patient, images, notes=notes, objects=given, header=header, acquired=_acquired(one))
        cases.add(made, root.label(place))


def _header_words(one: "SeriesFiles", patient: str, plain: str) -> HeaderWords:
    """What must not reach a project of a series' headers, which its name, patient and notes may hold."""
    from medloop.images.deidentification.values import says_nothing
    from medloop.images.dicom_series import DISTINGUISHED_BY

    told = [part.partition(" ") for part in one.part.split(", ")]
    odd = [value for name, _, value in told if name in DISTINGUISHED_BY and not all(says_nothing(name, v) for v in value.split("\\"))]
    word = patient if patient in (one.patient, "") else ""
    return HeaderWords(word, one.identifiers, plain if odd else "", tuple(odd))


def _patient(series: "SeriesFiles", folder: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Who a series is of: the header's patient, else the first folder, else the study, else the series' own folder."""
    from medloop.images.dicom_series import STUDY

    if series.patient and not series.patient.startswith(STUDY):
        return series.patient, ()
    what = "its first folder" if folder else "its study" if series.patient else "its folder"
    return folder or series.patient or name, (f"the header names no patient (PatientID is empty or a placeholder); {what} stands for one",)


def header_patient(path: Path) -> tuple[str, tuple[str, ...], HeaderWords]:
    """The patient whom DICOM headers name, for a file or a series' folder that a list names; "" for what is no DICOM.

    Args:
        path: One file, or the folder of one series.
    """
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]
    files = [file for file in files if is_dicom(file)]
    if not files:
        return "", (), HeaderWords()
    from medloop.images.dicom import list_series

    series = list_series(files).series
    if not series:
        return "", (), HeaderWords()
    patient, notes = _patient(series[0], "", "")
    return patient, notes, _header_words(series[0], patient, "")


def acquired_of(path: Path) -> Acquired | None:
    """What DICOM headers say of how a file, or the series of a folder, came about; None for what is no DICOM."""
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]
    files = [file for file in files if is_dicom(file)]
    if not files:
        return None
    from medloop.images.dicom import list_series

    series = list_series(files).series
    return _acquired(series[0]) if series else None


def _acquired(one: "SeriesFiles") -> Acquired:
    return Acquired(one.study, one.frame_of_reference, one.description, one.modality)


def _place(paths: Sequence[Path]) -> Path:
    """The folder that a series is named by: the one that holds all its files."""
    folders = {path.parent for path in paths}
    return folders.pop() if len(folders) == 1 else Path(commonpath(folders))


def _which(part: str, paths: Sequence[Path], number: int) -> str:
    """What tells a case from the others of its folder: its part of a series, its only file's name, or a number."""
    if part:
        return f"{number}_" + re.sub(r"[^\w.-]+", "-", part)[:60]
    return paths[0].stem if len(paths) == 1 else str(number)
