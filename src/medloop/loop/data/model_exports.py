"""A model as files: weights with what is needed to predict, or its card."""

import json
from pathlib import Path

from medloop.core.errors import NotFoundError
from medloop.core.labels import value_names
from medloop.core.names import counted
from medloop.core.records import Model, Task, now
from medloop.datasets.staging import staged_folder
from medloop.loop.data.carding import CARD
from medloop.loop.data.export_report import ExportReport, note_export
from medloop.loop.data.model_card import FILE, OPEN, model_card
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import model_of_index
from medloop.loop.judging.predictions import weights_of


def export_card(workspace: Workspace, out: Path, index: int | None, actor: str) -> ExportReport:
    """Write the card of a model, of the one in use without an index.

    Raises:
        NotFoundError: There is none.
    """
    model = _model(workspace, index)
    text = model_card(workspace, model)
    with staged_folder(out, {FILE: text}):
        pass
    note_export(workspace, actor, "model", model.id, {"format": CARD, "at": now()})
    fields = counted(text.count(OPEN), "field")
    return ExportReport(out, CARD, len(model.weights), (f"{FILE} has {fields} that only the project's lead can fill in",))


def _model(workspace: Workspace, index: int | None) -> Model:
    """The model of an index, or the one in use.

    Raises:
        NotFoundError: There is none.
    """
    with workspace.store.read() as tx:
        model = tx.live_model() if index is None else model_of_index(tx, index)
    if model is None:
        raise NotFoundError("There is no model to export yet", remedy="train one with: medloop train")
    return model


def export_model(workspace: Workspace, out: Path, index: int | None, actor: str) -> ExportReport:
    """Weights as safetensors beside a JSON that names recipe, labels, snapshot, digests."""
    model = _model(workspace, index)
    weights = weights_of(workspace.store.blobs, model)
    files = {f"member-{n}.safetensors": member for n, member in enumerate(weights)}
    for more in weights_of(workspace.store.blobs, model, any_label=True):
        files["any-label.safetensors"] = more
    card = {
        "medloop_model": 1,
        "id": model.id,
        "index": model.index,
        "task": {"kind": workspace.task.kind, "labels": model_outputs(workspace.task, model)},
        "recipe": model.recipe,
        "seed": workspace.settings.seed,
        "samples": int(model.metrics.get("samples", workspace.settings.samples)),
        "snapshot": model.snapshot_id,
        "weights_sha256": list(model.weights),
        "metrics": model.metrics,
        "created_at": model.created_at,
    }
    files["model.json"] = f"{json.dumps(card, indent=2, sort_keys=True)}\n".encode()
    with staged_folder(out) as staging:
        for name, content in files.items():
            (staging / name).write_bytes(content)
    note_export(workspace, actor, "model", model.id, {"at": now()})
    return ExportReport(out, "model", len(model.weights))


def model_outputs(task: Task, model: Model) -> dict[str, int]:
    """What a model's outputs stand for, by name: without labels, and sets of overlapping ones, that came after it."""
    classes = int(model.recipe.get("classes", task.classes))
    return {name: value for name, value in zip(value_names(task), task.mask_values, strict=True) if value < classes}
