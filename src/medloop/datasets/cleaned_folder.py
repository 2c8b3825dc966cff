"""A folder of DICOM files as clean ones: PATIENT/STUDY-AND-SERIES/NUMBER.dcm, whose names are words of the project's key.

The original files are only read. What cannot be cleaned is left out and named; nothing of it is copied.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from medloop.core.errors import FormatError, MedloopError
from medloop.datasets.archives import unpacked
from medloop.datasets.dataset import NOTHING_BLANK, Blank, Refusal
from medloop.datasets.files import LINK_REMEDY, LINK_RULE, Root
from medloop.datasets.staging import staged_folder
from medloop.images.deidentification.pseudonyms import Pseudonyms
from medloop.images.dicom_directory import NAME as DIRECTORY
from medloop.images.sandbox import cleaned_isolated

_DRAFT = ".draft"


@dataclass(frozen=True)
class HowCleaned:
    """How files are cleaned.

    Attributes:
        shift_dates: Whether dates move back by a number of days that is the same for all of a patient; else they go.
        keep_uids: Whether UIDs stay as they are.
        blank: Pixels that are blanked in every file.
    """

    shift_dates: bool = False
    keep_uids: bool = False
    blank: Blank = NOTHING_BLANK


@dataclass(frozen=True)
class CleanedFolder:
    """What was written.

    Attributes:
        folder: Where.
        files: How many.
        patients: Words for the patients.
        removed: Attribute → how often it was removed or replaced; no values.
        warnings: Warning → how many files it is about.
        refused: One line for each file that was left out, under its name in the source.
    """

    folder: Path
    files: int
    patients: int
    removed: dict[str, int]
    warnings: dict[str, int]
    refused: tuple[Refusal, ...]


@dataclass
class _Tally:
    removed: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)
    instances: dict[str, str] = field(default_factory=dict)
    patients: set[str] = field(default_factory=set)


def clean_folder(
    source: Path, out: Path, pseudonyms: Pseudonyms, how: HowCleaned, *, report: Callable[[int, int, str], None] | None = None
) -> CleanedFolder:
    """Write clean DICOM files of a folder or zip archive; complete or absent.

    Args:
        source: A folder, or a zip archive.
        out: A new or empty folder.
        pseudonyms: Of a project, or of this run alone.
        how: See `HowCleaned`.
        report: Called with (done, total, "") before each file.

    Raises:
        FormatError: No file of it can be cleaned.
        ConflictError: `out` is not empty.
        StorageError: The disk refuses.
    """
    tally = _Tally()
    with unpacked(source) as folder, staged_folder(out) as staging:
        root = Root.of(folder)
        files, tally.refused = root.walk()
        for done, path in enumerate(files):
            if report is not None:
                report(done, len(files), "")
            _take(root, path, staging, (pseudonyms, how), tally)
        if not tally.instances:
            why = str(tally.refused[0]) if tally.refused else f"{source.name}: needs DICOM images, got none"
            raise FormatError(why, remedy="choose another folder")
    removed, warned = dict(tally.removed.most_common()), dict(tally.warnings.most_common())
    return CleanedFolder(out, len(tally.instances), len(tally.patients), removed, warned, tuple(tally.refused))


def _take(root: Root, path: Path, staging: Path, words: tuple[Pseudonyms, HowCleaned], tally: _Tally) -> None:
    pseudonyms, how = words
    label = root.label(path)
    if not root.holds(path):
        tally.refused.append(Refusal(label, LINK_RULE, "", LINK_REMEDY))
        return
    if path.name == DIRECTORY:
        return  # it lists names and paths; its files are found without it
    draft = staging / _DRAFT
    options = {
        "out": str(draft),
        "key": pseudonyms.key.hex(),
        "shift_dates": how.shift_dates,
        "keep_uids": how.keep_uids,
        "boxes": [list(box) for box in how.blank.boxes],
        "outside": how.blank.outside,
    }
    try:
        made = cleaned_isolated(path, options)
        if (twin := tally.instances.get(made["instance"])) is not None and made["instance"]:
            raise FormatError(f"a SOP Instance UID is one file's, {twin} has it, too", remedy="leave one of the two out")
    except MedloopError as error:
        draft.unlink(missing_ok=True)
        tally.refused.append(Refusal(label, error.message.removeprefix(f"{path.name}: "), "", error.remedy))
        return
    _place(draft, staging, made["patient"], made["series"], tally)
    tally.instances[made["instance"] or label] = label
    tally.patients.add(made["patient"])
    tally.removed.update(made["removed"])
    tally.warnings.update([made["note"]] if made["note"] else [])


def _place(draft: Path, staging: Path, patient: str, series: str, tally: _Tally) -> None:
    folder = f"{patient}/series-{series[-12:]}"
    tally.numbers[folder] += 1
    (staging / folder).mkdir(parents=True, exist_ok=True)
    draft.replace(staging / folder / f"{tally.numbers[folder]:05}.dcm")
