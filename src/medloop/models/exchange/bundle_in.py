"""What a MONAI bundle says of its network, read as data: nothing in it is evaluated.

A bundle's configuration is a program: `_target_` names a class that is built, `$` an expression that is evaluated, `scripts/` modules that
are imported. Here the few parts that matter (transforms before the network, inferer, transforms behind it) are read as names and numbers;
names must be on a list, expressions must be of the harmless forms that bundles begin with, and anything else refuses the bundle.

Source: MONAI bundle specification 0.1 and configuration syntax, docs.monai.io.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, NotFoundError
from medloop.core.records import Json
from medloop.images.files import read_bounded
from medloop.models.exchange.child import Kind
from medloop.models.exchange.description import KEY, Description, Run, Window
from medloop.models.exchange.intensities import Step

METADATA, INFERENCE = "configs/metadata.json", "configs/inference.json"
SCRIPT, STATE = "models/model.ts", "models/model.pt"
MOST_BYTES = 4 << 20
OWN_RUN = "$[@postprocessing({**item, 'pred': @network.mask(item['image'][None], item['image_affine'])}) for item in @dataset]"
"""How a bundle that medloop wrote runs without an engine."""

HARMLESS = re.compile(
    r"""\$(
    import\s[a-z_.]+ |                                                     # imports of the template
    @[\w#:]+ (\s*\+\s*'[\w./*\-]*')* |                                     # a reference, with a path behind it
    @[\w#:]+\.(to\(@device\)|run\(\)|eval\(\)) |
    torch\.device\(\s*'[\w:]+'(\s+if\s+torch\.cuda\.is_available\(\)\s+else\s+'[\w:]+')?\s*\) |
    (list\()?sorted\(glob\.glob\([^()]*\)\)\)? |
    \[\{\s*'image':\s*\w+\s*\}\s*for\s+\w+\s+in\s+@\w+\s*\]
    )""",
    re.VERBOSE,
)
TARGETS = (
    "Compose", "LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "CastToTyped", "ToTensord", "ToDeviced", "Orientationd", "Spacingd",
    "Resized", "ScaleIntensityRanged", "ScaleIntensityd", "ScaleIntensityRangePercentilesd", "NormalizeIntensityd",
    "ClipIntensityPercentilesd", "FromMetaTensord", "FlattenSubKeysd", "Activationsd", "AsDiscreted", "Invertd", "SaveImaged",
    "KeepLargestConnectedComponentd", "SlidingWindowInferer", "SimpleInferer", "Dataset", "CacheDataset", "DataLoader", "ThreadDataLoader",
    "SupervisedEvaluator", "StatsHandler", "CheckpointLoader", "MeanDice", "from_engine", "torch.jit.load",
    "UNet", "BasicUNet", "DynUNet", "SegResNet", "VNet", "AttentionUnet", "UNETR", "SwinUNETR", "DenseNet121", "EfficientNetBN", "ResNet",
)  # fmt: skip
"""Names that a configuration may hold; of these only transforms, inferer and network are read at all."""
IGNORED = frozenset(
    ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "CastToTyped", "ToTensord", "ToDeviced", "FromMetaTensord", "FlattenSubKeysd")
)
_REMEDY = "export the network alone as models/model.ts, and describe it with options"


@dataclass(frozen=True)
class Bundle:
    """A bundle: its network's file, of which kind, how it is built, and what is done around it."""

    path: Path
    kind: Kind
    network: Json
    description: Description


def is_bundle(folder: Path) -> bool:
    """Whether a folder is a MONAI bundle."""
    return (folder / METADATA).is_file()


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's description.

    Raises:
        NotFoundError: A part of it is missing.
        FormatError: It holds code, or steps that are not known here.
    """
    if (folder / "scripts").exists():
        raise FormatError(f"{folder.name}: a bundle must not bring code, it has a folder scripts", remedy=_REMEDY)
    meta, config = _json(folder / METADATA), _json(folder / INFERENCE)
    _require_data(folder.name, config)
    script = folder / SCRIPT
    if isinstance(meta.get("medloop"), dict) and KEY in meta["medloop"]:
        _require_file(script)
        return Bundle(script, "torchscript", {}, Description.from_json(meta["medloop"], folder.name))
    description = _described(folder.name, meta, config)
    if script.is_file():
        return Bundle(script, "torchscript", {}, description)
    _require_file(folder / STATE)
    network = _resolved(config.get("network_def"), config)
    if not isinstance(network, dict) or _has_expression(network):
        raise FormatError(f"{folder.name}: network_def must be a network of MONAI with plain arguments", remedy=_REMEDY)
    return Bundle(folder / STATE, "monai", network, description)


def _json(path: Path) -> Json:
    _require_file(path)
    try:
        found = json.loads(read_bounded(path, MOST_BYTES))
    except (ValueError, RecursionError):
        raise FormatError(f"{path.name}: must be valid JSON, it is not", remedy="write it again") from None
    if not isinstance(found, dict):
        raise FormatError(f"{path.name}: must hold a JSON object, got {type(found).__name__}", remedy="write it again")
    return found


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise NotFoundError(f"A bundle needs {path.parent.name}/{path.name}, which is missing", remedy="copy the whole bundle")


def _require_data(name: str, config: Json) -> None:
    """Refuse what would run code, wherever it stands."""
    for key, value in _walk(config):
        if key == "_target_" and str(value).rsplit(".", 1)[-1] not in TARGETS and value not in TARGETS:
            raise FormatError(f"{name}: a bundle may name only known parts as _target_, got {value!r:.80}", remedy=_REMEDY)
        if isinstance(value, str) and value.startswith("$") and not HARMLESS.fullmatch(value) and value != OWN_RUN:
            raise FormatError(f"{name}: a bundle must not run expressions, got {value!r:.80}", remedy=_REMEDY)
        if isinstance(value, str) and value.startswith("%"):
            raise FormatError(f"{name}: a bundle must not take in other files, got {value!r:.80}", remedy=_REMEDY)


def _walk(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > 40:
        raise FormatError("a configuration must not be nested deeper than 40 levels", remedy=_REMEDY)
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _walk(one, str(inner), depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _walk(one, key, depth + 1)
    else:
        yield key, value


def _has_expression(value: Any) -> bool:
    return any(isinstance(one, str) and one[:1] in "$@%" and one for _, one in _walk(value))


def _resolved(value: Any, config: Json, depth: int = 0) -> Any:
    """A part with its references (`@name`, `@name#0#key`) put in place."""
    if isinstance(value, str) and value.startswith("@") and depth < 20:
        found: Any = config
        for part in re.split(r"[#:]+", value[1:]):
            found = (
                found[int(part)]
                if isinstance(found, list) and part.isdecimal()
                else (found or {}).get(part)
                if isinstance(found, dict)
                else None
            )
        return _resolved(found, config, depth + 1)
    if isinstance(value, dict):
        return {key: _resolved(one, config, depth + 1) for key, one in value.items()}
    return [_resolved(one, config, depth + 1) for one in value] if isinstance(value, list) else value


def _described(name: str, meta: Json, config: Json) -> Description:
    try:
        data = meta["network_data_format"]
        given, answer = next(iter(data["inputs"].values())), next(iter(data["outputs"].values()))
        names = {int(place): str(label) for place, label in answer["channel_def"].items()}
        shape, channels = given.get("spatial_shape", (0, 0, 0)), int(given["num_channels"])
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError):
        rule = f"{name}: metadata.json must say channels and labels of its network (network_data_format)"
        raise FormatError(rule, remedy="describe it with options, as --labels") from None
    facts = _facts(name, _steps(config, "preprocessing"))
    behind = _steps(config, "postprocessing")
    activated = next((one for one in behind if _called(one) == "Activationsd"), {})
    sigmoid = bool(activated.get("sigmoid"))
    ordered = [names[place] for place in sorted(names)]
    labels = [label for place, label in zip(sorted(names), ordered, strict=True) if sigmoid or place > 0]
    values = {label: value for value, label in enumerate(labels, start=1)}
    return Description(
        kind="segmentation",
        dimension=len(shape),
        channels=channels,
        labels=values,
        outputs=tuple(values.values()) if sigmoid else (0, *values.values()),
        gives="sigmoid" if sigmoid else "logits",
        window=_window(name, _resolved(config.get("inferer"), config)),
        normalise_first=False,
        runs=(Run(),),
        origin={"made_by": str(meta.get("name", name))[:80], "version": str(meta.get("version", ""))[:40]},
        **facts,
    )


def _steps(config: Json, key: str) -> list[Json]:
    found = _resolved(config.get(key), config)
    transforms = found.get("transforms", []) if isinstance(found, dict) else []
    return [one for one in transforms if isinstance(one, dict) and not one.get("_disabled_")]


def _called(step: Json) -> str:
    return str(step.get("_target_", "")).rsplit(".", 1)[-1]


def _facts(name: str, steps: list[Json]) -> dict[str, Any]:
    """Fields of a description that the steps before a network say."""
    facts: dict[str, Any] = {"orientation": "", "spacing_mm": None, "intensities": ()}
    for step in steps:
        called = _called(step)
        if called in IGNORED:
            continue
        if _has_expression({key: one for key, one in step.items() if key != "_target_"}):
            raise FormatError(f"{name}: {called} must have plain numbers, it has an expression", remedy=_REMEDY)
        if called == "Orientationd":
            facts["orientation"] = str(step.get("axcodes", ""))
        elif called == "Spacingd":
            i, j, k = (float(mm) for mm in step["pixdim"])
            facts["spacing_mm"] = (i, j, k)
        elif (read := _intensity(called, step)) is not None:
            facts["intensities"] = (*facts["intensities"], read)
        else:
            raise FormatError(f"{name}: the step {called or '?'} before the network is not known here", remedy=_REMEDY)
    return facts


def _intensity(called: str, s: Json) -> Step | None:
    """A step of intensities as the same step here; None where there is none."""
    if called == "ScaleIntensityRanged":
        return Step("range", s["a_min"], s["a_max"], s.get("b_min", 0.0), s.get("b_max", 1.0), clip=bool(s.get("clip", False)))
    if called == "ScaleIntensityd":
        return Step("minmax", to_low=s.get("minv", 0.0), to_high=s.get("maxv", 1.0), channel_wise=bool(s.get("channel_wise", False)))
    if called == "ScaleIntensityRangePercentilesd" and not s.get("relative"):
        bounds = (s["lower"], s["upper"], s["b_min"], s["b_max"])
        return Step("percentiles", *bounds, clip=bool(s.get("clip", False)), channel_wise=bool(s.get("channel_wise", False)))
    if called == "NormalizeIntensityd" and s.get("subtrahend") is None and s.get("divisor") is None:
        return Step("zscore", nonzero=bool(s.get("nonzero", False)), channel_wise=bool(s.get("channel_wise", False)))
    if called == "NormalizeIntensityd" and isinstance(s.get("subtrahend"), int | float) and isinstance(s.get("divisor"), int | float):
        return Step("affine", subtract=s["subtrahend"], divide=s["divisor"])
    return None


def _window(name: str, inferer: Any) -> Window:
    called = _called(inferer) if isinstance(inferer, dict) else ""
    if called == "SimpleInferer" or inferer is None:
        return Window()
    if called != "SlidingWindowInferer" or _has_expression(
        {k: v for k, v in inferer.items() if k not in ("_target_", "device", "sw_device")}
    ):
        raise FormatError(
            f"{name}: the inferer must be SlidingWindowInferer with plain numbers or SimpleInferer, got {called!r:.40}", remedy=_REMEDY
        )
    size = [int(n) for n in inferer["roi_size"]]
    i, j, k = (*size, 1)[:3]
    return Window((i, j, k), float(inferer.get("overlap", 0.25)), inferer.get("mode", "constant"), whole=0.0)
