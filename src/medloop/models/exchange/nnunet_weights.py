"""Weights that nnU-Net trained, as safetensors and back as the folder that nnU-Net predicts with.

nnU-Net's own checkpoints are pickles. Its weights are kept as safetensors, each tensor once though the network calls some by several
names; a folder for nnU-Net is written from them where one is needed, by the public layout: plans.json, dataset.json, fold_N.
"""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

from medloop.core.errors import FormatError
from medloop.core.records import Json
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.nnunet_recipe import NnunetRecipe
from medloop.models.foundation.plans import Spacing

CHECKPOINT = "checkpoint_final.pth"
THICK = 999.0
"""As nnU-Net's own readers of pictures have it."""
DAMAGED = (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, ImportError, MemoryError)
"""What PyTorch raises on a damaged file."""


def read_trained(file: Path) -> tuple[bytes, Json]:
    """The tensors of a file as safetensors, and each further name of a tensor → the one that it is kept by.

    Raises:
        FormatError: It holds anything but tensors, or is damaged.
    """
    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *DAMAGED) as error:
        words = (str(error).splitlines() or [""])[0][:120]
        raise FormatError(f"{file.name}: weights must be tensors alone ({words})", remedy="train again") from None
    kept: dict[str, torch.Tensor] = {}
    first: dict[tuple[int, torch.Size], str] = {}
    shared: dict[str, str] = {}
    for name, tensor in found.items():
        key = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() and key in first:
            shared[name] = first[key]
        else:
            kept[name], first[key] = tensor, name
    return encode_weights(kept), shared


def folder_files(recipe: NnunetRecipe, weights: Sequence[bytes], folder: Path) -> None:
    """Write what nnU-Net predicts with: the plans, the description, and a checkpoint per fold that names nnU-Net's own trainer."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(recipe.plans, indent=1))
    (folder / "dataset.json").write_text(json.dumps(recipe.dataset, indent=1))
    mirrored = _mirrored(recipe)
    for fold, data in enumerate(weights):
        tensors = decode_weights(data)
        network = tensors | {name: tensors[one] for name, one in recipe.shared.items()}
        checkpoint = {
            "network_weights": network,
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": recipe.configuration, "fold": fold},
            "inference_allowed_mirroring_axes": mirrored,
        }
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        torch.save(checkpoint, folder / f"fold_{fold}" / CHECKPOINT)


def told_spacing(spacing_mm: Spacing, *, flat: bool) -> Spacing:
    """The spacing that nnU-Net is told: of single slices a thickness beyond any pixel, as it takes the coarsest axis for that of slices."""
    i, j, k = spacing_mm
    return (i, j, THICK * max(i, j)) if flat else (i, j, k)


def image_axes(recipe_plans: Json, configuration: str, mirrored: Sequence[int]) -> tuple[int, ...]:
    """Axes of an image (I, J, K) by nnU-Net's numbers: in plans they are K, J, I, transposed, and a 2D network has the last two."""
    forward = [int(axis) for axis in recipe_plans.get("transpose_forward", (0, 1, 2))]
    flat = len(recipe_plans["configurations"][configuration]["patch_size"]) == 2
    return tuple(sorted(2 - forward[axis + flat] for axis in mirrored))


def in_image_order(recipe_plans: Json, values: Sequence[float]) -> Spacing:
    """Three numbers of plans, such as a spacing, as those of an image's axes (I, J, K); missing ones in front are 1."""
    forward = [int(axis) for axis in recipe_plans.get("transpose_forward", (0, 1, 2))]
    whole = [1.0] * (3 - len(values)) + list(values)
    i, j, k = (float(whole[forward.index(2 - axis)]) for axis in range(3))
    return i, j, k


def _mirrored(recipe: NnunetRecipe) -> tuple[int, ...] | None:
    """`flips` as nnU-Net's own numbers."""
    numbers = range(len(recipe.plans["configurations"][recipe.configuration]["patch_size"]))
    return tuple(n for n in numbers if set(image_axes(recipe.plans, recipe.configuration, (n,))) <= set(recipe.flips)) or None
