"""Weights of one network put into another: which layers fit, which do not, and why.

By name first: networks of this product share names, and so do two versions of one encoder. Where no name fits, convolutions are paired in
their order by shape, as many as possible (the longest common subsequence); normalisations and biases then stay new, as their sense depends
on the layer before. Nothing is guessed beyond that: a layer of another shape stays as it was initialised, and the report says so.

    as it is          the same shape
    first channels    inputs beyond those offered (prompts of an interactive network) stay new
    summed            the first convolution of a network for colours, for grey images: the same as repeating the grey channel
    repeated          the reverse, divided by the number of channels
    inflated          a 2D kernel repeated along the third axis and divided by its length, where that is asked for

Source: Carreira and Zisserman 2017 (I3D), arXiv:1705.07750, section 2.1, for inflation.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from medloop.core.errors import InputError
from medloop.core.records import Json
from medloop.models.foundation.plans import COLOURED, GREY

Weights = Mapping[str, Tensor]
How = Literal["as it is", "first channels", "summed", "repeated", "inflated", "new"]
PREFIXES = ("module.", "model.", "network.", "net.", "backbone.", "state_dict.", "student.", "teacher.")
"""What training programs put before the names of a network's layers."""

SEES_INPUT = ("borders.block.conv1.",)
"""Layers beside the first that see the network's input, after features."""

ENCODER = "encoder."

HEADS = ("head.",)
"""Layers that belong to the labels of a task: never taken."""

SHOWN = 5


@dataclass(frozen=True)
class LayerLine:
    """What became of one tensor of a network: where it comes from ("" where it is new), how, and why it is new."""

    name: str
    shape: tuple[int, ...]
    source: str
    how: How
    why: str = ""


@dataclass(frozen=True, eq=False)
class Transfer:
    """The outcome.

    Attributes:
        weights: Every tensor of the network.
        lines: One per tensor, in order.
        unused: Names offered that nothing took.
    """

    weights: dict[str, Tensor]
    lines: tuple[LayerLine, ...]
    unused: tuple[str, ...]

    @property
    def taken(self) -> int:
        """How many tensors were taken, in part or whole."""
        return sum(line.how != "new" for line in self.lines)

    @property
    def share(self) -> float:
        """Share of the network's numbers that were taken, 0..1; of the head none is wanted, so it does not count."""
        wanted = [(line, self.weights[line.name].numel()) for line in self.lines if not line.name.startswith(HEADS)]
        return sum(size for line, size in wanted if line.how != "new") / max(1, sum(size for _, size in wanted))

    def to_json(self) -> Json:
        """The report as plain values."""
        return {
            "taken": self.taken, "of": len(self.lines), "share": round(self.share, 4), "unused": list(self.unused),
            "layers": [{**vars(line), "shape": list(line.shape)} for line in self.lines],
        }  # fmt: skip

    @property
    def words(self) -> str:
        """The report in one line."""
        kinds = dict.fromkeys(line.how for line in self.lines if line.how not in ("new", "as it is"))
        how = f" ({', '.join(kinds)})" if kinds else ""
        return f"{self.taken} of {len(self.lines)} tensors taken{how}, {self.share:.0%} of the numbers; the rest is new"


def transfer(
    fresh: Weights, offered: Weights, *, inflate: bool = False, source: str = "the weights", encoder_only: bool = False
) -> Transfer:
    """Put what fits of the offered weights into a network's fresh ones.

    Args:
        fresh: Every tensor of the network, as initialised.
        offered: Tensors by name, in the order of their network.
        inflate: Whether 2D kernels may become 3D ones.
        source: What the weights are called in an error.
        encoder_only: Whether the decoder stays new where it would fit, too.

    Raises:
        InputError: Nothing fits.
    """
    fitting = _by_name(fresh, offered, inflate=inflate) or _by_order(fresh, offered, inflate=inflate)
    if encoder_only:
        fitting = {name: taken for name, taken in fitting.items() if name.startswith(ENCODER)}
    if not any(fresh[name].ndim >= 3 for name in fitting):
        raise InputError(_nothing_fits(fresh, offered, source), remedy=_remedy(fresh, offered, inflate=inflate))
    used = {one.source for one in fitting.values()}
    weights = {name: fitting[name].tensor.to(tensor.dtype).clone() if name in fitting else tensor.clone() for name, tensor in fresh.items()}
    lines = tuple(_line(name, tensor, fitting.get(name), offered, encoder_only=encoder_only) for name, tensor in fresh.items())
    return Transfer(weights, lines, tuple(name for name in offered if name not in used))


@dataclass(frozen=True, eq=False)
class _Taken:
    source: str
    tensor: Tensor
    how: How


def _line(name: str, tensor: Tensor, found: _Taken | None, offered: Weights, *, encoder_only: bool) -> LayerLine:
    shape = tuple(tensor.shape)
    if found is not None:
        return LayerLine(name, shape, found.source, found.how)
    if name.startswith(HEADS):
        return LayerLine(name, shape, "", "new", "it belongs to the labels")
    if encoder_only and not name.startswith(ENCODER):
        return LayerLine(name, shape, "", "new", "the encoder alone is taken")
    names = {_plain(other): other for other in offered}
    if (other := names.get(_plain(name))) is not None:
        return LayerLine(name, shape, "", "new", f"{other} has the shape {tuple(offered[other].shape)}")
    return LayerLine(name, shape, "", "new", "nothing of its shape comes at its place" if tensor.ndim >= 3 else "no layer of its name")


def _plain(name: str) -> str:
    """A name without what training programs put before it."""
    while (prefix := next((p for p in PREFIXES if name.startswith(p)), None)) is not None:
        name = name.removeprefix(prefix)
    return name


def _by_name(fresh: Weights, offered: Weights, *, inflate: bool) -> dict[str, _Taken]:
    """Tensors of the same name whose shape fits; the names of an encoder alone may lack the word encoder."""
    names: dict[str, str] = {}
    for name in offered:
        names.setdefault(_plain(name), name)
    encoder_alone = not any(name.startswith("encoder.") for name in names)
    found: dict[str, _Taken] = {}
    for name, tensor in fresh.items():
        other = names.get(name) or (names.get(name.removeprefix("encoder.")) if encoder_alone else None)
        if other is None or name.startswith(HEADS):
            continue
        first = _is_first(name, fresh)
        grown = first or name.startswith(SEES_INPUT)
        if (taken := _fit(tensor, offered[other], other, inflate=inflate, colours=first, grown=grown)) is not None:
            found[name] = taken
    return found if any(fresh[name].ndim >= 3 for name in found) else {}


def _is_first(name: str, fresh: Weights) -> bool:
    return name == next((other for other, tensor in fresh.items() if tensor.ndim >= 3), None)


def _by_order(fresh: Weights, offered: Weights, *, inflate: bool) -> dict[str, _Taken]:
    """Convolutions of the encoder paired in order; kernels of one voxel alone are no evidence that anything belongs together."""
    wanted = [name for name, tensor in fresh.items() if tensor.ndim >= 3 and name.startswith("encoder.")]
    given = [name for name in sorted(offered, key=_natural) if offered[name].ndim >= 3]
    first = wanted[0] if wanted else ""

    def fit(name: str, other: str) -> _Taken | None:
        return _fit(fresh[name], offered[other], other, inflate=inflate, colours=name == first and other == given[0])

    pairs = _common(wanted, given, lambda a, b: fit(a, b) is not None)
    found = {name: taken for name, other in pairs if (taken := fit(name, other)) is not None}
    return found if any(fresh[name][0, 0].numel() > 1 for name in found) else {}


def _natural(name: str) -> tuple[tuple[bool, int, str, str], ...]:
    """A key that sorts layer 2 before layer 10, however long the numbers of a file from elsewhere are."""
    parts = ((part.isdecimal(), part.lstrip("0"), part) for part in re.split(r"([0-9]+)", name))
    return tuple((number, len(digits) if number else 0, digits if number else "", part) for number, digits, part in parts)


def _common(first: Sequence[str], second: Sequence[str], fits: Callable[[str, str], bool]) -> list[tuple[str, str]]:
    """The longest common subsequence of two sequences, as pairs; of equally long ones that with the earliest partners."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    same = [[fits(a, b) for b in second] for a in first]
    for i in range(len(first) - 1, -1, -1):
        for j in range(len(second) - 1, -1, -1):
            table[i][j] = max(table[i + 1][j], table[i][j + 1], table[i + 1][j + 1] + 1 if same[i][j] else 0)
    pairs, i, j = list[tuple[str, str]](), 0, 0
    while i < len(first) and j < len(second):
        if same[i][j] and table[i][j] == table[i + 1][j + 1] + 1:
            pairs.append((first[i], second[j]))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _fit(wanted: Tensor, given: Tensor, source: str, *, inflate: bool, colours: bool, grown: bool = False) -> _Taken | None:
    """The given tensor in the wanted shape, by the rules of the module; None where it does not fit.

    `colours` says that the channels of its inputs are those of images, `grown` that more may follow.
    """
    if not given.is_floating_point() or not bool(torch.isfinite(given).all()):
        return None
    inflated = inflate and given.ndim == 4 and wanted.ndim == 5
    if inflated:
        depth = wanted.shape[-1]
        given = given.unsqueeze(-1).expand(*given.shape, depth) / depth
    how: How = "inflated" if inflated else "as it is"
    if given.shape == wanted.shape:
        return _Taken(source, given, how)
    if wanted.ndim < 3 or given.ndim != wanted.ndim or given.shape[0] != wanted.shape[0] or given.shape[2:] != wanted.shape[2:]:
        return None
    return _fit_inputs(wanted, given, source, colours=colours, grown=grown)


def _fit_inputs(wanted: Tensor, given: Tensor, source: str, *, colours: bool, grown: bool) -> _Taken | None:
    """A kernel that differs in its inputs alone."""
    theirs, ours = given.shape[1], wanted.shape[1]
    if colours and (theirs, ours) == (COLOURED, GREY):
        return _Taken(source, given.sum(dim=1, keepdim=True), "summed")
    if colours and (theirs, ours) == (GREY, COLOURED):
        return _Taken(source, given.expand(-1, COLOURED, *given.shape[2:]) / COLOURED, "repeated")
    if grown and ours > theirs:
        return _Taken(source, torch.cat([given.to(wanted.dtype), wanted[:, theirs:]], dim=1), "first channels")
    return None


def _nothing_fits(fresh: Weights, offered: Weights, source: str) -> str:
    wanted = next((_shape(t) for t in fresh.values() if t.ndim >= 3), "no convolution")
    given = [f"{name} {_shape(t)}" for name, t in offered.items() if t.ndim >= 3][:SHOWN] or ["no convolution"]
    return f"An encoder needs convolutions of the network's shapes, the first {wanted}; {source} has {', '.join(given)}"


def _remedy(fresh: Weights, offered: Weights, *, inflate: bool) -> str:
    deepest = max((t.ndim for t in fresh.values()), default=0)
    flat = max((t.ndim for t in offered.values()), default=0) == 4 and deepest == 5
    if flat and not inflate:
        return "2D weights become 3D ones with --inflate (inflate=True)"
    return "give weights of a network of the same levels and widths, or pretrain on the project's own images"


def _shape(tensor: Tensor) -> str:
    return "×".join(str(n) for n in tensor.shape)
