"""Bring cases in: read, check, split, store. One bad case never stops the rest.

Splits are fixed here, at first sight of a patient, and never move. Every case is one transaction: its
voxels (blob first), its row, its imported answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.errors import InputError, LabelError
from medloop.core.image import Image, Mask
from medloop.core.records import EVALUATION_SPLITS, Annotator, Case, Split
from medloop.datasets.dataset import CaseSource, Dataset, MaskReading, Refusal
from medloop.datasets.discover import open_dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.images.read import read_image, read_mask
from medloop.images.result import UNSIZED
from medloop.loop.annotators import annotator_named
from medloop.loop.cases import IMPORTER, add_case
from medloop.loop.describing import request_description
from medloop.loop.label_maps import LabelMap, label_map
from medloop.loop.predicting import follow_up
from medloop.loop.workspace import Workspace

ImportProgress: TypeAlias = Callable[[int, int, str], None]
"""Called with (done, total, name of the case)."""

AnswersWanted: TypeAlias = Literal["all", "evaluation", "none"]
"""Which of the source's labels become answers: all, only those of evaluation cases, or none."""


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
    masks: MaskReading = "labels",
    patient_pattern: str | None = None,
    answers: AnswersWanted = "all",
    actor: str = "system",
    report: ImportProgress | None = None,
) -> ImportReport:
    """Import every readable case of a folder or list.

    Args:
        workspace: The project.
        source: A folder or CSV in one of the known layouts.
        fmt: "auto" or a layout's name.
        masks: "foreground" reads every mask value above 0 as the first label (instance maps).
        patient_pattern: Regular expression whose first group is the patient in a case's name.
        answers: Which of the source's labels to keep.
        actor: Who imports, for the audit.
        report: Called before each case.

    Raises:
        FormatError: The source as a whole is in no known layout.
        SettingError: It answers another kind of question than the project asks.
        LabelError: Its labels are not the project's.
    """
    dataset = open_dataset(source, fmt=fmt, masks=masks, patient_pattern=patient_pattern)
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
    if tally.added:
        request_description(workspace)
    follow_up(workspace)
    return ImportReport(tuple(tally.added), tally.labelled, tuple(tally.duplicates), tuple(tally.refused))


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
    image = case.sized(read.image)
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
        notes=read.notes if image is read.image else tuple(note for note in read.notes if note != UNSIZED),
        stratum=case.stratum or (case.tag or ""),
        actor=actor,
        follow=False,
    )
    seen.names[case.name], seen.digests[digest] = digest, case.name
    tally.added.append(case.name)
    tally.labelled += answer is not None and wanted


def _duplicate(name: str, digest: str, seen: _Seen) -> str:
    if name in seen.names:
        return "the project already has another image of this name"
    return f"its bytes equal those of {seen.digests[digest]}, a duplicate"


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
            remedy="make the project with more labels, or read every object as the first one with masks=foreground",
        )
    table = np.zeros(256, dtype=np.uint8)
    for value, wanted in values.voxels.items():
        table[value] = wanted
    return Mask(table[mask.array], image.grid)
