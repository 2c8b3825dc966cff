"""Take the work elsewhere: answers in standard layouts, on the geometry of their sources, or the model itself."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.core.image import Mask
from medloop.core.labels import class_regions, nested_regions, region_values, value_names, values_of
from medloop.core.names import brief_lines, first_named, natural_key
from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, Case, Split, now
from medloop.datasets.dicom_objects.references import Originals
from medloop.datasets.export import ExportCase, Exporter, export_csv, export_msd, export_nifti, export_nnunet
from medloop.datasets.export_volumes import export_mha, export_nrrd
from medloop.datasets.objects import DrawnObjects
from medloop.datasets.regular import is_sheared
from medloop.datasets.shapes.coco_out import COCO_EXPORTERS
from medloop.datasets.shapes.cvat_out import export_cvat
from medloop.datasets.shapes.labelstudio_out import export_labelstudio
from medloop.loop.annotating.drawn_objects import objects_of_annotation
from medloop.loop.data.carding import CROISSANT, TABLES, croissant_exporter
from medloop.loop.data.cases import IMPORTER
from medloop.loop.data.export_report import ExportReport, note_export
from medloop.loop.data.exports_apart import WITHOUT_IMAGES, export_measured_reports, export_table
from medloop.loop.data.framed import frame_files, frame_lines
from medloop.loop.data.marks_files import marks_files
from medloop.loop.data.measured import measurement_files, measurement_lines
from medloop.loop.data.model_exports import MODEL_FORMATS, MODEL_TEXTS, export_model, export_text
from medloop.loop.data.object_exports import OBJECT_FORMATS, REPORTS, object_exporter
from medloop.loop.data.part_exports import part_cases, partly_annotated
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels, label_gaps
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.marked import marked_lines
from medloop.loop.foundation.refusals import refused_cases
from medloop.loop.foundation.waiting import unaccepted_lines
from medloop.loop.foundation.workspace import Workspace

PICTURES = (*COCO_EXPORTERS, "labelstudio", "cvat")
"""Formats of pictures with shapes."""

_MASKS = ("nifti", "msd", "nnunet", "nrrd", "mha")
FORMATS = (
    *_MASKS, "csv", *PICTURES, *OBJECT_FORMATS, REPORTS, CROISSANT, *TABLES, "accepted", "frames", "measurements", "marks",
    *MODEL_FORMATS, *MODEL_TEXTS,
)  # fmt: skip
"""Formats that can be written now."""

_OF_BOTH_KINDS = ("labelstudio", "cvat", CROISSANT, *TABLES)
_FOR_KINDS = f"csv is for classification, {', '.join(_OF_BOTH_KINDS)} for both, the others for masks"


def export_project(
    workspace: Workspace,
    out: str | Path,
    fmt: str,
    *,
    model: int | None = None,
    regular_grid: bool = False,
    source: Path | None = None,
    actor: str = "export",
) -> ExportReport:
    """Write every annotated case (or what was measured, or a model) to a new folder; what was measured lies beside the cases.

    Args:
        workspace: The project.
        out: A new or empty folder.
        fmt: One of `FORMATS`.
        model: Index of the model to write; None takes the one in use. Only for the formats of a model.
        regular_grid: Resample cases whose voxel axes are not at right angles, as ITK and nnU-Net require.
        source: Where the original DICOM files lie, for patient and study of DICOM objects; None for the project's pseudonyms.
        actor: Who takes it, for the audit.

    Raises:
        InputError: nnU-Net would refuse the cases that the message names, or no case can be written as a DICOM object.
        SettingError: An unknown format, or one that does not fit the task.
        ConflictError: The folder exists and is not empty.
        NotFoundError: Nothing is annotated or measured, or no model exists.
    """
    out = Path(out)
    _require_fitting(fmt, model, source)
    if fmt in (*MODEL_FORMATS, *MODEL_TEXTS):
        return (export_text if fmt in MODEL_TEXTS else export_model)(workspace, out, fmt, model, actor)
    if fmt == REPORTS:
        return export_measured_reports(workspace, out, source, actor)
    if fmt in WITHOUT_IMAGES:
        return WITHOUT_IMAGES[fmt](workspace, out, actor)
    if fmt not in _OF_BOTH_KINDS and (fmt == "csv") != (workspace.task.kind == "classification"):
        raise SettingError(f"A {workspace.task.kind} cannot be exported as {fmt}", remedy=_FOR_KINDS)
    left_out = LeftOut(workspace)
    answers = _answers(workspace, left_out)
    parts = partly_annotated(workspace) if fmt == "nnunet" else {}
    if not answers and not parts:
        unread = f", {len(left_out.cases)} cannot be read" if left_out.cases else ""
        raise NotFoundError(f"There is no annotation to export yet{unread}", remedy="annotate a case first")
    if fmt in TABLES:
        return export_table(workspace, answers, out, fmt, (actor, left_out))
    if fmt == "nnunet" and not regular_grid:
        require_right_angles([*(case for _, case in answers), *(case for case, _ in parts.values())])
    names = value_names(workspace.task)
    measured = measurement_lines(workspace)
    named = frame_lines(workspace)
    beside = (measurement_files(measured) if measured else {}) | (frame_files(named) if named else {}) | marks_files(workspace)
    write = object_exporter(workspace, fmt, source) if fmt in OBJECT_FORMATS else _exporter(workspace, fmt)
    if fmt == "nnunet":
        learned = [a for a, case in answers if case.split in ("train", "validation")]
        write = partial(export_nnunet, nowhere=_nowhere(workspace, [*learned, *(a for _, given in parts.values() for a in given)]))
    cases = chain(_cases(workspace, answers), part_cases(workspace, parts, left_out))
    done = write(cases, out, names, regular_grid=regular_grid, beside=beside, regions=_regions(workspace, fmt))
    note_export(workspace, actor, "project", workspace.project.id, {"format": fmt, "cases": done.cases, "at": now()})
    gaps = [str(gap) for gap in label_gaps(workspace)] if workspace.task.kind == "segmentation" else []
    refused = [f"left out: {line}" for line in brief_lines({"refused": refused_cases(workspace)})]
    with workspace.store.read() as tx:
        waiting = unaccepted_lines(tx)
    notes = (*done.notes, *waiting, *gaps, *marked_lines(workspace), *brief_lines({"damaged": left_out.cases}), *refused)
    return ExportReport(out, fmt, done.cases, notes)


def _require_fitting(fmt: str, model: int | None, source: Path | None) -> None:
    objects = (*OBJECT_FORMATS, REPORTS)
    if fmt not in FORMATS:
        raise SettingError(f"Unknown export format {fmt!r}", remedy=f"use one of {', '.join(FORMATS)}")
    if source is not None and fmt not in objects:
        raise SettingError(f"Original files are used by {', '.join(objects)} only, got {fmt}", remedy="leave --source out")
    if model is not None and fmt not in (*MODEL_FORMATS, *MODEL_TEXTS):
        raise SettingError(
            f"A model is chosen for the formats {', '.join((*MODEL_FORMATS, *MODEL_TEXTS))} only, got {fmt}", remedy="leave --model out"
        )


def _regions(workspace: Workspace, fmt: str) -> dict[int, tuple[int, ...]]:
    """Each value of a mask with what lies inside it, for one mask per label only labels; empty where none share voxels."""
    labels = workspace.task.labels
    if fmt in ("nifti", "mha", "nrrd", CROISSANT, *PICTURES):
        return region_values(labels) if nested_regions(labels) else {}
    return {held[0]: held for held in class_regions(labels)}


def _answers(workspace: Workspace, left_out: LeftOut) -> list[tuple[Annotation, Case]]:
    """Annotated cases by name; those whose bytes are damaged are left out."""
    splits: tuple[Split, ...] = ("train", *EVALUATION_SPLITS)
    with workspace.store.read() as tx:
        answers = [a for split in splits for a in consensus_annotations(tx, split)]
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
    sound = sound_annotations(answers, cases, left_out)
    return sorted(((a, cases[a.case_id]) for a in sound), key=lambda pair: natural_key(pair[1].name))


def _cases(workspace: Workspace, answers: list[tuple[Annotation, Case]]) -> Iterator[ExportCase]:
    names = {label.value: label.name for label in workspace.task.labels}
    with workspace.store.read() as tx:
        people = {a.id: a.name for a in tx.find(Annotator) if a.name != IMPORTER}  # the importer is nobody in particular
        leaning = {a.id: 1.0 if a.untouched is None else a.untouched for a, _ in answers if leans_on_proposal(tx, a)}
        scope = annotated_labels(tx, workspace.task)
    apart = workspace.settings.objects == "apart"
    for annotation, case in answers:
        answer = load_annotation(workspace.store.blobs, annotation, case)
        yield ExportCase(
            name=case.name,
            patient=case.patient,
            split=case.split,
            stratum="" if case.stratum in names.values() else case.stratum,  # the class itself balances a classification
            image=load_image(workspace.store.blobs, case),
            mask=answer if isinstance(answer, Mask) else None,
            tag=names[answer] if isinstance(answer, int) else None,
            source=case.source,
            annotator=people.get(annotation.annotator_id, ""),
            annotated_at=annotation.created_at,
            effort_seconds=annotation.effort_seconds,
            untouched=leaning.get(annotation.id),
            annotated=_said(workspace, scope, annotation) if scope.lacking(annotation) and isinstance(answer, Mask) else (),
            objects=_objects(workspace, case, annotation) if apart else None,
        )


def _objects(workspace: Workspace, case: Case, annotation: Annotation) -> DrawnObjects:
    with workspace.store.read() as tx:
        found = objects_of_annotation(tx, workspace.store.blobs, case, annotation)
    return found or DrawnObjects(np.zeros(case.grid.shape, dtype=np.uint16))


def _nowhere(workspace: Workspace, annotations: Sequence[Annotation]) -> tuple[str, ...]:
    """Names of the values of a mask that no annotation annotates."""
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    said = {name for annotation in annotations for name in _said(workspace, scope, annotation)}
    return tuple(name for name in value_names(workspace.task) if name not in said)


def _said(workspace: Workspace, scope: AnnotatedLabels, annotation: Annotation) -> tuple[str, ...]:
    """Names of the values that a mask may hold which annotates some labels only."""
    said = values_of(workspace.task.labels, [label.value for label in scope.of(annotation)])
    return tuple(name for value, name in zip(workspace.task.mask_values, value_names(workspace.task), strict=True) if value in said)


def require_right_angles(cases: Sequence[Case]) -> None:
    """Refuse cases that ITK, and so nnU-Net, cannot read, all at once.

    Raises:
        InputError: Naming them.
    """
    sheared = [case.name for case in cases if is_sheared(case.grid)]
    if sheared:
        raise InputError(
            f"nnU-Net refuses voxel axes that are not at right angles (a tilted gantry or a shear), as {len(sheared)} of {len(cases)} "
            f"cases have: {first_named(sheared)}",
            remedy="export with --regular-grid to have them resampled, or as nifti to keep them as they are",
        )


_EXPORTERS: dict[str, Exporter] = {
    "msd": export_msd,
    "nnunet": export_nnunet,
    "nifti": export_nifti,
    "csv": export_csv,
    "nrrd": export_nrrd,
    "mha": export_mha,
    **COCO_EXPORTERS,
}


def _exporter(workspace: Workspace, fmt: str) -> Exporter:
    """What writes a format; some also have the colours of labels."""
    if fmt == CROISSANT:
        return croissant_exporter(workspace)
    if fmt in ("labelstudio", "cvat"):
        write = export_labelstudio if fmt == "labelstudio" else export_cvat
        return partial(write, colours={label.name: label.colour for label in workspace.task.labels})
    if fmt != "nrrd":
        return _EXPORTERS[fmt]
    colours = {label.name: tuple(part / 255 for part in bytes.fromhex(label.colour[1:])) for label in workspace.task.labels}
    return partial(export_nrrd, colours=colours)


def annotated_exports(workspace: Workspace) -> list[tuple[Annotation, Case]]:
    """Every annotation that an export writes, with its case; those whose bytes are damaged are left out."""
    return _answers(workspace, LeftOut(workspace))


def written_apart(workspace: Workspace, one: tuple[Annotation, Case], out: Path, fmt: str, originals: Originals) -> None:
    """Write one annotation as a DICOM object to a new folder, with patient and study of its originals.

    Raises:
        InputError: It cannot be written.
    """
    write = object_exporter(workspace, fmt, originals)
    write(_cases(workspace, [one]), out, value_names(workspace.task))
