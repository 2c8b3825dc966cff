"""A trained model as files for other programs: TorchScript that does everything, and ONNX of the networks alone.

Both hold their `Description`: as the extra file `medloop.json` of the archive, and as the metadata `medloop` of the graph.
"""

import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import UnavailableError
from medloop.core.records import Json
from medloop.core.settings import UncertaintySource
from medloop.models.exchange.description import Description, Run, Window
from medloop.models.exchange.intensities import ROBUST
from medloop.models.exchange.whole import Whole
from medloop.models.foundation.networks import AnyNetwork, SegmentationNetwork, load_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.inference import OVERLAP, WHOLE
from medloop.models.inference.uncertainty import Pass, sampler_of

EXTRA_FILE = "medloop.json"
METADATA = "medloop"
OPSET = 17
"""Of ONNX, from which on group normalisation by parts is exact; onnxruntime reads it since 1.12."""

Regions = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class ModelParts:
    """A trained model in parts.

    Attributes:
        recipe: What it was trained with.
        weights: Safetensors of each member.
        card: Its `model.json` (`medloop.loop.data.exporting`).
        regions: Name of a label → all values whose voxels belong to it, where labels share voxels.
    """

    recipe: Recipe
    weights: Sequence[bytes]
    card: Json
    regions: Regions


def describe(parts: ModelParts) -> tuple[Description, tuple[str, ...]]:
    """What has to be done around the networks, and in words what these files do otherwise than the project."""
    recipe, metrics = parts.recipe, parts.card["metrics"]
    source: UncertaintySource = metrics.get("uncertainty_source", "all")
    sampler = sampler_of(source, members=len(parts.weights), axes=recipe.flips)
    samples = max(1, -(-int(parts.card.get("samples", 1)) // recipe.heads))
    passes = sampler.passes(samples, np.random.default_rng(0))
    plain = tuple(Run(one.member, one.flips) for one in passes if one.dropout_seed is None) or (Run(),)
    labels = {str(name): int(value) for name, value in parts.card["task"]["labels"].items()}
    found = Description(
        kind=recipe.kind,
        dimension=recipe.dimension,
        channels=recipe.channels,
        labels=labels,
        outputs=tuple(range(recipe.classes)),
        heads=recipe.heads if recipe.kind == "segmentation" else 1,
        spacing_mm=recipe.spacing_mm if recipe.kind == "segmentation" else None,
        framed_mm=recipe.framed_mm if recipe.kind == "segmentation" else None,
        size=recipe.patch if recipe.kind == "classification" else None,
        fitted=recipe.patch if recipe.fitted else None,
        intensities=(ROBUST,),
        window=Window(recipe.patch, OVERLAP, "gaussian", WHOLE, recipe.stride) if recipe.kind == "segmentation" else Window(),
        runs=plain,
        calibration=metrics.get("calibration", {}).get("calibrator", {}),
        not_learned=tuple(int(value) for value in metrics.get("not_learned", ())),
        regions=parts.regions,
        origin={key: parts.card[key] for key in ("id", "index", "snapshot", "created_at") if key in parts.card} | {"made_by": "medloop"},
    )
    return found, _differences(recipe, passes)


def _differences(recipe: Recipe, passes: Sequence[Pass]) -> tuple[str, ...]:
    dropped = sum(one.dropout_seed is not None for one in passes)
    notes: tuple[str, ...] = ()
    if dropped:
        notes += (
            f"{dropped} of {len(passes)} answers of this model drop channels at random, which only the format model repeats: "
            "this file leaves them out, and masks may differ in voxels that are close calls",
        )
    if recipe.precision != "float32":
        notes += ("this file computes in 32 bit; where medloop computes in bfloat16, masks may differ in voxels that are close calls",)
    return notes


def to_torchscript(parts: ModelParts, description: Description) -> bytes:
    """The whole model as a TorchScript archive; see `Whole`. Its description says that it takes images as they are stored."""
    traced = _traced(parts, description)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is announced to make way for torch.export, which MONAI's bundles do not read yet
        script = torch.jit.script(Whole(traced, description).eval())
        stream = io.BytesIO()
        told = replace(description, takes="image", gives="probabilities")
        torch.jit.save(script, stream, _extra_files={EXTRA_FILE: json.dumps(told.to_json()).encode()})
    return stream.getvalue()


def to_onnx(parts: ModelParts, description: Description) -> bytes:
    """The networks as one ONNX graph: `images` (B, channels, …) to `logits` (B, members × heads × classes, …), any size that fits.

    Raises:
        UnavailableError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise UnavailableError("Writing ONNX needs onnx, which is not installed", remedy="pip install 'medloop[onnx]'") from None
    networks, example = _members(parts, description), _example(parts.recipe)
    space = {2 + axis: f"size{axis}" for axis in range(parts.recipe.dimension)} if parts.recipe.kind == "segmentation" else {}
    axes = {"images": {0: "batch", **space}, "logits": {0: "batch", **space}}
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is announced to go
        torch.onnx.export(
            networks,
            (example,),
            stream,  # type: ignore[arg-type]  # it writes into streams, too
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load_from_string(stream.getvalue())
    entry = graph.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(description.to_json())
    onnx.checker.check_model(graph)
    content: bytes = graph.SerializeToString()
    return content


class _Members(nn.Module):
    """All members, and of each all heads, one after the other in the channels."""

    def __init__(self, members: Sequence[AnyNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.networks = tuple(members)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to logits (B, members × heads × classes, …)."""
        found = []
        for network in self.networks:
            deepest, skips = network.encode(images)
            decode = network.decode_heads if isinstance(network, SegmentationNetwork) else network.decode
            found.append(decode(deepest, skips))
        return torch.cat(found, dim=1)


def _members(parts: ModelParts, description: Description) -> _Members:
    """Those of the members that a run names."""
    members = [load_network(parts.recipe, data).cpu() for data in parts.weights[: description.members]]
    return _Members(members).eval().requires_grad_(False)


def _example(recipe: Recipe) -> Tensor:
    size = [max(n, 2 * s) for n, s in zip(recipe.patch, recipe.stride, strict=True)] if recipe.kind == "segmentation" else recipe.patch
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.randn(1, recipe.channels, *size[: recipe.dimension])


def _traced(parts: ModelParts, description: Description) -> nn.Module:
    networks = _members(parts, description)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        traced: nn.Module = torch.jit.trace(networks, _example(parts.recipe), check_trace=False)  # type: ignore[no-untyped-call]
    return traced
