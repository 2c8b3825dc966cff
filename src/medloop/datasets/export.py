"""Cases and answers written in layouts that other programs read, and that `open_dataset` reads back.

Masks keep the source's affine bit for bit. Every export is complete or absent: it is written beside its
place and renamed at the end. Answers never trained on stay apart from training ones in every layout.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.names import counted, first_named
from medloop.core.records import Json
from medloop.datasets.description import IGNORE
from medloop.datasets.drawing import draw, natural_suffix
from medloop.datasets.export_tally import TABLE_COLUMNS, DatasetNames, ExportCase, Exported, ExportTally, dataset_names
from medloop.datasets.files import SIDECAR
from medloop.datasets.staging import NOTHING, staged_folder, write_rows

__all__ = ["ExportCase", "Exported", "Exporter", "export_csv", "export_msd", "export_nifti", "export_nnunet"]

SPLITS = "splits_final.json"
MOST_LABELS = 255
_NNUNET_FOLDER = re.compile(r"Dataset\d{3}_\w+")


Exporter: TypeAlias = Callable[..., Exported]


def export_msd(
    cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False, beside: Mapping[str, str] = NOTHING
) -> Exported:
    """A Decathlon folder: dataset.json, imagesTr, labelsTr, imagesTs, labelsTs.

    Training and validation answers go to `training` and `validation`, test and audit answers to lists of their
    own; images without an answer to `test`. Several channels are one 4D file.

    Args:
        cases: Read one at a time.
        folder: New or empty.
        labels: Names of the mask values 1, 2, … in order.
        regular_grid: Resample cases whose voxel axes are not at right angles, and write headers that ITK reads.
        beside: Further files by name, with their text.

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        InputError: No cases, or a mask off its image's grid.
    """
    tally = ExportTally(regular_grid)
    lists: dict[str, list[Json]] = {"training": [], "validation": [], "test": [], "audit": []}
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given)
            part, file = _part(case), f"{name}.nii.gz"
            draw(out / f"images{part}" / file, case.image, case.source)
            entry = {"image": f"./images{part}/{file}", "patient": case.patient}
            if case.mask is not None:
                draw(out / f"labels{part}" / file, case.mask, case.source)
                entry["label"] = f"./labels{part}/{file}"
            lists["test" if case.mask is None else "training" if case.split == "train" else case.split].append(entry)
            tally.row(case, f"images{part}/{file}")
        names = dataset_names(tally, labels)
        if len({len(found) for found in tally.channel_names if found}) > 1:
            tally.notes.append(f"the cases have different numbers of channels; dataset.json names {tally.channels}")
        done = tally.result(folder)
        _write_json(out / "dataset.json", _decathlon(folder.name, names, lists))
        write_rows(out / SIDECAR, ("filename", *TABLE_COLUMNS), tally.rows)
    return done


def export_nnunet(
    cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False, beside: Mapping[str, str] = NOTHING
) -> Exported:
    """An nnU-Net raw folder, version 2: `imagesTr/CASE_0000.nii.gz`, `labelsTr/CASE.nii.gz`, dataset.json.

    Training and validation answers go to Tr, as nnU-Net draws its own folds; test and audit answers and images without
    an answer go to Ts.

    See `export_msd` for arguments and errors; all cases need the same number of channels, else an `InputError`, and nnU-Net wants the
    folder called DatasetNNN_NAME.
    """
    tally = ExportTally(regular_grid)
    folds: dict[str, list[str]] = {"train": [], "val": []}
    partly: list[str] = []
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given, plain=True)
            part = _part(case)
            if case.image.channels != tally.channels:
                raise InputError(f"{case.name}: nnU-Net needs {tally.channels} channels in every case, got {case.image.channels}")
            for channel in range(case.image.channels):
                alone = Image(case.image.array[channel : channel + 1], case.image.grid)
                draw(out / f"images{part}" / f"{name}_{channel:04d}.nii.gz", alone, case.source)
            if case.mask is not None:
                draw(out / f"labels{part}" / f"{name}.nii.gz", _with_ignored(case, case.mask, len(labels), partly), case.source)
            if part == "Tr":
                folds["val" if case.split == "validation" else "train"].append(name)
            tally.row(case, f"images{part}/{name}_0000.nii.gz")
        _finish_nnunet(out, folder, tally, labels, folds, ignored=bool(partly))
        if partly:
            rule = f"background is the ignore label in {counted(len(partly), 'case')} in which not every label is annotated"
            tally.notes.append(f"{rule}: {first_named(partly)}")
        return tally.result(folder)


def _with_ignored(case: ExportCase, mask: Mask, labels: int, partly: list[str]) -> Mask:
    """The mask with the ignore label for background that may be a label which is not annotated; such cases join `partly`."""
    if not case.annotated:
        return mask
    if labels >= MOST_LABELS:
        raise InputError(f"nnU-Net needs a value for its ignore label, all {labels} are taken", remedy="export as msd or nifti")
    partly.append(case.name)
    return Mask(np.where(mask.array == 0, labels + 1, mask.array).astype(np.uint8), mask.grid)


def _finish_nnunet(
    out: Path, folder: Path, tally: ExportTally, labels: Sequence[str], folds: Mapping[str, Sequence[str]], *, ignored: bool
) -> None:
    """Everything beside the images; see nnU-Net's documentation/dataset_format.md and verify_dataset_integrity.py, version 2."""
    names = dataset_names(tally, labels)
    training = len(folds["train"]) + len(folds["val"])
    if tally.cases and training == 0:
        raise InputError("nnU-Net needs a mask for training, got those of test and audit cases only", remedy="annotate a training case")
    description = {
        "channel_names": {str(n): name for n, name in enumerate(names.channels)},
        "labels": {
            "background": 0,
            **{name: value for value, name in enumerate(names.labels, start=1)},
            **({IGNORE: len(labels) + 1} if ignored else {}),
        },
        "numTraining": training,
        "file_ending": ".nii.gz",
    }
    _write_json(out / "dataset.json", description)
    write_rows(out / SIDECAR, ("filename", *TABLE_COLUMNS), tally.rows)
    if folds["train"] and folds["val"]:
        _write_json(out / SPLITS, [{part: list(found) for part, found in folds.items()}])
        tally.notes.append(f"{SPLITS} holds the validation split as one fold; nnU-Net reads it from its folder of preprocessed data")
    if not _NNUNET_FOLDER.fullmatch(folder.name):
        tally.notes.append(f"nnU-Net wants the folder called DatasetNNN_NAME, not {folder.name}")


def export_nifti(
    cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False, beside: Mapping[str, str] = NOTHING
) -> Exported:
    """`images/` and `labels/` of equal names, labels.json, and index.csv with patients and splits.

    Volumes are NIfTI; what came as a picture stays a PNG where its values allow. See `export_msd` for arguments and errors.
    """
    tally = ExportTally(regular_grid)
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given)
            file = name + natural_suffix(case.image, case.source)
            draw(out / "images" / file, case.image, case.source)
            if case.mask is not None:
                draw(out / "labels" / file, case.mask, case.source)
            tally.row(case, file)
        done = tally.result(folder)
        write_rows(out / "index.csv", ("filename", *TABLE_COLUMNS), tally.rows)
        _write_json(out / "labels.json", {name: value for value, name in enumerate(labels, start=1)})
    return done


def export_csv(
    cases: Iterable[ExportCase], folder: Path, labels: Sequence[str], *, regular_grid: bool = False, beside: Mapping[str, str] = NOTHING
) -> Exported:
    """`labels.csv` (filename, label, patient_id, split) and `images/`: for classification.

    See `export_msd` for arguments and errors; `labels` are the names of the classes, and a tag that is none of them is an `InputError`.
    """
    tally = ExportTally(regular_grid)
    known = set(labels)
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given)
            if case.tag is not None and case.tag not in known:
                raise InputError(f"{case.name}: a class must be one of {', '.join(sorted(known))}, got {case.tag!r}")
            file = name + natural_suffix(case.image, case.source)
            draw(out / "images" / file, case.image, case.source)
            tally.row(case, file, case.tag or "")
        done = tally.result(folder)
        write_rows(out / "labels.csv", ("filename", "label", *TABLE_COLUMNS), tally.rows)
    return done


def _decathlon(name: str, names: DatasetNames, lists: Mapping[str, Sequence[Json]]) -> Json:
    return {
        "name": name,
        "tensorImageSize": "3D",
        "modality": {str(n): channel for n, channel in enumerate(names.channels)},
        "labels": {"0": "background", **{str(value): label for value, label in enumerate(names.labels, start=1)}},
        "numTraining": len(lists["training"]),
        "numTest": len(lists["test"]),
        **{key: entries for key, entries in lists.items() if entries or key in ("training", "test")},
    }


def _part(case: ExportCase) -> str:
    """Tr for answers to learn from, Ts for the rest."""
    return "Tr" if case.mask is not None and case.split in ("train", "validation") else "Ts"


def _write_json(path: Path, content: Json | Sequence[Json]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
