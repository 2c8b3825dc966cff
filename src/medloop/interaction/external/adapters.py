"""Promptable 2D networks that a user has on disk, as a refinement engine for pictures and volumes.

A slice with a prompt is answered by the network; from there the answer goes on to the slices beside it, each prompted
by the one before (its box, its deepest pixel, its logits), until the structure ends. Such networks paint something on
every slice they are prompted on, so the end is told by the picture: what would be covered looks different from what
was prompted. A mask that is corrected is changed on the prompted slices only. Slices are encoded when they are first
looked at, and the last ones kept.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate, pad

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.image import Image
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, require_wanted
from medloop.interaction.external.promptable_file import PromptableNetwork, load_promptable
from medloop.interaction.external.slice_prompts import SlicePrompts, prompts_by_slice, prompts_from_mask, slice_axis, slice_range
from medloop.interaction.guard import Guard, held, new_of
from medloop.interaction.prompts import Prompt
from medloop.interaction.regions import allowed_by_boxes

KEPT_SLICES = 64
SURE = 6.0
"""Logit of what is taken over from a mask rather than computed."""

LEAST_OVERLAP = 0.3
"""Dice with the slice before below which a structure counts as ended."""

LEAST_LIKENESS = 0.15
"""How far the mean intensity of a structure may move from that on the prompted slice, as a share of the image's range;
or twice the spread within it there, if that is more."""


@dataclass(frozen=True)
class Frame:
    """How a slice lies in the network's square: scaled so that pixels are square in mm, at the top left.

    Attributes:
        shape: The slice's two lengths.
        inner: What they become within the square.
        size: Side of the square.
    """

    shape: tuple[int, int]
    inner: tuple[int, int]
    size: int

    @classmethod
    def of(cls, shape: tuple[int, int], spacing_mm: tuple[float, float], size: int) -> "Frame":
        """The frame of slices with that spacing."""
        extents = [n * mm for n, mm in zip(shape, spacing_mm, strict=True)]
        first, second = (max(1, round(size * extent / max(extents))) for extent in extents)
        return cls(shape, (first, second), size)

    def into(self, picture: torch.Tensor, *, outside: float = 0.0) -> torch.Tensor:
        """A picture, shape (channels, *shape), in the square, shape (channels, size, size)."""
        scaled = interpolate(picture[None], self.inner, mode="bilinear", align_corners=False)[0]
        return pad(scaled, (0, self.size - self.inner[1], 0, self.size - self.inner[0]), value=outside)

    def out_of(self, logits: torch.Tensor) -> npt.NDArray[np.float32]:
        """Logits over the square, shape (h, w), as logits of the slice."""
        square = interpolate(logits[None, None], (self.size, self.size), mode="bilinear", align_corners=False)
        cut = square[:, :, : self.inner[0], : self.inner[1]]
        return interpolate(cut, self.shape, mode="bilinear", align_corners=False)[0, 0].numpy()

    def pixels(self, places: npt.NDArray[np.float64]) -> torch.Tensor:
        """Places in the slice, shape (n, 2), as (column, row) in the square."""
        scaled = (places + 0.5) * (np.array(self.inner) / np.array(self.shape)) - 0.5
        return torch.from_numpy(np.ascontiguousarray(scaled[:, ::-1])).float()


@dataclass(eq=False)
class _Slices:
    """An image as slices, with those encoded last."""

    axis: int
    frame: Frame
    scaled: npt.NDArray[np.float32]
    encoded: "OrderedDict[int, torch.Tensor]" = field(default_factory=OrderedDict)


@dataclass(frozen=True, eq=False)
class _Answer:
    """A slice's logits, the same as the network gave them, and the intensities they cover (mean and spread)."""

    logits: npt.NDArray[np.float32]
    raw: torch.Tensor
    mean: float
    spread: float

    @property
    def mask(self) -> BoolArray:
        return self.logits > 0

    def continues(self, before: "_Answer", first: "_Answer") -> bool:
        """Whether this is the same structure as on the slice before and on the one that was prompted."""
        alike = abs(self.mean - first.mean) <= max(LEAST_LIKENESS, 2 * first.spread)
        shared, both = int((before.mask & self.mask).sum()), int(before.mask.sum()) + int(self.mask.sum())
        return alike and 2 * shared / max(both, 1) >= LEAST_OVERLAP


class PromptableEngine:
    """Refines with a promptable 2D network."""

    def __init__(self, network: PromptableNetwork) -> None:
        self._network = network

    @classmethod
    def load(cls, path: Path, *, device: torch.device | None = None) -> "PromptableEngine":
        """An engine of a file; see `promptable_file` for what it must hold.

        Raises:
            NotFoundError, FormatError: As `load_promptable`.
        """
        return cls(load_promptable(path, device=device))

    @property
    def name(self) -> str:
        """For logs."""
        return f"promptable-{self._network.description.name}"

    def embed(self, image: Image) -> ImageEmbedding:
        """Scale intensities; slices are encoded when they are first prompted."""
        about, axis = self._network.description, slice_axis(image.grid)
        first, second = (n for n in range(3) if n != axis)
        shape, spacing = image.grid.shape, image.grid.spacing_mm
        frame = Frame.of((shape[first], shape[second]), (spacing[first], spacing[second]), about.size)
        array = image.array[: about.channels] if image.channels >= about.channels else image.array[:1]
        low, high = np.percentile(array, (about.low_percentile, about.high_percentile))
        scaled = np.clip((array.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1)
        return ImageEmbedding(image, self.name, _Slices(axis, frame, np.moveaxis(scaled, axis + 1, 0)))

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        """Answer prompts; see `Engine.refine`.

        Raises:
            CancelledError: The answer is no longer wanted.
        """
        grid = embedding.image.grid
        before = np.zeros(grid.shape, dtype=np.uint8) if previous is None else previous
        new = new_of(prompts, previous)
        logits = np.stack([np.where(before == label, SURE, -SURE) for label in labels]).astype(np.float32)
        for row, label in enumerate(labels):
            if all(p.label != label for p in prompts):
                continue
            drawn = self._draw(embedding.content, prompts, label, before == label, wanted)
            logits[row] = np.where(allowed_by_boxes(prompts, grid, label=label), drawn, -SURE)
        mask, probabilities = _decide(logits, labels)
        answer = RefinedMask(mask, probabilities, tuple(labels), None, (0, 0, 0), (0, 0, 0))
        return held(before, answer, prompts, new=new, grid=grid, narrow=narrowed_by(embedding.image), guard=Guard(locked=locked))

    def _draw(
        self, slices: _Slices, prompts: Sequence[Prompt], label: int, before: BoolArray, wanted: StillWanted
    ) -> npt.NDArray[np.float32]:
        """Logits of one label, shape of the image."""
        said = prompts_by_slice(prompts, before.shape, label=label, axis=slices.axis)
        earlier = np.moveaxis(before, slices.axis, 0)
        drawn = np.where(earlier, SURE, -SURE).astype(np.float32)
        answers: dict[int, _Answer] = {}
        for index, prompt in said.items():
            if prompt.starts or earlier[index].any():
                require_wanted(wanted)
                if not prompt.starts:  # it only says what is wrong, and so gets the box of the mask it corrects
                    prompt = SlicePrompts(prompt.on, prompt.off, prompts_from_mask(earlier[index]).box)
                answers[index] = self._answer(slices, index, prompt, self._previous(slices, earlier[index]))
        if not before.any():
            within = slice_range(prompts, len(drawn), label=label, axis=slices.axis)
            for index in list(answers):
                for step in (-1, 1):
                    self._spread(slices, said, answers, index, step, within, wanted)
        for index, answer in answers.items():
            drawn[index] = answer.logits
        return np.moveaxis(drawn, 0, slices.axis)

    def _spread(
        self,
        slices: _Slices,
        said: Mapping[int, SlicePrompts],
        answers: dict[int, _Answer],
        index: int,
        step: int,
        within: range,
        wanted: StillWanted,
    ) -> None:
        """Go on from a slice in one direction, until the structure ends or another slice is reached that has an answer."""
        first = here = answers[index]
        while (index := index + step) in within and index not in answers and here.mask.any():
            require_wanted(wanted)
            told, hints = prompts_from_mask(here.mask), said.get(index, SlicePrompts())
            prompt = SlicePrompts(np.vstack([told.on, hints.on]), hints.off, told.box)
            there = self._answer(slices, index, prompt, here.raw)
            if not there.continues(here, first):
                return
            answers[index] = here = there

    def _answer(self, slices: _Slices, index: int, prompt: SlicePrompts, previous: torch.Tensor) -> _Answer:
        frame, side = slices.frame, self._network.description.previous
        points = frame.pixels(np.vstack([prompt.on, prompt.off]))
        labels = torch.cat([torch.ones(len(prompt.on)), torch.zeros(len(prompt.off))])
        boxes = torch.zeros(0, 4) if prompt.box is None else frame.pixels(prompt.box).reshape(1, 4)
        scaled = interpolate(previous[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]
        raw = self._network.decode(self._encoded(slices, index), points, labels, boxes, scaled)
        logits = frame.out_of(raw)
        covered = slices.scaled[index][:, logits > 0]
        return _Answer(logits, raw, *((float(covered.mean()), float(covered.std())) if covered.size else (0.0, 0.0)))

    def _encoded(self, slices: _Slices, index: int) -> torch.Tensor:
        if index not in slices.encoded:
            slices.encoded[index] = self._network.encode(self._picture(slices, index))
            if len(slices.encoded) > KEPT_SLICES:
                slices.encoded.popitem(last=False)
        return slices.encoded[index]

    def _picture(self, slices: _Slices, index: int) -> torch.Tensor:
        about = self._network.description
        picture = slices.frame.into(torch.from_numpy(np.ascontiguousarray(slices.scaled[index]))).expand(about.channels, -1, -1)
        mean, std = (torch.tensor(v[: about.channels]).reshape(-1, 1, 1) for v in (about.mean, about.std))
        return (picture - mean) / std

    def _previous(self, slices: _Slices, mask: BoolArray) -> torch.Tensor:
        """A mask of a slice as logits of an earlier answer; zeros for an empty one."""
        side = self._network.description.previous
        if not mask.any():
            return torch.zeros(side, side)
        return slices.frame.into(torch.from_numpy(np.where(mask, SURE, -SURE).astype(np.float32))[None], outside=-SURE)[0]


def _decide(logits: npt.NDArray[np.float32], labels: Sequence[int]) -> tuple[MaskArray, npt.NDArray[np.float32]]:
    """The likeliest label of each voxel, and probabilities; background has logit 0."""
    every = np.concatenate([np.zeros_like(logits[:1]), logits])
    weights = np.exp(every - every.max(axis=0))
    values = np.array([0, *labels], dtype=np.uint8)
    probabilities: Any = (weights / weights.sum(axis=0)).astype(np.float32)
    return values[every.argmax(axis=0)], probabilities
