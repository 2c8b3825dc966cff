"""Bring cases in: read, check, split, store. One bad case never stops the rest.

Splits are fixed here, at first sight of a patient, and never move. Every case is one transaction: its
voxels (blob first), its row, its imported answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import InputError, LabelError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, Case, Source, Split, new_id, now
from medloop.datasets.dataset import CaseSource, Dataset, Refusal
from medloop.datasets.discover import open_dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.images.encode import encode_mask, encode_voxels
from medloop.images.read import read_image, read_mask
from medloop.loop.annotators import annotator_named
from medloop.loop.workspace import Workspace

ImportProgress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, name of the case)."""

AnswersWanted: TypeAlias = Literal["all", "evaluation", "none"]
"""Which of the source's labels become answers: all, only those of evaluation cases, or none."""

IMPORTER = "import"
"""Name of the annotator that imported answers belong to."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: Names of new cases.
        labelled: How many of them came with an answer that was kept.
        duplicates: Cases that were already there and stayed as they were.
        refused: One line per file that was left out.
    """

    added: tuple[str, ...]
    labelled: int
    duplicates: tuple[str, ...]
    refused: tuple[Refusal, ...]


@dataclass
class _Tally:
    added: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    labelled: int = 0


def import_dataset(
    workspace: Workspace,
    source: Path,
    *,
    fmt: str = "auto",
    answers: AnswersWanted = "all",
    actor: str = "system",
    report: ImportProgress | None = None,
) -> ImportReport:
    """Import every readable case of a folder or list.

    Args:
        workspace: The project.
        source: A folder or CSV in one of the known layouts.
        fmt: "auto" or a layout's name.
        answers: Which of the source's labels to keep.
        actor: Who imports, for the audit.
        report: Called before each case.

    Raises:
        FormatError: The source as a whole is in no known layout.
        SettingError: It answers another kind of question than the project asks.
        LabelError: Its labels are not the project's.
    """
    dataset = open_dataset(source, fmt=fmt)
    values = label_map(workspace, dataset)
    splits = _splits(workspace, dataset)
    seen = _Seen.of(workspace)
    tally = _Tally(refused=list(dataset.refused))
    importer = annotator_named(workspace, IMPORTER)
    for done, case in enumerate(dataset.cases):
        if report is not None:
            report(done, len(dataset.cases), case.name)
        try:
            _import_case(workspace, case, splits[case.name], values, answers, importer, seen, tally, actor)
        except InputError as error:
            tally.refused.append(Refusal(file=case.name, rule=error.message, value="", remedy=error.remedy))
    return ImportReport(tuple(tally.added), tally.labelled, tuple(tally.duplicates), tuple(tally.refused))


def add_case(
    workspace: Workspace,
    image: Image,
    *,
    name: str,
    patient: str,
    split: Split,
    source: Source,
    answer: Mask | int | None = None,
    answered_by: Annotator | None = None,
    notes: tuple[str, ...] = (),
    stratum: str = "",
    actor: str = "system",
) -> Case:
    """Store one case, with its answer if there is one, in one transaction.

    Raises:
        InputError: Voxels that cannot be kept, or an answer that does not fit the image or the task.
    """
    array = storable(image)
    if isinstance(answer, Mask):
        answer.grid.require_same(image.grid, f"{name}: the mask")
        answer.require_labels(workspace.task.label_values, f"{name}: the mask")
    case = _case_record(workspace, array, image, name, patient, split, source, notes, stratum)
    blob = workspace.store.blobs.put(encode_mask(answer.array)) if isinstance(answer, Mask) else None
    with workspace.store.write(actor) as tx:
        tx.add(case, verb="import")
        if answer is not None and answered_by is not None:
            tx.add(_imported_answer(workspace, case, answered_by, blob, answer), verb="import")
    return case


def storable(image: Image) -> ImageArray:
    """The image's voxels in a dtype that the browser and the networks read.

    Raises:
        InputError: NaN or infinite voxels, or values no supported dtype holds.
    """
    array = image.array
    if array.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise InputError(f"Voxels must be finite, {bad} are NaN or infinite", remedy="repair or leave out this image")
        return array.astype(np.float32, copy=False)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.itemsize <= 4 and array.dtype.kind in "iu":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float32)


@dataclass(frozen=True)
class LabelMap:
    """How a data set's labels become the task's.

    Attributes:
        voxels: Mask value → label value.
        tags: Class name → label value.
        foreground: Label value that every voxel above 0 gets (instance maps, 0/255 masks), or None.
    """

    voxels: Mapping[int, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    foreground: int | None = None


def label_map(workspace: Workspace, dataset: Dataset) -> LabelMap:
    """Match a data set's labels with the project's, by name; a single label matches a single label.

    Raises:
        SettingError: The dataset answers another kind of question.
        LabelError: It names labels the task does not have.
    """
    task = workspace.task
    known = {label.name: label.value for label in task.labels}
    if dataset.kind is not None and dataset.kind != task.kind:
        raise SettingError(f"The project asks for a {task.kind}, the data answers a {dataset.kind}", remedy="import into another project")
    if task.kind == "classification":
        return LabelMap(tags=known)
    if dataset.masks == "foreground":
        return LabelMap(foreground=task.labels[0].value)
    if not dataset.labels:
        return LabelMap(voxels={value: value for value in task.label_values})
    if len(dataset.labels) == len(task.labels) == 1:
        return LabelMap(voxels={dataset.label_values[dataset.labels[0]]: task.labels[0].value})
    unknown = [name for name in dataset.labels if name not in known]
    if unknown:
        raise LabelError(
            f"The data has labels the project does not know: {', '.join(unknown)} (it knows {', '.join(known)})",
            remedy="make the project with these labels",
        )
    return LabelMap(voxels={dataset.label_values[name]: known[name] for name in dataset.labels})


@dataclass
class _Seen:
    """Names and digests already in the project."""

    names: dict[str, str]
    digests: dict[str, str]

    @classmethod
    def of(cls, workspace: Workspace) -> "_Seen":
        with workspace.store.read() as tx:
            cases = tx.find(Case)
        return cls({c.name: c.source.sha256 for c in cases}, {c.source.sha256: c.name for c in cases})


def _splits(workspace: Workspace, dataset: Dataset) -> Mapping[str, Split]:
    """Splits of the new cases; patients met before keep theirs."""
    with workspace.store.read() as tx:
        fixed = {case.patient: case.split for case in tx.find(Case)}
    settings = workspace.settings
    cases = [
        SplitCase(
            name=c.name,
            patient=c.patient,
            stratum=c.stratum or (c.tag or ""),
            labelled=c.labelled,
            split=fixed.get(c.patient, c.split),
        )
        for c in dataset.cases
    ]
    return assign_splits(
        cases,
        validation=settings.validation_fraction,
        test=settings.test_fraction,
        audit=settings.audit_fraction,
        seed=settings.seed,
    )


def _import_case(
    workspace: Workspace,
    case: CaseSource,
    split: Split,
    values: LabelMap,
    answers: AnswersWanted,
    importer: Annotator,
    seen: _Seen,
    tally: _Tally,
    actor: str,
) -> None:
    read = read_image(case.images[0] if len(case.images) == 1 else case.images)
    image = _with_pixel_size(read.image, case.pixel_mm)
    digest = read.source.sha256
    if seen.names.get(case.name) == digest:
        tally.duplicates.append(case.name)
        return
    if case.name in seen.names or digest in seen.digests:
        raise InputError(f"{case.name}: {_duplicate(case.name, digest, seen)}", remedy="rename it, or leave one of the two out")
    wanted = answers == "all" or (answers == "evaluation" and split in EVALUATION_SPLITS)
    answer = _read_answer(case, read.image, image, values)
    add_case(
        workspace,
        image,
        name=case.name,
        patient=case.patient,
        split=split,
        source=read.source,
        answer=answer if wanted else None,
        answered_by=importer,
        notes=read.notes,
        stratum=case.stratum or (case.tag or ""),
        actor=actor,
    )
    seen.names[case.name], seen.digests[digest] = digest, case.name
    tally.added.append(case.name)
    tally.labelled += answer is not None and wanted


def _duplicate(name: str, digest: str, seen: _Seen) -> str:
    if name in seen.names:
        return "the project already has another image of this name"
    return f"its bytes equal those of {seen.digests[digest]}, a duplicate"


def _with_pixel_size(image: Image, pixel_mm: float | None) -> Image:
    """The image with the pixel size its data set gives, when its file has none of its own."""
    unsized = image.grid == Grid.flat(image.grid.shape[0], image.grid.shape[1]) and image.grid.is_2d
    if pixel_mm is None or not unsized:
        return image
    return Image(image.array, Grid.flat(image.grid.shape[0], image.grid.shape[1], pixel_mm))


def _read_answer(case: CaseSource, read: Image, image: Image, values: LabelMap) -> Mask | int | None:
    """The case's answer in the task's values, checked against its image even when it is not kept."""
    if case.tag is not None:
        if case.tag not in values.tags:
            raise LabelError(f"{case.name}: unknown label {case.tag!r}", remedy=f"use one of {', '.join(values.tags)}")
        return values.tags[case.tag]
    if case.mask is None:
        return None
    mask = read_mask(case.mask, read.grid)
    if values.foreground is not None:
        return Mask((mask.array > 0).astype(np.uint8) * np.uint8(values.foreground), image.grid)
    unknown = sorted(set(mask.values()) - {0, *values.voxels})
    if unknown:
        raise LabelError(
            f"{case.mask.name}: mask values must be 0 or the task's labels, got also {unknown[:8]}",
            remedy="remove these values, or make the project with more labels",
        )
    table = np.zeros(256, dtype=np.uint8)
    for value, wanted in values.voxels.items():
        table[value] = wanted
    return Mask(table[mask.array], image.grid)


def _case_record(
    workspace: Workspace,
    array: ImageArray,
    image: Image,
    name: str,
    patient: str,
    split: Split,
    source: Source,
    notes: tuple[str, ...],
    stratum: str,
) -> Case:
    low, high = (float(v) for v in np.percentile(array[0], (0.5, 99.5)))
    least, most = float(array.min()), float(array.max())
    return Case(
        id=new_id("case"),
        name=name,
        patient=patient,
        split=split,
        grid=image.grid,
        channels=image.channels,
        dtype=array.dtype.name,
        voxels=workspace.store.blobs.put(encode_voxels(array)),
        window=(low, high) if high > low else (least, max(most, least + 1.0)),
        value_range=(least, most),
        source=source,
        stratum=stratum,
        notes=notes,
        added_at=now(),
    )


def _imported_answer(workspace: Workspace, case: Case, by: Annotator, blob: str | None, answer: Mask | int) -> Annotation:
    return Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=by.id,
        kind="tag" if isinstance(answer, int) else "mask",
        blob=blob,
        tag=answer if isinstance(answer, int) else None,
        origin="imported",
        created_at=now(),
    )
