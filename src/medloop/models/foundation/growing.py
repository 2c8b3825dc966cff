"""Weights of a network for a task whose labels have become more: old outputs keep their weights, the network says what it said.

A new label begins as a part of the background: it takes the background's weights, and both are lowered so that their probabilities add up
to what the background had. So nothing changes for the old labels before the first step. What an interactive network takes in grows as
well; the new channels (hints for the new labels) begin at 0.

A classification has no background that a new class could have been a part of: there a new output begins as the mean of the old ones. It
gets at most the share of one class among all (Jensen's inequality), and the old classes keep their proportions to each other.

Source: Cermelli et al. 2020, Modeling the background for incremental learning in semantic segmentation, arXiv:2002.00718, section 3.3.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from medloop.core.errors import FormatError
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe

HEAD, FIRST, BORDERS = "head.", "encoder.levels.0.conv1.", "borders.block.conv1."
"""Layers whose shape follows from the labels: outputs, and what sees the hints."""


def can_grow(before: Recipe, recipe: Recipe) -> bool:
    """Whether a network can become one for more labels: everything else about what it sees and says is the same."""
    same = ("kind", "dimension", "channels", "guided", "hints")
    return before.classes < recipe.classes and all(getattr(before, name) == getattr(recipe, name) for name in same)


def grown_weights(before: Recipe, classes: int, data: bytes) -> bytes:
    """Safetensors of a network of the recipe before, for so many outputs.

    Raises:
        FormatError: They are not weights of that recipe.
    """
    old = decode_weights(data)
    fresh = build_network(dataclasses.replace(before, classes=classes, regions=()), seed=0).state_dict()
    return encode_weights({name: _grown(name, old, tensor, before, classes) for name, tensor in fresh.items()})


def grown_importances(before: Recipe, classes: int, data: bytes) -> bytes:
    """Importances of its weights likewise: weights that are new matter to nothing yet."""
    old = decode_weights(data)
    fresh = build_network(dataclasses.replace(before, classes=classes, regions=()), seed=0).state_dict()
    found = {}
    for name, tensor in old.items():
        if name in fresh:
            places = _places(name, tensor, fresh[name], before, classes)
            found[name] = tensor if places is None else _placed(torch.zeros_like(fresh[name]), tensor, places)
    return encode_weights(found)


def _grown(name: str, old: Mapping[str, Tensor], fresh: Tensor, before: Recipe, classes: int) -> Tensor:
    if name not in old:
        raise FormatError(f"The weights do not belong to this recipe: {name} is missing", remedy="train the model again")
    places = _places(name, old[name], fresh, before, classes)
    if places is None:
        return old[name]
    axis, _ = places
    grown = _placed(torch.zeros_like(fresh), old[name], places)
    if axis == 0 and before.kind == "classification":
        grown[before.classes :] = old[name].mean(0)
    elif axis == 0:
        _share_background(grown, old=before.classes, bias=name.endswith("bias"))
    return grown


def _share_background(grown: Tensor, *, old: int, bias: bool) -> None:
    """Give new outputs the background's weights, and the bias that splits its probability evenly."""
    share = math.log(1 + len(grown) - old) if bias else 0.0
    grown[0] -= share
    grown[old:] = grown[0]


def _places(name: str, old: Tensor, fresh: Tensor, before: Recipe, classes: int) -> tuple[int, Sequence[int]] | None:
    """The axis along which a tensor grows and where its old slices go; None for one that keeps its shape.

    Raises:
        FormatError: It has neither shape.
    """
    if old.shape == fresh.shape:
        return None
    axis = 0 if name.startswith(HEAD) else 1
    places = range(before.classes) if axis == 0 else _input_places(name, before, classes, old.shape[1])
    fits = old.ndim == fresh.ndim and len(places) == old.shape[axis] and old.shape[1 - axis :][:1] == fresh.shape[1 - axis :][:1]
    if not fits or not name.startswith((HEAD, FIRST, BORDERS)):
        raise FormatError(f"The weights do not belong to this recipe: {name} is {tuple(old.shape)}", remedy="train the model again")
    return axis, places


def _input_places(name: str, before: Recipe, classes: int, channels: int) -> list[int]:
    """Where the input channels of a layer go: image, then previous foreground, hints of every class and boxes of the foreground."""
    old, step = before.classes, 1
    image = before.channels
    places = [*range(image)]
    for start, count in ((0, old - 1), (classes - 1, old), (2 * classes - 1, old - 1)):
        places += [image + start + n for n in range(count)]
    if name.startswith(FIRST):
        step = math.prod(before.fold[: before.dimension])
        return [place * step + n for place in places for n in range(step)]
    width = channels - len(places)
    return [*range(width), *(width + place for place in places)]


def _placed(blank: Tensor, old: Tensor, places: tuple[int, Sequence[int]]) -> Tensor:
    axis, where = places
    return blank.to(old.dtype).index_copy(axis, torch.tensor(list(where)), old)
