"""`images/` beside `labels/` (or `masks/`, `annotations/`), matched by name, or images alone.

An image without a mask is an unlabelled case: that is the pool a project starts from. A mask without an image is
refused. An `index.csv` may add patients (`patient`, `group_id`, …), splits and pixel sizes; a `labels.json`
says which label each value is.
"""

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from medloop.core.errors import FormatError
from medloop.core.names import composed
from medloop.core.records import TaskKind
from medloop.datasets.dataset import CaseSource, Dataset, MaskReading, Refusal
from medloop.datasets.description import LABELS_FILE, LabelList, read_description, read_labels
from medloop.datasets.files import Root, image_files, split_suffix
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule
from medloop.datasets.unread import unread_files

MASK_FOLDERS = ("labels", "masks", "annotations", "segmentations")
_WORDS = ("mask", "seg", "segmentation", "label", "labels", "annotation", "gt")
MASK_ENDINGS = tuple(mark + word for word in (*_WORDS, *(w.capitalize() for w in _WORDS)) for mark in "_-")


def open_folder(folder: Path, *, patient_pattern: str | None = None, masks: MaskReading = "labels") -> Dataset:
    """A folder of images with or without masks.

    Args:
        folder: Holds `images/` (and one folder of masks), or image files.
        patient_pattern: See `PATIENT_PATTERN`.
        masks: "foreground" for instance maps: every value above 0 is label 1.

    Raises:
        FormatError: No images in it, or a damaged index.csv or labels.json.
    """
    root = Root.of(folder)
    images = root.folder_named("images") or "."
    mask_folder = root.folder_named(*MASK_FOLDERS)
    cases = CaseList(patient_rule(patient_pattern))
    files, refused = _images(root, images)
    if not files:
        raise FormatError(f"{folder.name}: needs image files in images/ or in the folder itself, got none", remedy="choose another folder")
    cases.refused += refused
    answers = _masks(root, cases, mask_folder)
    taken: dict[str, Path] = {}
    for path, name in _names(root, files, images).items():
        mask = _take(answers, path, root, images)
        taken |= {_key(path, root.folder / images): mask} if mask else {}
        cases.add(CaseSource(name, "", (path,), mask=mask), root.label(path))
    _refuse_open(root, cases, answers, taken)
    notes = add_index(root, cases, "index.csv", images)
    kind: TaskKind | None = "segmentation" if mask_folder else None
    named = _labels(root) if mask_folder and masks == "labels" else LabelList({})
    return Dataset(
        "folder",
        kind,
        named.names,
        cases=cases.sorted(),
        refused=(*cases.refused, *named.refused),
        label_values=named.values,
        masks=masks,
        ignore=named.ignore,
        notes=notes,
        lone_masks={root.label(path): path for path in answers.values()},
    )


def _labels(root: Root) -> LabelList:
    """What `labels.json` calls the values of the masks, as our exports write it: without it they are the project's own.

    Raises:
        FormatError: It names no values.
    """
    path = root.folder / LABELS_FILE
    return read_labels({"labels": read_description(path)}, LABELS_FILE) if path.is_file() and root.holds(path) else LabelList({})


def holds_images(root: Root) -> bool:
    """Whether there are images in images/ or, without it, in the folder itself."""
    return bool(_images(root, root.folder_named("images") or ".")[0])


def _images(root: Root, images: str) -> tuple[list[Path], list[Refusal]]:
    """Images below images/; in the folder itself only its own, where tables and texts are no fault."""
    files, refused = image_files(root, images)
    if images != ".":
        return files, refused + _beside(root, {images.lower(), *MASK_FOLDERS})
    own = [p for p in files if p.parent == root.folder]
    named = [r for r in refused if "/" not in r.file and split_suffix(r.file)[1]]
    return own, named + _beside(root, set(MASK_FOLDERS), own)


def _beside(root: Root, folders: Container[str], own: Sequence[Path] = ()) -> list[Refusal]:
    """Lines for the image files that lie in none of the folders that are read."""
    files = [path for path in root.files() if path.relative_to(root.folder).parts[0].lower() not in folders]
    rule = "images lie in images/" if not own else "images of one layout lie in images/ or in the folder itself"
    return unread_files(root, sorted(set(files) - set(own)), rule, "move them, or import that folder too")


def _key(path: Path, start: Path) -> str:
    """Where a file lies below its folder, without suffix: what image and mask have in common."""
    relative = path.relative_to(start)
    return composed(relative.with_name(split_suffix(relative.name)[0]).as_posix())


def _masks(root: Root, cases: CaseList, mask_folder: str | None) -> dict[str, Path]:
    if mask_folder is None:
        return {}
    files, refused = image_files(root, mask_folder)
    cases.refused += refused
    for other in root.folders_named(*MASK_FOLDERS)[1:]:
        cases.refuse(f"{other}/", f"a source has one folder of masks, {mask_folder}/ is read", "", "import the other from a copy")
    keys: dict[str, Path] = {}
    for path in files:
        key = _key(path, root.folder / mask_folder)
        if key in keys:
            cases.refuse(root.label(path), "an image has one mask", f"also {root.label(keys[key])}", "keep one of them")
        else:
            keys[key] = path
    return keys


def _take(answers: dict[str, Path], image: Path, root: Root, images: str) -> Path | None:
    """The image's mask: of the same name, or with an ending such as `_mask`; taken out of the open ones."""
    key = _key(image, root.folder / images)
    if key in answers:
        return answers.pop(key)
    ended = next((key + ending for ending in MASK_ENDINGS if key + ending in answers), None)
    return answers.pop(ended) if ended else None


def _refuse_open(root: Root, cases: CaseList, answers: dict[str, Path], taken: dict[str, Path]) -> None:
    """Name each mask that no image took: its image has another one, or is not there."""
    for key, path in answers.items():
        plain = next((key.removesuffix(ending) for ending in MASK_ENDINGS if key.removesuffix(ending) in taken), "")
        if plain:
            cases.refuse(root.label(path), f"an image has one mask, {root.label(taken[plain])} is read", "", "keep one of them")
        else:
            cases.refuse(root.label(path), "a mask needs an image of the same name", "none", "restore the image or drop the mask")


def _names(root: Root, files: list[Path], images: str) -> dict[Path, str]:
    """A name for every image: its own, or with its folders where two are alike."""
    stems = Counter(_stem(p) for p in files)
    start = root.folder / images
    return {p: stem if stems[stem := _stem(p)] == 1 else _key(p, start).replace("/", "_") for p in files}


def _stem(path: Path) -> str:
    return composed(split_suffix(path.name)[0])
