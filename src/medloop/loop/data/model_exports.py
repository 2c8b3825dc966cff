"""A trained model as files: weights with what is needed to predict, a TorchScript program, an ONNX graph, a MONAI bundle, its card."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from medloop.core.errors import NotFoundError, StateError
from medloop.core.labels import class_regions, region_values, value_names
from medloop.core.names import counted
from medloop.core.records import Json, Model, Task, now
from medloop.datasets.staging import staged_folder
from medloop.loop.data import change_record
from medloop.loop.data.carding import CARD, RECORD
from medloop.loop.data.export_report import ExportReport, note_export
from medloop.loop.data.model_card import FILE, OPEN, model_card
from medloop.loop.data.model_statistics import FILE as STATISTICS
from medloop.loop.data.model_statistics import statistics_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import model_of_index
from medloop.loop.judging.predictions import ALIGNED, weights_of
from medloop.models.foundation.nnunet_recipe import LEARNER, NnunetRecipe, own_recipe, recipe_of

SHARED = "shared-model"
"""A TorchScript program with the statistics of what it learned from, for a site that cannot have the images."""

MODEL_FORMATS = ("model", "torchscript", "onnx", "monai-bundle", SHARED)
"""Formats of a model; the first one is safetensors beside `model.json`."""

TORCHSCRIPT_USE = """    import torch

    program = torch.jit.load("model.ts")
    values = program.mask(image, affine)  # image (1, channels, I, J, K) as stored, affine (4, 4): label values (1, I, J, K)
    probabilities = program(image, affine)  # (1, classes, I, J, K)
"""
MODEL_TEXTS = (CARD, RECORD)
"""Formats that describe a model."""

ONNX_USE = """The graph holds the networks alone: `images` (B, channels, sizes of a window) to `logits` (B, networks × classes, …).
What comes before and after stands below, and as JSON in `model.onnx.json` and in the metadata `medloop` of the graph.
`medloop predict --model model.onnx IMAGE --out OUT` does all of it.
"""


def export_text(workspace: Workspace, out: Path, fmt: str, index: int | None, actor: str) -> ExportReport:
    """Write the card of a model, or the record of its change, of the one in use without an index.

    Raises:
        NotFoundError: There is none.
    """
    model = _model(workspace, index)
    name, write = (FILE, model_card) if fmt == CARD else (change_record.FILE, change_record.change_record)
    text = write(workspace, model)
    with staged_folder(out, {name: text}):
        pass
    note_export(workspace, actor, "model", model.id, {"format": fmt, "at": now()})
    fields = counted(text.count(OPEN), "field")
    return ExportReport(out, fmt, len(model.weights), (f"{name} has {fields} that only the project's lead can fill in",))


def export_model(workspace: Workspace, out: Path, fmt: str, index: int | None, actor: str) -> ExportReport:
    """Write a model in one of `MODEL_FORMATS` to a new or empty folder; None takes the one in use.

    Raises:
        NotFoundError: There is none.
        StateError: It is adapted, and does more than its weights.
        ConflictError: The folder is not empty.
        UnavailableError: ONNX without onnx.
        InputError: Statistics of too few patients.
    """
    model = _model(workspace, index)
    if ALIGNED in model.metrics:
        rule = f"Model {model.index} is adapted to {model.metrics.get('adapted_to')} and moves intensities, which no export does"
        raise StateError(rule, remedy=f"export model {model.metrics.get('adapted_from')}, which it comes from")
    weights = weights_of(workspace.store.blobs, model)
    notes: tuple[str, ...] = ()
    if fmt == "model":
        files = _as_weights(workspace, model, weights)
    else:
        files, notes = _as_program(workspace, model, weights, fmt)
    with staged_folder(out) as staging:
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
    note_export(workspace, actor, "model", model.id, {"format": fmt, "at": now()} if fmt != "model" else {"at": now()})
    return ExportReport(out, fmt, len(weights), notes)


def model_outputs(task: Task, model: Model) -> dict[str, int]:
    """What a model's outputs stand for, by name: without labels, and sets of overlapping ones, that came after it."""
    classes = int(model.recipe.get("classes", task.classes))
    return {name: value for name, value in zip(value_names(task), task.mask_values, strict=True) if value < classes}


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


def _description(workspace: Workspace, model: Model) -> Json:
    """What `model.json` says: recipe, labels, snapshot, digests."""
    return {
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


def _as_weights(workspace: Workspace, model: Model, weights: Sequence[bytes]) -> dict[str, bytes]:
    files = {f"member-{n}.safetensors": member for n, member in enumerate(weights)}
    for more in weights_of(workspace.store.blobs, model, any_label=True):
        files["any-label.safetensors"] = more
    return (
        files
        | _for_nnunet(model, weights)
        | {"model.json": f"{json.dumps(_description(workspace, model), indent=2, sort_keys=True)}\n".encode()}
    )


def _for_nnunet(model: Model, weights: Sequence[bytes]) -> dict[str, bytes]:
    """What nnU-Net predicts with, of a model that it trained."""
    recipe = recipe_of(model) if LEARNER in model.recipe else None  # weights of another version's recipe are written all the same
    if not isinstance(recipe, NnunetRecipe):
        return {}
    from medloop.models.exchange.nnunet_weights import folder_files

    with TemporaryDirectory(prefix="medloop-nnunet-") as place:
        folder_files(recipe, weights, Path(place))
        return {str(one.relative_to(place)): one.read_bytes() for one in Path(place).rglob("*") if one.is_file()}


def _as_program(workspace: Workspace, model: Model, weights: Sequence[bytes], fmt: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Files of a model that others run."""
    from medloop.models.exchange.bundle_out import bundle_files, readme
    from medloop.models.exchange.graphs import ModelParts, describe, to_onnx, to_torchscript

    labels = workspace.task.labels
    values = region_values(labels) if class_regions(labels) else {}
    named = {label.name: values[label.value] for label in labels if label.value in values}
    parts = ModelParts(own_recipe(model, "be written as a program"), weights, _description(workspace, model), named)
    description, notes = describe(parts)
    said = f"{json.dumps(description.to_json(), indent=2)}\n".encode()
    if fmt == "onnx":
        page = readme(description, "an ONNX graph", ONNX_USE).encode()
        return {"model.onnx": to_onnx(parts, description), "model.onnx.json": said, "README.md": page}, notes
    script = to_torchscript(parts, description)
    if fmt == "monai-bundle":
        return bundle_files(description, script), notes
    if fmt == SHARED:
        statistics = f"{json.dumps(statistics_of(workspace, model), indent=1)}\n".encode()
        page = readme(description, "a TorchScript program with the statistics of what it learned from", TORCHSCRIPT_USE).encode()
        return {"model.ts": script, STATISTICS: statistics, "README.md": page}, notes
    return {"model.ts": script, "README.md": readme(description, "a TorchScript program", TORCHSCRIPT_USE).encode()}, notes
