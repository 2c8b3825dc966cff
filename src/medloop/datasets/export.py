"""Cases and answers written in layouts that other programs read, and that `open_dataset` reads back.

Masks keep the source's affine bit for bit. Every export is complete or absent: it is written beside its
place and renamed at the end. Answers never trained on stay apart from training ones in every layout.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.records import Json, Source, Split
from medloop.datasets.drawing import is_picture, pixel_mm, write_labels, write_picture, write_picture_labels, write_volume
from medloop.datasets.staging import FileNames, staged_folder, write_rows


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
    """

    name: str
    patient: str
    split: Split
    image: Image
    mask: Mask | None
    tag: str | None
    source: Source


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: Where.
        cases: How many images.
        answers: How many of them with a mask or a class.
    """

    folder: Path
    cases: int
    answers: int


Exporter: TypeAlias = Callable[[Iterable[ExportCase], Path, Sequence[str]], Exported]


@dataclass
class _Tally:
    names: FileNames = field(default_factory=FileNames)
    cases: int = 0
    answers: int = 0
    channels: int = 1

    def name(self, case: ExportCase) -> str:
        """The case's file name; counts it."""
        if case.mask is not None:
            case.mask.grid.require_same(case.image.grid, f"{case.name}: the mask")
        self.cases += 1
        self.answers += case.mask is not None or case.tag is not None
        self.channels = max(self.channels, case.image.channels)
        return self.names.of(case.name)

    def result(self, folder: Path) -> Exported:
        """The summary.

        Raises:
            InputError: Nothing was written.
        """
        if self.cases == 0:
            raise InputError("An export needs at least one case, got none", remedy="import cases first")
        return Exported(folder, self.cases, self.answers)


def export_msd(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str]) -> Exported:
    """A Decathlon folder: dataset.json, imagesTr, labelsTr, imagesTs, labelsTs.

    Training and validation answers go to `training` and `validation`, test and audit answers to lists of their
    own; images without an answer to `test`. Several channels are one 4D file.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a mask off its image's grid.
    """
    tally = _Tally()
    lists: dict[str, list[Json]] = {"training": [], "validation": [], "test": [], "audit": []}
    with staged_folder(folder) as out:
        for case in cases:
            part = _part(case)
            file = f"{tally.name(case)}.nii.gz"
            write_volume(out / f"images{part}" / file, case.image, case.source)
            entry = {"image": f"./images{part}/{file}", "patient": case.patient}
            if case.mask is not None:
                write_labels(out / f"labels{part}" / file, case.mask, case.source)
                entry["label"] = f"./labels{part}/{file}"
            lists[_list_of(case)].append(entry)
        done = tally.result(folder)
        _write_json(out / "dataset.json", _decathlon(folder.name, labels, tally.channels, lists))
    return done


def export_nnunet(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str]) -> Exported:
    """An nnU-Net raw folder, version 2: `imagesTr/CASE_0000.nii.gz`, `labelsTr/CASE.nii.gz`, dataset.json.

    Training and validation answers go to Tr, as nnU-Net draws its own folds; test and audit answers and images without
    an answer go to Ts.

    Args:
        cases: Read one at a time; all need the same number of channels.
        folder: New or empty; nnU-Net wants it called DatasetNNN_NAME.
        labels: Names of the mask values 1, 2, … in order.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, a mask off its image's grid, or differing channels.
    """
    tally = _Tally()
    training = 0
    with staged_folder(folder) as out:
        for case in cases:
            part, name = _part(case), tally.name(case)
            if case.image.channels != tally.channels:
                raise InputError(f"{case.name}: nnU-Net needs {tally.channels} channels in every case, got {case.image.channels}")
            for channel in range(case.image.channels):
                alone = Image(case.image.array[channel : channel + 1], case.image.grid)
                write_volume(out / f"images{part}" / f"{name}_{channel:04d}.nii.gz", alone, case.source)
            if case.mask is not None:
                write_labels(out / f"labels{part}" / f"{name}.nii.gz", case.mask, case.source)
            training += part == "Tr"
        done = tally.result(folder)
        _write_json(
            out / "dataset.json",
            {
                "channel_names": {str(n): f"channel {n}" for n in range(tally.channels)},
                "labels": {"background": 0, **{name: value for value, name in enumerate(labels, start=1)}},
                "numTraining": training,
                "file_ending": ".nii.gz",
            },
        )
    return done


def export_nifti(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str]) -> Exported:
    """`images/` and `labels/` of equal names, labels.json, and index.csv with patients and splits.

    Volumes are NIfTI; what came as a picture stays a PNG where its values allow.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a mask off its image's grid.
    """
    tally = _Tally()
    rows: list[list[str]] = []
    with staged_folder(folder) as out:
        for case in cases:
            name = tally.name(case)
            file = _write_plain(out / "images", name, case)
            if case.mask is not None:
                _write_plain_labels(out / "labels", name, case, case.mask)
            rows.append([file, case.patient, _given_split(case), pixel_mm(case.image)])
        done = tally.result(folder)
        write_rows(out / "index.csv", ("filename", "patient_id", "split", "pixel_size_mm"), rows)
        _write_json(out / "labels.json", {name: value for value, name in enumerate(labels, start=1)})
    return done


def export_csv(cases: Iterable[ExportCase], folder: Path, labels: Sequence[str]) -> Exported:
    """`labels.csv` (filename, label, patient_id, split) and `images/`: for classification.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the classes; every tag is one of them.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a tag that is no label.
    """
    tally = _Tally()
    known = set(labels)
    rows: list[list[str]] = []
    with staged_folder(folder) as out:
        for case in cases:
            if case.tag is not None and case.tag not in known:
                raise InputError(f"{case.name}: a class must be one of {', '.join(sorted(known))}, got {case.tag!r}")
            file = _write_plain(out / "images", tally.name(case), case)
            rows.append([file, case.tag or "", case.patient, _given_split(case), pixel_mm(case.image)])
        done = tally.result(folder)
        write_rows(out / "labels.csv", ("filename", "label", "patient_id", "split", "pixel_size_mm"), rows)
    return done


def _decathlon(name: str, labels: Sequence[str], channels: int, lists: Mapping[str, Sequence[Json]]) -> Json:
    return {
        "name": name,
        "tensorImageSize": "3D",
        "modality": {str(n): f"channel {n}" for n in range(channels)},
        "labels": {"0": "background", **{str(value): label for value, label in enumerate(labels, start=1)}},
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


def _write_json(path: Path, content: Json) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
