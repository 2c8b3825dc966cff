"""The project's own network as a refinement engine: it proposes by itself, and answers prompts in a window around them.

Each answer is the network's, bent to the hints (`adaptation`), then cut along the image's edges (`mincut`), with every hint obeyed.
What lies outside the window stays as it was, so the cost does not grow with the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import FormatError, InputError, LabelError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, certain_shares, changed_box, require_wanted
from medloop.interaction.guard import Guard, held, new_of
from medloop.interaction.interactive_network.adaptation import Adaptation
from medloop.interaction.interactive_network.choosing import choose_labels
from medloop.interaction.interactive_network.guidance import Channels, Window, guidance_channels, prompt_places
from medloop.interaction.interactive_network.passes import Ensemble, predict_window, propose
from medloop.interaction.interactive_network.windows import (
    MOST_VOXELS,
    ZOOM,
    Span,
    meant_for,
    rescaled,
    sampled,
    span_around,
    touches_border,
)
from medloop.interaction.prompts import Prompt, unanswered
from medloop.interaction.solvers.mincut import SMOOTHNESS
from medloop.models.foundation.fitting import cut, fit_for_networks
from medloop.models.foundation.networks import SegmentationNetwork, load_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.resample import resample

NAME = "network"
EMPHASIS = 2.0
"""Chosen on hippocampus MR, on cases neither trained nor tested on: 1 makes too little of clicks, 3 too much of the later ones."""


@dataclass(frozen=True)
class Refinement:
    """What happens to the network's answer.

    Attributes:
        adaptation: How far the network bends to the hints; None leaves it as it is.
        emphasis: How many times the step from the answer without hints to that with them is taken, where nothing is adapted:
            networks make too little of single clicks. 1 takes their word; other values cost a second pass.
        smoothness: Price of a boundary in the cut, see `mincut.cut`; None takes the likeliest label of each voxel.
        zooms: How often a window may grow while its mask changes at the border.
    """

    adaptation: Adaptation | None = None
    emphasis: float = EMPHASIS
    smoothness: float | None = SMOOTHNESS
    zooms: int = 3


USUAL = Refinement()


class Look:
    """What the engine has worked out from an image, which `fitted` holds as the networks read it."""

    def __init__(self, image: Image, ensemble: Ensemble) -> None:
        self.fitted = fit_for_networks(ensemble.recipe, image)
        self._ensemble = ensemble

    @cached_property
    def proposal(self) -> Channels:
        """What the networks say by themselves, on the image's grid, shape (classes, I, J, K)."""
        return resample(propose(self._ensemble, self.fitted.array), self.fitted.image.grid.shape)


@dataclass(frozen=True, eq=False)
class _Part:
    """An answer in a window of the image: where, probabilities of background and the labels asked about (1 + labels, …), label values."""

    span: Span
    probabilities: Channels
    mask: MaskArray


class NetworkEngine:
    """An `Engine` over a trained guided model.

    Args:
        recipe: What the networks were trained with; a guided one.
        networks: One per member, in evaluation mode; their answers are averaged.
        refinement: What happens to their answers.
        any_label: Whether the one foreground class stands for whatever label is prompted (see `agnostic`); it then
            proposes nothing by itself.

    Raises:
        InputError: A recipe that is not guided, or no network.
    """

    name = NAME

    def __init__(
        self, recipe: Recipe, networks: Sequence[SegmentationNetwork], *, refinement: Refinement = USUAL, any_label: bool = False
    ) -> None:
        if not recipe.guided or not networks:
            raise InputError("The network engine needs a segmentation model trained with prompts", remedy="train with a guided recipe")
        if any_label and recipe.classes != 2:
            raise InputError(f"A network for any label has 2 classes, got {recipe.classes}")
        self.recipe, self.networks, self.refinement, self.any_label = recipe, tuple(networks), refinement, any_label
        self._ensemble = Ensemble(recipe, self.networks)

    @classmethod
    def load(cls, recipe: Recipe, weights: Sequence[bytes], *, refinement: Refinement = USUAL, any_label: bool = False) -> "NetworkEngine":
        """From the safetensors of a model's members.

        Raises:
            InputError: See the class.
            FormatError: Bytes that are not weights of this recipe.
        """
        networks = [network for data in weights if isinstance(network := load_network(recipe, data), SegmentationNetwork)]
        return cls(recipe, networks, refinement=refinement, any_label=any_label)

    def embed(self, image: Image) -> ImageEmbedding:
        """Normalise an image; the automatic proposal is worked out when first asked for, and kept.

        Raises:
            ShapeError: An image that does not fit the recipe.
        """
        return ImageEmbedding(image, NAME, Look(image, self._ensemble))

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
        """See `Engine.refine`; without `previous` the automatic proposal is corrected, and without prompts it is the answer.

        Raises:
            LabelError: More or fewer labels than the model has.
            ShapeError: A previous mask of another shape.
            CancelledError: The answer is no longer wanted.
        """
        look = embedding.content
        if not isinstance(look, Look):
            raise FormatError(f"The network engine reads its own embeddings, got one of {embedding.engine}", remedy="embed the image again")
        grid = look.fitted.image.grid
        self._require_task(grid, labels, previous)
        known = np.zeros(grid.shape, dtype=np.uint8) if self.any_label and previous is None else previous
        shares = look.proposal.copy() if known is None else certain_shares(known, labels)
        before = np.array([0, *labels], dtype=np.uint8)[shares.argmax(axis=0)] if previous is None else previous
        mask = before.copy()
        for group in self._groups(prompts, labels):
            part = self._answer(look, mask, prompts, group, wanted)
            where = part.span.inside(mask.shape)
            mask[where] = part.mask
            _paste(shares, part, [0, *(labels.index(label) + 1 for label in group)])
        answer = RefinedMask(mask, shares, tuple(labels), expected_dice(shares), (0, 0, 0), (0, 0, 0))
        narrow, new = narrowed_by(embedding.image), new_of(prompts, previous)
        answer = held(before, answer, prompts, grid=grid, narrow=narrow, new=new, guard=Guard(locked=locked))
        start, stop = changed_box(None, answer.mask) if previous is None else (answer.start, answer.stop)
        return replace(answer, start=start, stop=stop)

    def _require_task(self, grid: Grid, labels: Sequence[int], previous: MaskArray | None) -> None:
        if not self.any_label and len(labels) != self.recipe.classes - 1:
            known = self.recipe.classes - 1
            raise LabelError(f"The model knows {known} labels, the task has {list(labels)}", remedy="train it again")
        if previous is not None and previous.shape != grid.shape:
            raise ShapeError(f"The previous mask must have the image's shape {grid.shape}, got {previous.shape}")

    def _groups(self, prompts: Sequence[Prompt], labels: Sequence[int]) -> list[list[int]]:
        """The labels that one pass answers for together."""
        if self.any_label:
            return [[label] for label in labels if any(p.label == label for p in prompts)]
        return [list(labels)] if prompts else []

    def _answer(self, look: Look, mask: MaskArray, prompts: Sequence[Prompt], group: Sequence[int], wanted: StillWanted) -> _Part:
        """What the networks make of a window, as large as it has to be."""
        asked = rescaled(unanswered([p for p in prompts if p.label in group], mask), mask.shape, look.fitted.shape)
        around = partial(span_around, asked, look.fitted.shape, patch=self.recipe.patch, stride=self.recipe.stride)
        for zoom in range(self.refinement.zooms + 1):
            require_wanted(wanted)
            part = self._answer_in(around(zoom=ZOOM**zoom), look, mask, prompts, group, wanted)
            larger = around(zoom=ZOOM ** (zoom + 1))
            changed: BoolArray = part.mask != mask[part.span.inside(mask.shape)]
            if np.prod(larger.shape) > MOST_VOXELS or not touches_border(changed, part.span, mask.shape):
                break
        return part

    def _answer_in(
        self, span: Span, look: Look, mask: MaskArray, prompts: Sequence[Prompt], group: Sequence[int], wanted: StillWanted
    ) -> _Part:
        image = cut(look.fitted.array, span.start, span.shape)
        window = Window(span.start, span.stop, look.fitted.spacing_mm, image[0])
        meant = rescaled(meant_for(prompts, group), mask.shape, look.fitted.shape)
        drawn = guidance_channels(meant, sampled(mask, look.fitted.shape, span), window, labels=group, hints=self.recipe.hints)
        places = dict(enumerate(prompt_places(meant, window, labels=group).values()))
        inputs = np.concatenate([image, drawn])
        bend, stress = self.refinement.adaptation, self.refinement.emphasis
        found = predict_window(self._ensemble, inputs, places, window, adaptation=bend, emphasis=stress, wanted=wanted)
        inside, probabilities, chosen = choose_labels(
            found, window, look.fitted, prompts, group, smoothness=self.refinement.smoothness, wanted=wanted
        )
        part = mask[inside.inside(mask.shape)]
        free = np.isin(part, (0, *group)) | (chosen > 0)
        return _Part(inside, probabilities, np.where(free, np.array([0, *group], dtype=np.uint8)[chosen], part))


def expected_dice(probabilities: Channels) -> float | None:
    """Dice that a network expects of its own likeliest labels, taken by its word and so rather too high; None without foreground.

    Probabilities have the shape (classes, I, J, K), background first.
    """
    background = probabilities[0]
    found = background < probabilities[1:].max(axis=0, initial=0.0)
    voxels = int(np.count_nonzero(found))
    expected = background.size - float(background.sum(dtype=np.float64))
    shared = voxels - float(background.sum(where=found, dtype=np.float64))
    return 2 * shared / (expected + voxels) if voxels else None


def _paste(shares: Channels, part: _Part, rows: Sequence[int]) -> None:
    """Put a part's probabilities into those of the image; labels it does not speak of share what it leaves of the background."""
    where = part.span.inside(shares.shape[1:])
    others = [row for row in range(len(shares)) if row not in rows]
    window = shares[(slice(None), *where)].copy()
    window[rows] = part.probabilities
    window[others] *= part.probabilities[0]
    shares[(slice(None), *where)] = window / window.sum(axis=0)
