"""Cases and answers written in layouts that other programs read, and that `open_dataset` reads back.

Masks keep the source's affine bit for bit. Every export is complete or absent: it is written beside its
place and renamed at the end. Answers never trained on stay apart from training ones in every layout.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.labels import safe_label_names
from medloop.core.records import Json, Source, Split
from medloop.datasets.channels import common_channels, named_channels
from medloop.datasets.drawing import is_picture, pixel_mm, write_labels, write_picture, write_picture_labels, write_volume
from medloop.datasets.files import SIDECAR
from medloop.datasets.regular import header_trouble, is_sheared, made_regular
from medloop.datasets.staging import FileNames, staged_folder, write_rows
from medloop.images.notes import grouped_notes

SPLITS = "splits_final.json"
_NNUNET_FOLDER = re.compile(r"Dataset\d{3}_\w+")


@dataclass(frozen=True)
class ExportCase:
    """One case to write.

    Attributes:
        name: Becomes the file name, made safe.
        patient: Pseudonymous.
        split: Decides the list or folder it goes to.
        image: Intensities.
        mask: Its answer, None when there is none.
        tag: Name of its class, None when there is none.
        source: Where it came from; decides the mask's header and whether pictures stay pictures.
        annotator: Who made the answer, "" when unknown.
        annotated_at: When, ISO 8601; "" when unknown.
        effort_seconds: How long it took; 0 when unknown.
    """

    name: str
    patient: str
    split: Split
    image: Image
    mask: Mask | None
    tag: str | None
    source: Source
    annotator: str = ""
    annotated_at: str = ""
    effort_seconds: float = 0.0


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: Where.
        cases: How many images.
        answers: How many of them with a mask or a class.
        notes: What whoever reads it must know.
    """

    folder: Path
    cases: int
    answers: int
    notes: tuple[str, ...] = ()


Exporter: TypeAlias = Callable[..., Exported]


@dataclass
class _Tally:
    regular: bool = False
    names: FileNames = field(default_factory=FileNames)
    cases: int = 0
    answers: int = 0
    channels: int = 1
    channel_names: list[tuple[str, ...]] = field(default_factory=list)
    remarks: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, case: ExportCase, *, plain: bool = False) -> tuple[ExportCase, str]:
        """The case as it is to be written, and its file name; counts it.

        Args:
            case: As it is kept.
            plain: Whether it must be readable by ITK: then sheared axes are refused and odd headers written anew.
        """
        if case.mask is not None:
            case.mask.grid.require_same(case.image.grid, f"{case.name}: the mask")
        self.cases += 1
        self.answers += case.mask is not None or case.tag is not None
        self.channels = max(self.channels, case.image.channels)
        self.channel_names.append(named_channels(case.source, case.image.channels))
        return self._readable(case, plain), self.names.of(case.name)

    def _readable(self, case: ExportCase, plain: bool) -> ExportCase:
        sheared, header = is_sheared(case.image.grid), header_trouble(case.source, case.image.grid)
        if not sheared and not header:
            return case
        if sheared and not self.regular:
            if plain:
                raise InputError(f"{case.name}: {_SHEARED}", remedy="export with --regular-grid, or as nifti")
            self.remarks.append((case.name, (f"{_SHEARED}; --regular-grid resamples them",)))
            return case
        if not (self.regular or plain):
            self.remarks.append((case.name, (f"{header}, which ITK and nnU-Net do not read so; --regular-grid writes another",)))
            return case
        done = made_regular(case.name, case.image, case.mask, case.source)
        what = "its voxel axes were not at right angles; image and mask are resampled to a regular grid" if sheared else ""
        self.remarks.append((case.name, (what or f"{header}; it is written anew as NIfTI-1, voxels unchanged",)))
        return replace(case, image=done.image, mask=done.mask, source=done.source)

    def row(self, case: ExportCase, file: str, *more: str) -> None:
        """Keep who, when and which split for the table beside the images."""
        effort = f"{case.effort_seconds:.3f}".rstrip("0").rstrip(".") if case.effort_seconds else ""
        self.rows.append([file, *more, case.patient, _given_split(case), pixel_mm(case.image), case.annotator, case.annotated_at, effort])

    def result(self, folder: Path) -> Exported:
        """The summary.

        Raises:
            InputError: Nothing was written.
        """
        if self.cases == 0:
            raise InputError("An export needs at least one case, got none", remedy="import cases first")
        return Exported(folder, self.cases, self.answers, (*(str(note) for note in grouped_notes(self.remarks)), *self.notes))


_SHEARED = "its voxel axes are not at right angles (a tilted gantry or a shear), which ITK and nnU-Net refuse"
_KNOWN = ("patient_id", "split", "pixel_size_mm", "annotator", "annotated_at", "effort_seconds")


def export_msd(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False) -> Exported:
    """A Decathlon folder: dataset.json, imagesTr, labelsTr, imagesTs, labelsTs.

    Training and validation answers go to `training` and `validation`, test and audit answers to lists of their
    own; images without an answer to `test`. Several channels are one 4D file.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.
        regular_grid: Resample cases whose voxel axes are not at right angles, and write headers that ITK reads.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a mask off its image's grid.
    """
    tally = _Tally(regular_grid)
    lists: dict[str, list[Json]] = {"training": [], "validation": [], "test": [], "audit": []}
    with staged_folder(folder) as out:
        for given in cases:
            case, name = tally.take(given)
            part, file = _part(case), f"{name}.nii.gz"
            write_volume(out / f"images{part}" / file, case.image, case.source)
            entry = {"image": f"./images{part}/{file}", "patient": case.patient}
            if case.mask is not None:
                write_labels(out / f"labels{part}" / file, case.mask, case.source)
                entry["label"] = f"./labels{part}/{file}"
            lists[_list_of(case)].append(entry)
            tally.row(case, f"images{part}/{file}")
        names = _channels_and_labels(tally, labels)
        if len({len(found) for found in tally.channel_names if found}) > 1:
            tally.notes.append(f"the cases have different numbers of channels; dataset.json names {tally.channels}")
        done = tally.result(folder)
        _write_json(out / "dataset.json", _decathlon(folder.name, names, lists))
        write_rows(out / SIDECAR, ("filename", *_KNOWN), tally.rows)
    return done


def export_nnunet(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False) -> Exported:
    """An nnU-Net raw folder, version 2: `imagesTr/CASE_0000.nii.gz`, `labelsTr/CASE.nii.gz`, dataset.json.

    Training and validation answers go to Tr, as nnU-Net draws its own folds; test and audit answers and images without
    an answer go to Ts.

    Args:
        cases: Read one at a time; all need the same number of channels.
        folder: New or empty; nnU-Net wants it called DatasetNNN_NAME.
        labels: Names of the mask values 1, 2, … in order.
        regular_grid: Resample cases whose voxel axes are not at right angles, and write headers that ITK reads.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, a mask off its image's grid, or differing channels.
    """
    tally = _Tally(regular_grid)
    folds: dict[str, list[str]] = {"train": [], "val": []}
    with staged_folder(folder) as out:
        for given in cases:
            case, name = tally.take(given, plain=True)
            part = _part(case)
            if case.image.channels != tally.channels:
                raise InputError(f"{case.name}: nnU-Net needs {tally.channels} channels in every case, got {case.image.channels}")
            for channel in range(case.image.channels):
                alone = Image(case.image.array[channel : channel + 1], case.image.grid)
                write_volume(out / f"images{part}" / f"{name}_{channel:04d}.nii.gz", alone, case.source)
            if case.mask is not None:
                write_labels(out / f"labels{part}" / f"{name}.nii.gz", case.mask, case.source)
            if part == "Tr":
                folds["val" if case.split == "validation" else "train"].append(name)
            tally.row(case, f"images{part}/{name}_0000.nii.gz")
        _finish_nnunet(out, folder, tally, labels, folds)
        return tally.result(folder)


def _finish_nnunet(out: Path, folder: Path, tally: _Tally, labels: Sequence[str], folds: Mapping[str, Sequence[str]]) -> None:
    """Everything beside the images; see nnU-Net's documentation/dataset_format.md and verify_dataset_integrity.py, version 2."""
    names = _channels_and_labels(tally, labels)
    training = len(folds["train"]) + len(folds["val"])
    if tally.cases and training == 0:
        raise InputError("nnU-Net needs a mask for training, got those of test and audit cases only", remedy="annotate a training case")
    description = {
        "channel_names": {str(n): name for n, name in enumerate(names.channels)},
        "labels": {"background": 0, **{name: value for value, name in enumerate(names.labels, start=1)}},
        "numTraining": training,
        "file_ending": ".nii.gz",
    }
    _write_json(out / "dataset.json", description)
    write_rows(out / SIDECAR, ("filename", *_KNOWN), tally.rows)
    if folds["train"] and folds["val"]:
        _write_json(out / SPLITS, [{part: list(found) for part, found in folds.items()}])
        tally.notes.append(f"{SPLITS} holds the validation split as one fold; nnU-Net reads it from its folder of preprocessed data")
    if not _NNUNET_FOLDER.fullmatch(folder.name):
        tally.notes.append(f"nnU-Net wants the folder called DatasetNNN_NAME, not {folder.name}")


def export_nifti(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False) -> Exported:
    """`images/` and `labels/` of equal names, labels.json, and index.csv with patients and splits.

    Volumes are NIfTI; what came as a picture stays a PNG where its values allow.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.
        regular_grid: Resample cases whose voxel axes are not at right angles, and write headers that ITK reads.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a mask off its image's grid.
    """
    tally = _Tally(regular_grid)
    with staged_folder(folder) as out:
        for given in cases:
            case, name = tally.take(given)
            file = _write_plain(out / "images", name, case)
            if case.mask is not None:
                _write_plain_labels(out / "labels", name, case, case.mask)
            tally.row(case, file)
        done = tally.result(folder)
        write_rows(out / "index.csv", ("filename", *_KNOWN), tally.rows)
        _write_json(out / "labels.json", {name: value for value, name in enumerate(labels, start=1)})
    return done


def export_csv(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False) -> Exported:
    """`labels.csv` (filename, label, patient_id, split) and `images/`: for classification.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the classes; every tag is one of them.
        regular_grid: As in `export_msd`.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a tag that is no label.
    """
    tally = _Tally(regular_grid)
    known = set(labels)
    with staged_folder(folder) as out:
        for given in cases:
            case, name = tally.take(given)
            if case.tag is not None and case.tag not in known:
                raise InputError(f"{case.name}: a class must be one of {', '.join(sorted(known))}, got {case.tag!r}")
            tally.row(case, _write_plain(out / "images", name, case), case.tag or "")
        done = tally.result(folder)
        write_rows(out / "labels.csv", ("filename", "label", *_KNOWN), tally.rows)
    return done


@dataclass(frozen=True)
class _Names:
    channels: tuple[str, ...]
    labels: tuple[str, ...]


def _channels_and_labels(tally: _Tally, labels: Sequence[str]) -> _Names:
    """What dataset.json calls channels and labels; names that other tools take for something else are changed, and said."""
    channels, notes = common_channels(tally.channel_names, tally.channels)
    safe = safe_label_names(labels)
    changed = [f"{name!r} is {other!r}" for name, other in zip(labels, safe, strict=True) if name != other]
    tally.notes += notes
    if changed:
        tally.notes.append(f"labels whose names mean something else in dataset.json are renamed there: {', '.join(changed)}")
    return _Names(channels, safe)


def _decathlon(name: str, names: _Names, lists: Mapping[str, Sequence[Json]]) -> Json:
    return {
        "name": name,
        "tensorImageSize": "3D",
        "modality": {str(n): channel for n, channel in enumerate(names.channels)},
        "labels": {"0": "background", **{str(value): label for value, label in enumerate(names.labels, start=1)}},
        "numTraining": len(lists["training"]),
        "numTest": len(lists["test"]),
        **{key: entries for key, entries in lists.items() if entries or key in ("training", "test")},
    }


def _write_plain(folder: Path, name: str, case: ExportCase) -> str:
    """Write an image in its natural format; returns the file name."""
    if is_picture(case.image, case.source):
        write_picture(folder / f"{name}.png", case.image)
        return f"{name}.png"
    write_volume(folder / f"{name}.nii.gz", case.image, case.source)
    return f"{name}.nii.gz"


def _write_plain_labels(folder: Path, name: str, case: ExportCase, mask: Mask) -> None:
    if is_picture(case.image, case.source):
        write_picture_labels(folder / f"{name}.png", mask)
    else:
        write_labels(folder / f"{name}.nii.gz", mask, case.source)


def _part(case: ExportCase) -> str:
    """Tr for answers to learn from, Ts for the rest."""
    return "Tr" if case.mask is not None and case.split in ("train", "validation") else "Ts"


def _list_of(case: ExportCase) -> str:
    if case.mask is None:
        return "test"
    return "training" if case.split == "train" else case.split


def _given_split(case: ExportCase) -> str:
    """Only answered cases pin their split; the others are drawn anew wherever they go."""
    return case.split if case.mask is not None or case.tag is not None else ""


def _write_json(path: Path, content: Json | Sequence[Json]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
