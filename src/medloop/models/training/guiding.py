"""Where training a guided network meets whoever plays the user: a seam, so that models know nothing of prompts.

A guided network takes beside the image, for C classes with background first: the answer to correct (C − 1 channels), nearness of hints
for every class, 0..1 (C), and the insides of boxes (C − 1). All of them zero means that nobody has hinted at anything: that is how it
answers by itself. A `Guide` fills them in training, and the same network learns both.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from torch import Tensor

from medloop.models.foundation.recipes import Recipe

Ask: TypeAlias = Callable[[Tensor, Sequence[int]], Tensor]
"""Input channels (n, inputs, …), and which samples of the batch they are of, to class probabilities (n, classes, …) of the network as it
is now, without gradients or dropout; classes that are not annotated in a sample count as background."""


class Guide(Protocol):
    """Plays users while a network trains."""

    @property
    def name(self) -> str:
        """Everything that decides what it does: a checkpoint is bound to it."""
        ...

    def __call__(self, recipe: Recipe, images: Tensor, targets: Tensor, ask: Ask, *, member: int, step: int) -> tuple[Tensor, Tensor]:
        """Add guidance to a batch; a pure function of the arguments.

        Args:
            recipe: A guided one.
            images: Shape (B, channels, …).
            targets: Masks, shape (B, …).
            ask: What the network answers now.
            member: Which one of the ensemble.
            step: With the member and the recipe's seed, the root of all randomness.

        Returns:
            Images and guidance, shape (B, recipe.inputs, …), and the masks that the users want, like `targets`.
        """
        ...
