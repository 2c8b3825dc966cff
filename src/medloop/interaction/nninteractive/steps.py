"""Where a session of a front end stands, and the way back from one state to the one before."""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.interaction.engine import changed_box
from medloop.interaction.prompts import Prompt, Voxel
from medloop.interaction.regions import slices_of

NOTHING: MaskArray = np.zeros((0, 0, 0), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class State:
    """Where a session stands.

    Attributes:
        mask: The target, shape (I, J, K), 0 or 1.
        prompts: In force, in order.
        answered: Those of them that `mask` answers.
        predicted: Whether it answers all of them.
        reopened: Finished objects that the mask it was begun with is about.
    """

    mask: MaskArray
    prompts: tuple[Prompt, ...] = ()
    answered: tuple[Prompt, ...] = ()
    predicted: bool = True
    reopened: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Step:
    """The way back from one state to the one before: all but the mask, and of the mask only what differs."""

    before: State
    start: Voxel
    stop: Voxel
    part: MaskArray

    @classmethod
    def between(cls, before: State, after: State) -> "Step":
        """The way from one state back to another."""
        start, stop = changed_box(before.mask, after.mask)
        part = before.mask[slices_of((start, stop))].copy()
        return cls(replace(before, mask=NOTHING), start, stop, part)

    def undo(self, mask: MaskArray) -> State:
        """The state before, from the mask after."""
        restored = mask.copy()
        restored[slices_of((self.start, self.stop))] = self.part
        return replace(self.before, mask=restored)
