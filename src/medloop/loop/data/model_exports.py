"""A trained model as files: weights with a card, a TorchScript program, an ONNX graph, a MONAI bundle."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import NotFoundError
from medloop.core.labels import region_values
from medloop.core.records import Json, Model
from medloop.datasets.staging import staged_folder
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import model_of_index
from medloop.loop.judging.predictions import weights_of
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    pass

MODEL_FORMATS = ("model", "torchscript", "onnx", "monai-bundle")
"""Formats of a model; the first one is safetensors beside `model.json`."""

TORCHSCRIPT_USE = """    import torch

    program = torch.jit.load("model.ts")
    values = program.mask(image, affine)  # image (1, channels, I, J, K) as stored, affine (4, 4): label values (1, I, J, K)
    probabilities = program(image, affine)  # (1, classes, I, J, K)
"""
ONNX_USE = """The graph holds the networks alone: `images` (B, channels, sizes of a window) to `logits` (B, networks × classes, …).
What comes before and after stands below, and as JSON in `model.onnx.json` and in the metadata `medloop` of the graph.
`medloop predict --model model.onnx IMAGE --out OUT` does all of it.
"""


@dataclass(frozen=True)
class WrittenModel:
    """A model that was written: which, in how many networks, and what a reader must know."""

    model: Model
    networks: int
    notes: tuple[str, ...] = ()


def write_model(
    workspace: Workspace, out: Path, fmt: str, index: int | None, *, names: Sequence[str], regions: Sequence[tuple[int, ...]]
) -> WrittenModel:
    """Write a model to a new or empty folder.

    Args:
        workspace: The project.
        out: The folder.
        fmt: One of `MODEL_FORMATS`.
        index: Which model; None takes the one in use.
        names: Of the values of a mask, in their order.
        regions: Where labels share voxels, each value with those inside it.

    Raises:
        NotFoundError: There is none.
        ConflictError: The folder is not empty.
        UnavailableError: ONNX without onnx.
    """
    with workspace.store.read() as tx:
        model = tx.live_model() if index is None else model_of_index(tx, index)
    if model is None:
        raise NotFoundError("There is no model to export yet", remedy="train one with: medloop train")
    weights, card = weights_of(workspace.store.blobs, model), model_card(workspace, model, names)
    if fmt == "model":
        files = _as_weights(workspace, model, weights, card)
        notes: tuple[str, ...] = ()
    else:
        files, notes = _as_program(workspace, model, weights, card, fmt, shared=bool(regions))
    with staged_folder(out) as staging:
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
    return WrittenModel(model, len(weights), notes)


def model_card(workspace: Workspace, model: Model, names: Sequence[str]) -> Json:
    """What `model.json` says: recipe, labels, snapshot, digests."""
    return {
        "medloop_model": 1,
        "id": model.id,
        "index": model.index,
        "task": {"kind": workspace.task.kind, "labels": dict(zip(names, workspace.task.mask_values, strict=True))},
        "recipe": model.recipe,
        "seed": workspace.settings.seed,
        "samples": int(model.metrics.get("samples", workspace.settings.samples)),
        "snapshot": model.snapshot_id,
        "weights_sha256": list(model.weights),
        "metrics": model.metrics,
        "created_at": model.created_at,
    }


def _as_weights(workspace: Workspace, model: Model, weights: Sequence[bytes], card: Json) -> dict[str, bytes]:
    files = {f"member-{n}.safetensors": member for n, member in enumerate(weights)}
    for more in weights_of(workspace.store.blobs, model, any_label=True):
        files["any-label.safetensors"] = more
    return files | {"model.json": f"{json.dumps(card, indent=2, sort_keys=True)}\n".encode()}


def _as_program(
    workspace: Workspace, model: Model, weights: Sequence[bytes], card: Json, fmt: str, *, shared: bool
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Files of a model that others run."""
    from medloop.models.exchange.bundle_out import bundle_files, readme
    from medloop.models.exchange.graphs import ModelParts, describe, to_onnx, to_torchscript

    values = region_values(workspace.task.labels) if shared else {}
    named = {label.name: values[label.value] for label in workspace.task.labels if label.value in values}
    parts: ModelParts = ModelParts(Recipe.from_json(model.recipe), weights, card, named)
    description, notes = describe(parts)
    said = f"{json.dumps(description.to_json(), indent=2)}\n".encode()
    if fmt == "onnx":
        page = readme(description, "an ONNX graph", ONNX_USE).encode()
        return {"model.onnx": to_onnx(parts, description), "model.onnx.json": said, "README.md": page}, notes
    script = to_torchscript(parts, description)
    if fmt == "monai-bundle":
        return bundle_files(description, script), notes
    return {"model.ts": script, "README.md": readme(description, "a TorchScript program", TORCHSCRIPT_USE).encode()}, notes
