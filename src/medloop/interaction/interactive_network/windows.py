"""Which part of an image a network has to look at to answer prompts, and the same gestures on another grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import MaskArray
from medloop.core.geometry import Shape3, triple
from medloop.interaction.interactive_network.guidance import Channels
from medloop.interaction.modelfree.window import interpolated
from medloop.interaction.prompts import Box, ExtremePoints, Prompt, PromptedVoxels, Scribble, Voxel, exact_voxels, prompted_voxels
from medloop.interaction.regions import prompt_box

MARGIN = 8
"""Voxels around prompts that are looked at in any case: a hint's reach."""

WHOLE = 1.5
"""An axis up to this many patches long is looked at as a whole."""

MOST_VOXELS = 200_000
"""Larger windows than this are not zoomed to: a click has to stay a click."""

ZOOM = 1.5
"""How much longer the sides of a window get when its mask changes at the border."""


@dataclass(frozen=True)
class Span:
    """A window of a grid: its first voxel and its voxels per axis. It may reach beyond the grid, so the first may be negative."""

    start: Voxel
    shape: Shape3

    @property
    def stop(self) -> Voxel:
        """One past the last voxel."""
        return triple(np.add(self.start, self.shape))

    def inside(self, shape: Shape3) -> tuple[slice, ...]:
        """The part of it that lies within a grid of this shape, as slices of the grid."""
        return tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(self.start, self.stop, shape, strict=True))

    def own(self, shape: Shape3) -> tuple[slice, ...]:
        """The same part, as slices of the window."""
        return tuple(slice(s.start - a, s.stop - a) for s, a in zip(self.inside(shape), self.start, strict=True))


def prompts_within(prompts: Sequence[Prompt], span: Span, *, labels: Sequence[int]) -> list[PromptedVoxels]:
    """What prompts say about the voxels of a window, counted from its start, for each label; see `prompted_voxels`."""
    moved: list[Prompt] = []
    for prompt in prompts:
        places = exact_voxels(prompt, span.stop) - np.array(span.start)
        places = places[((places >= 0) & (places < np.array(span.shape))).all(axis=1)]
        if len(places):
            moved.append(Scribble(tuple(map(triple, places)), prompt.label, getattr(prompt, "positive", True)))
    return [prompted_voxels(moved, span.shape, label=label) for label in labels]


def span_around(prompts: Sequence[Prompt], shape: Shape3, *, patch: Shape3, stride: Shape3, zoom: float = 1.0) -> Span:
    """A window of at least a patch around prompts, its sides multiples of the network's stride.

    Args:
        prompts: At least one, on the grid.
        shape: The grid's.
        patch: What the network was trained on.
        stride: What its input's sides must be multiples of.
        zoom: How many times larger than necessary.
    """
    boxes = np.array([prompt_box(prompt, shape) for prompt in prompts])
    low, high = boxes[:, 0].min(axis=0) - MARGIN, boxes[:, 1].max(axis=0) + MARGIN
    sides = np.ceil(np.maximum(high - low, patch) * zoom)
    whole = np.array(shape) <= np.maximum(sides, WHOLE * np.array(patch))
    sides = np.ceil(np.where(whole, shape, sides) / stride).astype(int) * np.array(stride)
    sides = np.where(np.array(stride) > 1, np.maximum(sides, 2 * np.array(stride)), sides)  # also along an axis of one voxel
    start = np.where(whole, 0, np.clip((low + high - sides) // 2, 0, np.maximum(np.array(shape) - sides, 0)))
    return Span(triple(start), triple(sides))


def touches_border(changed: npt.NDArray[np.bool_], span: Span, shape: Shape3) -> bool:
    """Whether one of the voxels of the window's part within the grid changed at a side beyond which the grid goes on."""
    sides = [(axis, end) for axis in range(3) for end, on in ((0, span.start[axis] > 0), (-1, span.stop[axis] < shape[axis])) if on]
    return any(bool(np.take(changed, end, axis=axis).any()) for axis, end in sides)


def rescaled(prompts: Sequence[Prompt], before: Shape3, after: Shape3) -> Sequence[Prompt]:
    """Prompts on a grid of the same extent but another number of voxels; single voxels become scribbles."""
    if before == after:
        return prompts
    factors = np.array(after) / np.array(before)
    moved: list[Prompt] = []
    for prompt in prompts:
        if isinstance(prompt, Box):
            low, high = np.floor(np.array(prompt.start) * factors), np.ceil(np.array(prompt.stop) * factors)
            moved.append(Box(triple(low), triple(np.maximum(high, low + 1)), prompt.label))
            continue
        places = np.unique(np.floor((exact_voxels(prompt, before) + 0.5) * factors).astype(np.int64), axis=0)
        if len(places):
            moved.append(Scribble(tuple(map(triple, places)), prompt.label, getattr(prompt, "positive", True)))
    return moved


def meant_for(prompts: Sequence[Prompt], labels: Sequence[int]) -> Sequence[Prompt]:
    """What prompts say to somebody who knows only some labels: a positive hint for another label is a negative one for these."""
    meant: list[Prompt] = []
    for prompt in prompts:
        if prompt.label in labels:
            meant.append(prompt)
        elif isinstance(prompt, ExtremePoints):
            meant.append(Scribble(prompt.voxels, labels[0], positive=False))
        elif not isinstance(prompt, Box) and prompt.positive:
            meant.append(replace(prompt, label=labels[0], positive=False))
    return meant


def sampled(mask: MaskArray, shape: Shape3, span: Span) -> MaskArray:
    """A mask on the image's grid in a window of a working grid of some shape, by the nearest voxel; 0 beyond the grid."""
    sides = zip(span.inside(shape), mask.shape, shape, strict=True)
    picked = [np.minimum(((np.arange(part.start, part.stop) + 0.5) * n / m).astype(np.int64), n - 1) for part, n, m in sides]
    result = np.zeros(span.shape, dtype=np.uint8)
    result[span.own(shape)] = mask[np.ix_(*picked)]
    return result


def on_image(found: Channels, span: Span, shape: Shape3, image_shape: Shape3) -> tuple[Span, Channels]:
    """Probabilities (classes, …) of a window of the working grid on the image's grid, by linear interpolation.

    Returns:
        The window's part within the image, and the probabilities there, shape (classes, …).
    """
    inside, own = span.inside(shape), found[(slice(None), *span.own(shape))]
    if shape == image_shape:
        return _span(inside), own
    factors = np.array(image_shape) / np.array(shape)
    starts = [part.start for part in inside]
    low = np.floor(np.array(starts) * factors + 1e-9).astype(int)
    high = np.ceil([part.stop * f - 1e-9 for part, f in zip(inside, factors, strict=True)]).astype(int)
    for axis in (2, 1, 0):  # the last axis while the array is small: its values lie apart
        places = (np.arange(low[axis], high[axis]) + 0.5) / factors[axis] - 0.5 - starts[axis]
        own = interpolated(own, 1 + axis, places)
    return _span(tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))), own


def _span(inside: Sequence[slice]) -> Span:
    return Span(triple(part.start for part in inside), triple(part.stop - part.start for part in inside))
