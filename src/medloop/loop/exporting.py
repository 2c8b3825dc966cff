"""Take the work elsewhere: answers in standard layouts, on the geometry of their sources, or the model itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import ConflictError, NotFoundError, SettingError
from medloop.core.image import Mask
from medloop.core.names import natural_key
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Json, Split, now
from medloop.datasets.export import ExportCase, export_csv, export_msd, export_nifti, export_nnunet
from medloop.loop.arrays import load_answer, load_image
from medloop.loop.consensus import consensus_answers
from medloop.loop.control import JobControl
from medloop.loop.left_out import refused_cases
from medloop.loop.standing_models import model_of_index
from medloop.loop.workspace import Workspace

FORMATS = ("nifti", "msd", "nnunet", "csv", "model")
"""Formats that can be written now."""


@dataclass(frozen=True)
class ExportReport:
    """What was written where.

    Attributes:
        notes: What was left out and why, and whatever else its reader should know; one line each.
    """

    folder: Path
    format: str
    cases: int
    notes: tuple[str, ...] = ()


def export_project(workspace: Workspace, out: Path, fmt: str, *, model: int | None = None) -> ExportReport:
    """Write every answered case (or a model) to a new folder.

    Args:
        workspace: The project.
        out: A new or empty folder.
        fmt: One of `FORMATS`.
        model: Index of the model to write; None takes the one in use. Only for the format "model".

    Raises:
        SettingError: An unknown format, or one that does not fit the task.
        ConflictError: The folder exists and is not empty.
        NotFoundError: Nothing is answered, or no model exists.
    """
    if fmt not in FORMATS:
        raise SettingError(f"Unknown export format {fmt!r}", remedy=f"use one of {', '.join(FORMATS)}")
    if fmt == "model":
        return _export_model(workspace, out, model)
    if model is not None:
        raise SettingError(f"A model is chosen for the format model only, got {fmt}", remedy="leave --model out")
    if (fmt == "csv") != (workspace.task.kind == "classification"):
        raise SettingError(f"A {workspace.task.kind} cannot be exported as {fmt}", remedy="csv is for classification, the others for masks")
    answers = _answers(workspace)
    if not answers:
        raise NotFoundError("There is no answer to export yet", remedy="answer a case first")
    names = [label.name for label in workspace.task.labels]
    cases = _cases(workspace, answers)
    if fmt == "msd":
        export_msd(cases, out, names)
    elif fmt == "nnunet":
        export_nnunet(cases, out, names)
    elif fmt == "nifti":
        export_nifti(cases, out, names)
    else:
        export_csv(cases, out, names)
    with workspace.store.write("export") as tx:
        tx.record("export", "project", workspace.project.id, {"format": fmt, "cases": len(answers), "at": now()})
    return ExportReport(out, fmt, len(answers), left_out_notes(workspace))


def run_export(workspace: Workspace, control: JobControl) -> Json:
    """The export job: payload {"out": folder, "format": name}."""
    payload = control.job.payload
    report = export_project(workspace, Path(str(payload["out"])), str(payload["format"]))
    control.log(f"{report.cases} cases written to {report.folder} as {report.format}")
    return {"cases": report.cases}


def _answers(workspace: Workspace) -> list[tuple[Annotation, Case]]:
    splits: tuple[Split, ...] = ("train", *EVALUATION_SPLITS)
    with workspace.store.read() as tx:
        answers = [a for split in splits for a in consensus_answers(tx, split)]
        return sorted(((a, tx.get(Case, a.case_id)) for a in answers), key=lambda pair: natural_key(pair[1].name))


def _cases(workspace: Workspace, answers: list[tuple[Annotation, Case]]) -> Iterator[ExportCase]:
    names = {label.value: label.name for label in workspace.task.labels}
    for annotation, case in answers:
        answer = load_answer(workspace.store.blobs, annotation, case)
        yield ExportCase(
            name=case.name,
            patient=case.patient,
            split=case.split,
            image=load_image(workspace.store.blobs, case),
            mask=answer if isinstance(answer, Mask) else None,
            tag=names[answer] if isinstance(answer, int) else None,
            source=case.source,
        )


def left_out_notes(workspace: Workspace) -> tuple[str, ...]:
    """One line per skipped or flagged case: why it was not exported, and who said so."""
    return tuple(f"left out: {case}" for case in refused_cases(workspace))


def _export_model(workspace: Workspace, out: Path, index: int | None) -> ExportReport:
    """Weights as safetensors beside a JSON that names recipe, labels, snapshot, digests."""
    with workspace.store.read() as tx:
        model = tx.live_model() if index is None else model_of_index(tx, index)
    if model is None:
        raise NotFoundError("There is no model to export yet", remedy="train one with: medloop train")
    if out.exists() and any(out.iterdir()):
        raise ConflictError(f"{out} is not empty", remedy="choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    for n, blob in enumerate(model.weights):
        (out / f"member-{n}.safetensors").write_bytes(workspace.store.blobs.get(blob))
    card = {
        "medloop_model": 1,
        "id": model.id,
        "index": model.index,
        "task": {"kind": workspace.task.kind, "labels": {label.name: label.value for label in workspace.task.labels}},
        "recipe": model.recipe,
        "snapshot": model.snapshot_id,
        "weights_sha256": list(model.weights),
        "metrics": model.metrics,
        "created_at": model.created_at,
    }
    (out / "model.json").write_text(json.dumps(card, indent=2, sort_keys=True) + "\n")
    with workspace.store.write("export") as tx:
        tx.record("export", "model", model.id, {"at": now()})
    return ExportReport(out, "model", len(model.weights))
