"""Users that a network rehearses with: half the samples stay without hints, the others go through some rounds of being corrected.

Everything follows from (recipe.seed, member, step, slot), so a training that was killed goes on as if nothing had happened.

Source: iterated training clicks with the previous mask fed back from Sofiiuk et al. 2022, RITM, arXiv:2102.06583; samples without
clicks from Diaz-Pinto et al. 2022, DeepEdit, arXiv:2305.10655.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medloop.core.arrays import UNKNOWN, MaskArray
from medloop.core.errors import SettingError
from medloop.core.seeds import generator
from medloop.interaction.interactive_network.corruption import corrupt, disagree
from medloop.interaction.interactive_network.guidance import Spacing, Window, guidance_channels
from medloop.interaction.prompts import Prompt, keep_prompts
from medloop.interaction.simulated_users.robots import Apprentice, Robot, Scene, box_around, require_role
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.guiding import Ask

AGAIN = 0.4
"""Chance of another round."""

BOX_ALONE = 0.4
"""Share of the boxed samples without further hints."""


@dataclass(frozen=True)
class Rehearsal:
    """A `Guide` made of robots.

    Attributes:
        robots: Drawn evenly for each sample; training robots only.
        automatic: Share of samples without any guidance.
        corrupted: Share of the others that start from a spoilt true mask instead of the network's answer.
        boxed: Share of the others with a box around one label; some of these stay without further hints.
        disputed: Share of the others whose user wants another mask than the answer, with borders bent by about a voxel. A network that
            knows its training cases by heart would learn there that hints say nothing new; these teach it to follow them.
        blank: Share of the others whose user sees an empty mask first, as where nothing proposes.
        rounds: Most rounds of correction; each further one has a chance of `AGAIN`, since each costs a pass of the network.
        gestures: Most gestures per round.
        spacing_mm: Of the patches; None takes the recipe's, or isotropic voxels.

    Raises:
        SettingError: A test robot, no robot, or a share outside 0..1.
    """

    robots: tuple[Robot, ...] = (Apprentice(),)
    automatic: float = 0.4
    corrupted: float = 0.15
    boxed: float = 0.15
    disputed: float = 0.5
    blank: float = 0.05
    rounds: int = 4
    gestures: int = 3
    spacing_mm: Spacing | None = None

    def __post_init__(self) -> None:
        shares = (self.automatic, self.corrupted, self.boxed, self.disputed, self.blank)
        if not self.robots or min(self.rounds, self.gestures) < 1 or not all(0 <= share <= 1 for share in shares):
            raise SettingError(f"A click simulation needs simulated annotators, rounds and shares within 0..1, got {self}")
        for robot in self.robots:
            require_role(robot, "training")

    @property
    def name(self) -> str:
        """See `Guide.name`."""
        return repr(self)

    def __call__(self, recipe: Recipe, images: Tensor, targets: Tensor, ask: Ask, *, member: int, step: int) -> tuple[Tensor, Tensor]:
        """See `Guide.__call__`."""
        volumes, truths = _volumes(recipe, images), _volumes(recipe, targets)
        samples = [self._start(recipe, truth, (member, step, slot)) for slot, truth in enumerate(truths.numpy().astype(np.uint8))]
        guided = torch.zeros((len(images), recipe.guidance, *volumes.shape[2:]))
        for n, sample in enumerate(samples):
            if sample.prompts:
                guided[n] = torch.from_numpy(self._channels(recipe, volumes[n], sample))
        for turn in range(self.rounds):
            open_ones = [n for n, sample in enumerate(samples) if sample.rounds > turn]
            if not open_ones:
                break
            for n, mask in zip(open_ones, self._answers(recipe, images, guided, samples, open_ones, ask), strict=True):
                samples[n] = _corrected(samples[n], mask, self.gestures)
                guided[n] = torch.from_numpy(self._channels(recipe, volumes[n], samples[n]))
        wanted = torch.from_numpy(np.stack([sample.truth for sample in samples])).to(targets.dtype)
        return torch.cat([images, _flat(recipe, guided)], dim=1), _flat(recipe, wanted)

    def _start(self, recipe: Recipe, truth: MaskArray, slot: tuple[int, int, int]) -> "_Sample":
        rng = generator(recipe.seed, slot[0], "guide", *slot[1:])
        if rng.random() < self.automatic:
            return _Sample(truth, self.robots[0], rng)
        sample = _Sample(truth, self.robots[int(rng.integers(len(self.robots)))], rng, min(self.rounds, int(rng.geometric(1 - AGAIN))))
        steps = self._steps(recipe)
        if rng.random() < self.disputed:
            truth = disagree(truth, rng, steps=steps)
            sample = replace(sample, truth=truth)
        if rng.random() < self.blank:
            sample = replace(sample, mask=np.zeros_like(truth))
        if rng.random() < self.corrupted:
            sample = replace(sample, mask=corrupt(np.where(truth == UNKNOWN, 0, truth).astype(np.uint8), rng, steps=steps))
        present = [int(v) for v in np.unique(truth) if v not in (0, UNKNOWN)]
        if present and rng.random() < self.boxed:
            box = box_around(truth, present[int(rng.integers(len(present)))], 2, rng)
            sample = replace(sample, prompts=(box,), rounds=0 if rng.random() < BOX_ALONE else sample.rounds)
        return sample

    def _answers(
        self, recipe: Recipe, images: Tensor, guided: Tensor, samples: Sequence["_Sample"], which: list[int], ask: Ask
    ) -> list[MaskArray]:
        """The mask that each user looks at: a given one, or what the network answers to the prompts so far."""
        unseen = [n for n in which if samples[n].mask is None or samples[n].seen]
        answered: dict[int, MaskArray] = {}
        if unseen:
            seen = torch.cat([images[unseen], _flat(recipe, guided[unseen])], dim=1)
            masks = _volumes(recipe, ask(seen, unseen).argmax(1)).numpy().astype(np.uint8)
            answered = dict(zip(unseen, masks, strict=True))
        return [answered[n] if n in answered else _given(samples[n]) for n in which]

    def _channels(self, recipe: Recipe, volume: Tensor, sample: "_Sample") -> npt.NDArray[np.float32]:
        image = volume[0].numpy()
        i, j, k = image.shape
        window = Window((0, 0, 0), (i, j, k), self._steps(recipe), image)
        return guidance_channels(sample.prompts, sample.mask, window, labels=range(1, recipe.classes), hints=recipe.hints)

    def _steps(self, recipe: Recipe) -> Spacing:
        """Voxel size per axis, in voxels of the finest."""
        spacing = self.spacing_mm or recipe.spacing_mm or (1.0, 1.0, 1.0)
        i, j, k = (side / min(spacing) for side in spacing)
        return (i, j, k)


@dataclass(frozen=True, eq=False)
class _Sample:
    """One patch and its user.

    Attributes:
        rounds: Rounds of correction; 0 leaves it without guidance.
        mask: The answer last looked at.
        seen: Whether the user has looked at one.
    """

    truth: MaskArray
    robot: Robot
    rng: np.random.Generator
    rounds: int = 0
    prompts: tuple[Prompt, ...] = ()
    mask: MaskArray | None = None
    seen: bool = False


def _corrected(sample: _Sample, mask: MaskArray, gestures: int) -> _Sample:
    """The user looks at a mask and acts: mostly once, sometimes more often before the next answer."""
    mask = keep_prompts(mask, sample.prompts)
    prompts = sample.prompts
    for _ in range(min(gestures, int(sample.rng.geometric(0.5)))):
        prompt = sample.robot.act(Scene(sample.truth, mask, prompts), sample.rng)
        prompts = prompts if prompt is None else (*prompts, prompt)
    return replace(sample, mask=mask, prompts=prompts, seen=True)


def _given(sample: _Sample) -> MaskArray:
    if sample.mask is None:
        raise RuntimeError("a sample without a mask was not predicted")
    return sample.mask


def _volumes(recipe: Recipe, tensor: Tensor) -> Tensor:
    """With three spatial axes."""
    return tensor if recipe.dimension == 3 else tensor.unsqueeze(-1)


def _flat(recipe: Recipe, tensor: Tensor) -> Tensor:
    """With as many spatial axes as the network."""
    return tensor if recipe.dimension == 3 else tensor.squeeze(-1)
