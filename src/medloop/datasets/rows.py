"""A CSV that lists images with a class, or with a mask, and perhaps a patient and a split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from medloop.core.errors import FormatError, NotFoundError
from medloop.core.names import composed, first_named, natural_key
from medloop.core.records import TaskKind
from medloop.datasets.dataset import CaseSource, Dataset, HeaderWords, MaskReading, Refusal
from medloop.datasets.files import IMAGE_SUFFIXES, Root, split_suffix
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.series import header_patient, is_dicom
from medloop.datasets.table import (
    COLUMNS,
    SPLIT_NAMES,
    SUBGROUP,
    Table,
    annotated_names,
    authorship,
    authorship_notes,
    named_frames_in,
    patient_in,
    pixel_size,
    read_table,
)

LIST_NAMES = ("labels.csv", "index.csv", "data.csv", "dataset.csv", "train.csv")
_IMAGE_PLACES = ("", "images/")
_MASK_PLACES = ("masks/", "labels/", "annotations/", "segmentations/", "")
"""The list's own folder comes last: there lies an image of the same name."""

_PLACES = {"image": _IMAGE_PLACES, "mask": _MASK_PLACES}

MAX_CLASSES = 255
MAX_CLASS_NAME = 100


def open_rows(source: Path, *, patient_pattern: str | None = None, masks: MaskReading = "labels") -> Dataset:
    """Images listed in a CSV.

    Args:
        source: The CSV, or the folder that holds it (labels.csv, or the only CSV there).
        patient_pattern: See `PATIENT_PATTERN`; used where the patient column is empty or missing.
        masks: "foreground" for instance maps.

    Raises:
        FormatError: No CSV, no image column, neither label nor mask column, or too many classes.
        NotFoundError: No such file or folder.
    """
    path = list_file(source)
    root = Root.of(path.parent)
    table = read_table(path)
    if "image" not in table.columns:
        raise FormatError(f"{path.name}: needs a column for the image, one of {', '.join(COLUMNS['image'][:6])}", remedy="rename it")
    cases = CaseList(patient_rule(patient_pattern))
    for other in sorted(root.folder.glob("*.csv")) if source.is_dir() else ():
        if other != root.folder / path.name and not other.name.startswith("."):
            cases.refuse(other.name, f"a source is one list, {path.name} is read", "", "put both into one, or import this one by its path")
    names = _names(table)
    met: dict[Path, int] = {}
    for number, row in table.numbered:
        case = _case(root, table, row, number, names)
        if isinstance(case, Refusal):
            cases.refused.append(case)
        elif first := met.get(case.images[0]):
            _refuse_repeated(cases, table, first, number, row)
        else:
            met[case.images[0]] = number
            cases.add(case, f"{path.name} line {number}")
    if source.is_dir():  # a list named by its path may be one of several over the same images
        _refuse_unlisted(root, cases, table)
    classes = tuple(sorted({case.tag for case in cases.sorted() if case.tag is not None}, key=natural_key))
    if len(classes) > MAX_CLASSES:
        raise FormatError(
            f"{path.name}: at most {MAX_CLASSES} classes, got {len(classes)} in column {table.columns['label']!r}",
            remedy="name the column of the classes `label`",
        )
    notes = table.notes
    if {"mask", "label"} <= set(table.columns):
        notes += (
            f"{table.name}: column {table.columns['label']} is not read, as the masks in column {table.columns['mask']} are the labels",
        )
    values = {name: value for value, name in enumerate(classes)}
    return Dataset("csv", _kind(table), classes, (), cases.sorted(), tuple(cases.refused), values, masks, notes=notes)


def _refuse_repeated(cases: CaseList, table: Table, first: int, number: int, row: Mapping[str, str]) -> None:
    """Name a row whose image an earlier one lists.

    Raises:
        FormatError: The two say different things.
    """
    earlier = dict(table.numbered)[first]
    if any(row[meaning] != earlier[meaning] for meaning in row if meaning != "image"):
        raise FormatError(f"{table.name}: lines {first} and {number} say different things of {row['image']}", remedy="keep one of the two")
    cases.refuse(f"{table.name} line {number}", f"an image is listed once, line {first} says the same", "", "drop one of the two")


def _refuse_unlisted(root: Root, cases: CaseList, table: Table) -> None:
    """Name the images and masks beside a list, in the usual folders or in its own, that no row names."""
    listed = {_listed(root, row[column], "", places) for row in table.rows for column, places in _PLACES.items() if row.get(column)}
    folders = ["images", *(place.rstrip("/") for place in _MASK_PLACES if place and "mask" in table.columns)]
    beside = [path for folder in folders for path in root.files(folder)] + [p for p in root.files() if p.parent == root.folder]
    unlisted = [
        path for path in dict.fromkeys(beside) if path not in listed and (split_suffix(path.name)[1] or path.suffix.lower() == ".dcm")
    ]
    if unlisted:
        shown = first_named([root.label(path) for path in unlisted])
        rule = f"files beside it are read where a row names them, {len(unlisted)} have none"
        cases.refuse(table.name, rule, shown, "add rows for them, with an empty label where there is none")


def list_file(source: Path) -> Path:
    """The CSV that a path means.

    Raises:
        NotFoundError: Nothing there.
        FormatError: A folder with no CSV, or with several and none called labels.csv.
    """
    if source.is_file():
        return source
    if not source.exists():
        raise NotFoundError(f"No such file or folder: {source}", remedy="check the path")
    found = sorted(p for p in source.glob("*.csv") if not p.name.startswith("."))
    by_name = {p.name.lower(): p for p in found}
    named = next((by_name[n] for n in LIST_NAMES if n in by_name), None)
    if named is None and len(found) != 1:
        listed = ", ".join(p.name for p in found[:5]) or "none"
        raise FormatError(f"{source.name}: needs one CSV such as labels.csv, got {listed}", remedy="name the CSV itself")
    return named or found[0]


def _kind(table: Table) -> TaskKind | None:
    if "mask" in table.columns:
        return "segmentation"
    return "classification" if "label" in table.columns else None


def _names(table: Table) -> Mapping[str, str]:
    """Listed path → case name: the file's own, or with its folders where two are alike."""
    listed = {row["image"] for row in table.rows}
    stems = Counter(_stem(entry) for entry in listed)
    return {e: _plain(e) if stems[_stem(e)] > 1 else _stem(e) for e in listed}


def _stem(entry: str) -> str:
    return composed(split_suffix(Path(entry.replace("\\", "/")).name)[0])


_FRAMES = "named frames are names of the template, each once, with a number from 1"


def _plain(entry: str) -> str:
    """`a/x.png` → `a_x`; two files that differ in suffix only stay alike, and the second is refused."""
    return split_suffix(entry.removeprefix("./"))[0].replace("/", "_").replace("\\", "_")


def _case(root: Root, table: Table, row: Mapping[str, str], number: int, names: Mapping[str, str]) -> CaseSource | Refusal:
    where = f"{table.name} line {number}"
    if fault := _fault(where, row):
        return fault
    image = _listed(root, row["image"], where, _IMAGE_PLACES)
    mask = _listed(root, row["mask"], where, _MASK_PLACES) if row.get("mask") else None
    if isinstance(image, Refusal):
        return image
    if isinstance(mask, Refusal):
        return mask
    if mask == image:
        return Refusal(where, "an image and its mask are two files", row["image"][:80], "correct the row")
    tag = (row.get("label") or None) if "mask" not in table.columns else None
    split = SPLIT_NAMES.get(row.get("split", "").lower())
    size = pixel_size(row.get("pixel_mm", ""))
    patient, notes = patient_in(table, row)
    header = HeaderWords()
    if not split_suffix(image.name)[1]:
        word, said, header = header_patient(image)
        patient, notes = (patient, notes) if patient else (word, (*notes, *said))
    notes += authorship_notes(table, row)
    name, stratum, made = names[row["image"]], row.get("stratum", ""), authorship(row)
    own = (made.annotator, made.at, made.seconds, made.untouched, annotated_names(row) if mask is not None else None)
    return CaseSource(
        name,
        patient,
        (image,),
        mask,
        tag,
        split,
        stratum,
        size,
        *own,
        frames=named_frames_in(row),
        notes=notes,
        header=header,
        groups=_groups_in(row),
    )


def _groups_in(row: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Subgroups that a row names, by attribute."""
    return tuple((meaning.removeprefix(SUBGROUP), cell) for meaning, cell in row.items() if meaning.startswith(SUBGROUP) and cell)


def _fault(where: str, row: Mapping[str, str]) -> Refusal | None:
    """What is wrong with the cells of a row, its files aside."""
    if row.get("split") and row["split"].lower() not in SPLIT_NAMES:
        return Refusal(where, "a split is train, validation or test", row["split"][:80], "correct or empty the cell")
    tag = row.get("label", "")
    if len(tag) > MAX_CLASS_NAME or not tag.isprintable():
        return Refusal(where, f"a class name has at most {MAX_CLASS_NAME} printable characters", f"{len(tag)}")
    for attribute, value in _groups_in(row):
        if len(value) > MAX_CLASS_NAME or not value.isprintable():
            return Refusal(where, f"a {attribute} has at most {MAX_CLASS_NAME} printable characters", f"{len(value)}", "shorten the cell")
    try:
        pixel_size(row.get("pixel_mm", ""))
    except ValueError:
        return Refusal(where, "a pixel size is a length in mm", row["pixel_mm"][:80], "correct or empty the cell")
    try:
        named_frames_in(row)
    except ValueError as error:
        return Refusal(where, _FRAMES, str(error)[:80], "write them as end-diastole=1; end-systole=9")
    return None


def _listed(root: Root, entry: str, where: str, places: Sequence[str]) -> Path | Refusal:
    """The listed file, looked for beside the list and in the usual folders."""
    for place in places:
        path = root.entry(place + entry)
        if isinstance(path, Refusal):
            return Refusal(where, path.rule, path.value, path.remedy)
        if found := root.find(path):
            return found
        if places is _IMAGE_PLACES and _is_series(root, path):
            return path
        ended = [root.find(path.with_name(path.name + suffix)) for suffix in (*IMAGE_SUFFIXES, ".dcm")] if path.name else []
        if len(at := [one for one in ended if one]) == 1:  # lists often leave the suffix out
            return at[0]
    return Refusal(where, "a listed file must exist", entry[:80], "restore it or drop the line")


def _is_series(root: Root, path: Path) -> bool:
    """Whether a listed path is a folder within the source with DICOM files right in it."""
    try:
        return root.holds(path) and path.is_dir() and any(p.is_file() and is_dicom(p) for p in path.iterdir())
    except OSError:
        return False
