"""Cases and answers written in layouts that other programs read, and that `open_dataset` reads back.

Masks keep the source's affine bit for bit. Every export is complete or absent: it is written beside its
place and renamed at the end. Answers never trained on stay apart from training ones in every layout.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.names import counted, first_named
from medloop.core.records import Json
from medloop.datasets.description import IGNORE
from medloop.datasets.drawing import draw, natural_suffix
from medloop.datasets.export_tally import TABLE_COLUMNS, DatasetNames, ExportCase, Exported, ExportTally, dataset_names
from medloop.datasets.files import SIDECAR
from medloop.datasets.objects import object_map
from medloop.datasets.staging import NOTHING, FileNames, staged_folder, write_rows

__all__ = ["ExportCase", "Exported", "Exporter", "export_csv", "export_msd", "export_nifti", "export_nnunet"]

SPLITS = "splits_final.json"
OBJECTS = "objects.csv"
MOST_LABELS = 255
_NNUNET_FOLDER = re.compile(r"Dataset\d{3}_\w+")


Exporter: TypeAlias = Callable[..., Exported]
Regions: TypeAlias = Mapping[int, Sequence[int]]
"""Where labels lie inside others: mask value of each label → the values whose voxels belong to it, its own first; else empty."""

ALONE: Regions = MappingProxyType({})


def export_msd(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
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
        regions: Labels with what lies inside them; Decathlon's dataset.json has no word for it, which a note says.

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
        if nested := _nested_words(labels, regions):
            tally.notes.append(f"Decathlon's dataset.json cannot say that {nested}; the masks hold the innermost label of each voxel")
        done = tally.result(folder)
        _write_json(out / "dataset.json", _decathlon(folder.name, names, lists))
        write_rows(out / SIDECAR, ("filename", *TABLE_COLUMNS), tally.rows)
    return done


def export_nnunet(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
    nowhere: Collection[str] = (),
) -> Exported:
    """An nnU-Net raw folder, version 2: `imagesTr/CASE_0000.nii.gz`, `labelsTr/CASE.nii.gz`, dataset.json.

    Training and validation answers go to Tr, as nnU-Net draws its own folds; test and audit answers and images without
    an answer go to Ts.

    A mask may be `UNKNOWN` where nothing is annotated, which is the ignore label then. Labels that no case for training annotates
    (`nowhere`) count as absent: with their background ignored in every case, nothing would be left that is background.

    See `export_msd` for arguments and errors; all cases need the same number of channels, else an `InputError`, and nnU-Net wants the
    folder called DatasetNNN_NAME.
    """
    tally = ExportTally(regular_grid)
    folds: dict[str, list[str]] = {"train": [], "val": []}
    partly: list[str] = []
    in_parts: list[str] = []
    thin: list[str] = []
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given, plain=True)
            part = _part(case)
            thin += [case.name] if _is_thin(case.image.grid) else []
            if case.image.channels != tally.channels:
                raise InputError(f"{case.name}: nnU-Net needs {tally.channels} channels in every case, got {case.image.channels}")
            for channel in range(case.image.channels):
                alone = Image(case.image.array[channel : channel + 1], case.image.grid)
                draw(out / f"images{part}" / f"{name}_{channel:04d}.nii.gz", alone, case.source)
            if case.mask is not None:
                mask = _known_parts(case, case.mask, labels, in_parts)
                known = {*case.annotated, *nowhere} if case.annotated else {*labels}
                if not known >= {*labels}:
                    mask = _with_ignored(mask, known, labels, regions)
                    partly.append(case.name)
                draw(out / f"labels{part}" / f"{name}.nii.gz", mask, case.source)
            if part == "Tr":
                folds["val" if case.split == "validation" else "train"].append(name)
            tally.row(case, f"images{part}/{name}_0000.nii.gz")
        _finish_nnunet(out, folder, tally, labels, folds, regions, ignored=bool(partly or in_parts))
        tally.notes += _nnunet_notes(partly, in_parts, thin, nowhere=nowhere, nested=bool(regions))
        return tally.result(folder)


def _nnunet_notes(
    partly: Sequence[str], in_parts: Sequence[str], thin: Sequence[str], *, nowhere: Collection[str], nested: bool
) -> Iterator[str]:
    """What is to be known of cases without all labels, annotated in parts and of thin slices, and of labels that no case annotates."""
    if in_parts:
        yield f"all but the annotated parts of {counted(len(in_parts), 'case')} is the ignore label: {first_named(in_parts)}"
    if partly:
        where = "background, and what a missing label lies inside of," if nested else "background"
        rule = f"{where} is the ignore label in {counted(len(partly), 'case')} in which not every label is annotated"
        yield f"{rule}: {first_named(partly)}"
    if nowhere:
        names = ", ".join(nowhere)
        yield f"no case for training annotates {names}: nnU-Net takes it as absent everywhere, and will propose none of it"
    if thin:
        rule = f"nnU-Net takes the coarsest axis for that of slices, {counted(len(thin), 'single slice')} thinner than a pixel"
        yield f"{rule} (train with learner=nnunet, or make them thicker before planning): {first_named(thin)}"


def _is_thin(grid: Grid) -> bool:
    """Whether nnU-Net would plan a single slice across another axis than that of slices."""
    return grid.is_2d and max(grid.spacing_mm[:2]) > grid.spacing_mm[2]


def _known_parts(case: ExportCase, mask: Mask, labels: Sequence[str], in_parts: list[str]) -> Mask:
    """A mask with the ignore label where it is `UNKNOWN`, since parts of the case are annotated only; such cases join `in_parts`."""
    unknown = mask.array == UNKNOWN
    if not unknown.any() or len(labels) >= UNKNOWN:
        return mask
    in_parts.append(case.name)
    return Mask(np.where(unknown, len(labels) + 1, mask.array).astype(np.uint8), mask.grid)


def _with_ignored(mask: Mask, annotated: Set[str], labels: Sequence[str], regions: Regions) -> Mask:
    """The mask with the ignore label wherever a label that is not annotated may be: background, and what it lies inside of."""
    if len(labels) >= MOST_LABELS:
        raise InputError(f"nnU-Net needs a value for its ignore label, all {len(labels)} are taken", remedy="export as msd or nifti")
    known = {value for value, name in enumerate(labels, start=1) if name in annotated}
    unsure = {0, *(_around(value, known, regions) for value in range(1, len(labels) + 1) if value not in known)}
    return Mask(np.where(np.isin(mask.array, list(unsure)), len(labels) + 1, mask.array).astype(np.uint8), mask.grid)


def _around(value: int, known: Set[int], regions: Regions) -> int:
    """The innermost of some labels that one lies inside of; 0 for none."""
    around = [(len(held), outer) for outer, held in regions.items() if outer in known and value in held]
    return min(around, default=(0, 0))[1]


def _finish_nnunet(
    out: Path,
    folder: Path,
    tally: ExportTally,
    labels: Sequence[str],
    folds: Mapping[str, Sequence[str]],
    regions: Regions,
    *,
    ignored: bool,
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
            **{names.labels[value - 1]: _nnunet_label(regions, value) for value in _outer_first(len(labels), regions)},
            **({IGNORE: len(labels) + 1} if ignored else {}),
        },
        **({"regions_class_order": _outer_first(len(labels), regions)} if regions else {}),
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


def _outer_first(labels: int, regions: Regions) -> list[int]:
    """Mask values of the labels, each after what it lies inside of: nnU-Net writes regions one over the other in this order."""
    return sorted(range(1, labels + 1), key=lambda value: (-len(regions.get(value, (value,))), value))


def _nnunet_label(regions: Regions, value: int) -> int | list[int]:
    """A label as nnU-Net's dataset.json has it: the values of its region, where others lie inside it."""
    held = list(regions.get(value, (value,)))
    return held if len(held) > 1 else value


def _nested_words(labels: Sequence[str], regions: Regions) -> str:
    """Which labels hold others, in words; "" where none does."""
    held = {labels[value - 1]: [labels[one - 1] for one in of[1:]] for value, of in regions.items() if len(of) > 1}
    return "; ".join(f"{outer} holds {', '.join(inner)}" for outer, inner in held.items())


def export_nifti(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,
) -> Exported:
    """`images/` and `labels/` of equal names, labels.json, and index.csv with patients and splits.

    Where labels lie inside others, `regions/NAME/` holds a mask of 0 and 1 of each label, with everything inside it, too. Where objects are
    kept apart, `objects/` holds a map of their numbers for each case, and objects.csv a row for each; a voxel is of an object of its own
    (innermost) label.
    Volumes are NIfTI; what came as a picture stays a PNG where its values allow. See `export_msd` for arguments and errors.
    """
    tally, names = ExportTally(regular_grid), FileNames()
    folders = {value: names.of(label) for value, label in enumerate(labels, start=1)}
    counted_objects = list[list[str]]()
    with staged_folder(folder, beside) as out:
        for given in cases:
            case, name = tally.take(given)
            file = name + natural_suffix(case.image, case.source)
            draw(out / "images" / file, case.image, case.source)
            if case.mask is not None:
                draw(out / "labels" / file, case.mask, case.source)
                for value, alone in region_masks(case, case.mask, labels, regions):
                    draw(out / "regions" / folders[value] / file, alone, case.source)
                counted_objects += _write_objects(out / "objects", name, case, labels)
            tally.row(case, file)
        if counted_objects:
            write_rows(out / OBJECTS, ("filename", "object", "label", "voxels"), counted_objects)
            tally.notes.append(f"objects/ holds {counted(len(counted_objects), 'object')} by number, {OBJECTS} a row for each")
        return finish_plain(tally, out, folder, labels)


def _write_objects(place: Path, name: str, case: ExportCase, labels: Sequence[str]) -> list[list[str]]:
    """A map of a case's objects, and their rows; nothing where only labels count."""
    if case.objects is None or case.mask is None:
        return []
    numbers, found = object_map(case.mask.array, case.objects, case.mask.grid.spacing_mm)
    shown = Image(numbers[None], case.mask.grid)
    file = name + natural_suffix(shown, case.source)
    draw(place / file, shown, case.source)
    return [[file, str(one.number), labels[one.label - 1], str(one.voxels)] for one in found]


def region_masks(case: ExportCase, mask: Mask, labels: Sequence[str], regions: Regions) -> Iterator[tuple[int, Mask]]:
    """Value of each region that a case annotates, and a mask of 0 and 1 of it, on the case's grid."""
    for value, held in regions.items():
        if not case.annotated or labels[value - 1] in case.annotated:
            yield value, Mask(np.isin(mask.array, list(held)).astype(np.uint8), mask.grid)


def finish_plain(tally: ExportTally, out: Path, folder: Path, labels: Sequence[str]) -> Exported:
    """What `images/` and `labels/` lie beside: index.csv with patients and splits, and labels.json."""
    done = tally.result(folder)
    write_rows(out / "index.csv", ("filename", *TABLE_COLUMNS), tally.rows)
    _write_json(out / "labels.json", {name: value for value, name in enumerate(labels, start=1)})
    return done


def export_csv(
    cases: Iterable[ExportCase],
    folder: Path,
    labels: Sequence[str],
    *,
    regular_grid: bool = False,
    beside: Mapping[str, str] = NOTHING,
    regions: Regions = ALONE,  # noqa: ARG001  # no class lies inside another
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
