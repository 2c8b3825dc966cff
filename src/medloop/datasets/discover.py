"""Which layout a source is in, and opening it."""

from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, NotFoundError, SettingError, StorageError
from medloop.core.names import first_named
from medloop.datasets.dataset import Dataset, FormatName, MaskReading, Refusal
from medloop.datasets.description import read_description
from medloop.datasets.files import Root, image_files
from medloop.datasets.folder import MASK_FOLDERS, holds_images, open_folder
from medloop.datasets.msd import open_msd
from medloop.datasets.nnunet import looks_like_nnunet, open_nnunet
from medloop.datasets.patients import alike_notes
from medloop.datasets.rows import LIST_NAMES, open_rows
from medloop.datasets.series import DIRECTORY, holds_dicom, open_dicom
from medloop.datasets.shapes.coco import open_coco
from medloop.datasets.shapes.cvat import open_cvat
from medloop.datasets.shapes.documents import documents_in, kind_of
from medloop.datasets.shapes.labelstudio import open_labelstudio
from medloop.datasets.table import read_table

_WITH_MASKS: dict[str, Callable[..., Dataset]] = {
    "folder": open_folder,
    "csv": open_rows,
    "coco": open_coco,
    "labelstudio": open_labelstudio,
    "cvat": open_cvat,
}
_OTHERS: dict[str, Callable[..., Dataset]] = {"msd": open_msd, "nnunet": open_nnunet, "dicom": open_dicom}
FORMATS: tuple[FormatName, ...] = ("msd", "nnunet", "folder", "csv", "dicom", "coco", "labelstudio", "cvat")


def open_dataset(
    source: str | Path,
    *,
    fmt: str = "auto",
    patient_pattern: str | None = None,
    masks: MaskReading = "labels",
    objects_in: str | Path | None = None,
    threshold: float | None = None,
    known_as: Callable[[str], str] = str,
) -> Dataset:
    """Find out what a folder, a CSV or a document of shapes holds, without decoding an image.

    Args:
        source: A folder, a DICOMDIR (its folder is read) or a CSV; `medloop.datasets.archives.unpacked` opens zip archives.
        fmt: "auto" or one of `FORMATS`.
        patient_pattern: Regular expression whose first group is the patient in a case's name; None for the default
            rule `PATIENT_PATTERN`. Columns that name the patient win.
        masks: "labels" when mask values are label values; "foreground" when every value above 0 means label 1, as in
            instance maps and 0/255 masks.
        objects_in: A folder with DICOM annotations (SEG, RTSTRUCT) of a DICOM source's series, beside those within the source.
        known_as: What a project calls a UID (`Pseudonyms.uid`), for annotations that it exported; the UIDs themselves without.
        threshold: Share, above 0 to 1, from which on a voxel of a fractional segmentation counts; without, such ones are refused.

    Raises:
        NotFoundError: No such source.
        SettingError: An unknown format or a bad pattern.
        FormatError: The source as a whole is damaged, in no known layout, or in two at once.
    """
    source = Path(source)
    if not source.exists():
        raise NotFoundError(f"No such file or folder: {source}", remedy="check the path")
    if source.name == DIRECTORY and source.is_file():
        source = source.parent
    if fmt != "auto" and fmt not in FORMATS:
        raise SettingError(f"Unknown format {fmt!r}", remedy=f"use auto or one of {', '.join(FORMATS)}")
    if masks not in ("labels", "foreground"):
        raise SettingError(f"Masks are read as labels or foreground, got {masks!r}")
    layout = detect_format(source) if fmt == "auto" else fmt
    apart: dict[str, Any] = _apart(layout, objects_in, threshold)
    apart |= {"known_as": known_as} if layout == "dicom" else {}
    if layout in _WITH_MASKS:
        dataset = _WITH_MASKS[layout](source, patient_pattern=patient_pattern, masks=masks)
    else:
        dataset = _OTHERS[layout](source, patient_pattern=patient_pattern, **apart)
    damaged = _damaged_lists(Root.of(source)) if source.is_dir() and layout in ("folder", "dicom") else ()
    notes = (*dataset.notes, *alike_notes(case.patient for case in dataset.cases))
    return replace(dataset, refused=(*dataset.refused, *damaged), masks=masks, notes=notes, threshold=threshold)


def _apart(layout: str, objects_in: str | Path | None, threshold: float | None) -> dict[str, Any]:
    """Where the annotations of a DICOM source lie, as an argument.

    Raises:
        SettingError: Annotations apart of another layout, or a threshold that is none.
        NotFoundError: No such folder.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise SettingError(f"A threshold must lie above 0 and be at most 1, got {threshold:g}", remedy="for example 0.5")
    if objects_in is None:
        return {}
    folder = Path(objects_in)
    if layout != "dicom":
        raise SettingError(f"A folder of SEG and RTSTRUCT belongs to DICOM series, this source is {layout}", remedy="leave it out")
    if not folder.is_dir():
        raise NotFoundError(f"No such folder of annotations: {folder.name}", remedy="check the path")
    return {"objects_in": folder}


def detect_format(source: Path) -> FormatName:
    """The layout of a source that exists.

    Raises:
        FormatError: None fits, or two do.
    """
    if source.is_file():
        if source.suffix.lower() in (".csv", ".tsv"):
            return "csv"
        if source.suffix.lower() in (".json", ".xml") and (kind := kind_of(source)):
            return kind
        raise FormatError(
            f"{source.name}: a source is a folder, a zip archive, a DICOMDIR, a CSV, or a document of COCO, Label Studio or CVAT, "
            "got another file",
            remedy="name the folder that holds it",
        )
    root = Root.of(source)
    if root.has(root.folder / "dataset.json"):
        return "nnunet" if looks_like_nnunet(root, read_description(root.folder / "dataset.json")) else "msd"
    if root.folder_named("imagesTr"):
        raise FormatError(
            f"{source.name}: imagesTr needs a dataset.json beside it, got none",
            remedy="restore it, or name imagesTr to import images alone",
        )
    return _detect_plain(source, root)


def _detect_plain(source: Path, root: Root) -> FormatName:
    kind, masks, lists = _document_kind(source), root.folder_named(*MASK_FOLDERS), _class_lists(root)
    if kind is not None:
        others = [f"{masks}/ with masks"] if masks and image_files(root, masks)[0] else [f"{one} with labels" for one in lists]
        if others:
            layout = "folder" if masks and image_files(root, masks)[0] else "csv"
            rule = f"{source.name}: could be a document of {kind} or {others[0]}"
            raise FormatError(rule, remedy=f"say --format {kind} or --format {layout}")
        return kind
    if masks and lists and not _class_lists(root, {"mask"}) and image_files(root, masks)[0]:  # a list that names its masks says where
        raise FormatError(
            f"{source.name}: could be {masks}/ with masks or {lists[0]} with classes", remedy="say --format folder or --format csv"
        )
    if lists:
        return "csv"
    if holds_images(root):
        return "folder"
    if holds_dicom(root):
        return "dicom"
    raise FormatError(
        f"{source.name}: in no known layout (dataset.json, images/ with labels/ or masks/, labels.csv, "
        "a document of COCO, Label Studio or CVAT, DICOM series, or image files)",
        remedy="see the page on formats, or name the layout with --format",
    )


def _document_kind(source: Path) -> FormatName | None:
    """The format of the documents of shapes in a folder; None without any.

    Raises:
        FormatError: Of two formats.
    """
    found = documents_in(source)
    kinds = sorted(set(found.values()))
    if len(kinds) > 1:
        shown = first_named([path.name for path in found])
        raise FormatError(f"{source.name}: could be {' or '.join(kinds)} ({shown})", remedy="name the document itself")
    return kinds[0] if kinds else None


def _class_lists(root: Root, wanted: Set[str] = frozenset({"label", "mask"})) -> list[str]:
    """CSV files here that list images with a class or a mask, or with one of the columns that are wanted."""
    found = []
    for path in sorted(root.folder.glob("*.csv")):
        if path.name.startswith(".") or not root.holds(path):
            continue
        try:
            columns = read_table(path).columns
        except (FormatError, StorageError):
            if path.name.lower() in LIST_NAMES:
                raise
            continue  # any other table may be about something else; it is named when the source is opened
        if "image" in columns and wanted & set(columns):
            found.append(path.name)
    return found


def _damaged_lists(root: Root) -> tuple[Refusal, ...]:
    """CSV files here that cannot be read and might have been a list of labels."""
    found = []
    for path in sorted(root.folder.glob("*.csv")):
        if path.name.startswith(".") or not root.has(path):
            continue
        try:
            read_table(path)
        except (FormatError, StorageError) as error:
            found.append(Refusal(path.name, error.message.removeprefix(f"{path.name}: "), "", error.remedy))
    return tuple(found)
