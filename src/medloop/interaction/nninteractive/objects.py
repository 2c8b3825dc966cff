"""Objects that a front end finished on an image before the one it draws now: numbered, and in the way of the next.

The protocol knows one object at a time and empties its target for the next; it does not say whether the last one is finished or thrown
away. So an object that was emptied counts as finished until a prompt is given on it: then it is open again for what is drawn now, which
takes from it what it covers, and the rest stays the object that it was.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray, ObjectNumbers
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Box, Point, Prompt, Scribble, exact_voxels
from medloop.interaction.regions import VoxelBox, box_of, prompt_box, slices_of

MOST = int(np.iinfo(np.uint16).max)
SAME_BOX = 0.5
"""A box is about a finished object whose own box it shares so much with (intersection over union)."""


@dataclass(frozen=True, eq=False)
class Objects:
    """The finished objects of one image.

    Attributes:
        numbers: Where they are.
        last: The highest number that was given.
    """

    numbers: ObjectNumbers
    last: int = 0

    @classmethod
    def of(cls, shape: Shape3, numbers: ObjectNumbers | None = None) -> "Objects":
        """Those that a project knows already, or none."""
        if numbers is None:
            return cls(np.zeros(shape, dtype=np.uint16))
        return cls(numbers, int(numbers.max(initial=0)))

    def with_drawn(self, mask: MaskArray) -> ObjectNumbers:
        """The objects with what is drawn now as the next, which takes what it covers.

        Raises:
            InputError: There are as many as can be numbered.
        """
        if self.last >= MOST:
            raise InputError(f"An image may hold {MOST} objects, all numbers are taken", remedy="draw the others on another copy")
        return np.where(mask != 0, np.uint16(self.last + 1), self.numbers)

    def finished(self, mask: MaskArray) -> "Objects":
        """The objects after the one drawn is finished; unchanged by an empty mask."""
        return replace(self, numbers=self.with_drawn(mask), last=self.last + 1) if mask.any() else self

    def closed(self, prompts: Sequence[Prompt], reopened: Set[int] = frozenset()) -> BoolArray:
        """The voxels that what is drawn now must not take, shape (I, J, K).

        Args:
            prompts: In force. An object that one of them is given on is open again, and so is each voxel that one says is drawn.
            reopened: Objects that are open again whatever prompts say; see `mostly_in`.
        """
        closed = self.numbers > 0
        if not closed.any():
            return closed
        affirmed = [p for p in prompts if getattr(p, "positive", True)]
        meant = {number for prompt in affirmed for number in self._meant(prompt)} | reopened
        if meant:
            closed &= ~np.isin(self.numbers, sorted(meant))
        for prompt in affirmed:
            if isinstance(prompt, Point | Scribble):
                closed[tuple(exact_voxels(prompt, self.numbers.shape).T)] = False
        return closed

    def _meant(self, prompt: Prompt) -> set[int]:
        """The objects that a positive prompt is given on."""
        shape = (self.numbers.shape[0], self.numbers.shape[1], self.numbers.shape[2])
        if isinstance(prompt, Box):
            return self._boxed(prompt_box(prompt, shape))
        there = self.numbers[tuple(exact_voxels(prompt, shape).T)]
        counts = np.bincount(there, minlength=1)
        return {int(n) for n in np.flatnonzero(2 * counts >= len(there)) if n}

    def _boxed(self, box: VoxelBox) -> set[int]:
        """The objects whose own box is about the same as one, where that is flat on its slice alone."""
        part = self.numbers.copy()
        for axis, (low, high, length) in enumerate(zip(*box, self.numbers.shape, strict=True)):
            if high - low == 1 and length > 1:  # a flat box says nothing of other slices
                outside = np.ones(length, dtype=bool)
                outside[low] = False
                part[tuple(outside if n == axis else slice(None) for n in range(3))] = 0
        found = {int(n) for n in np.unique(part[slices_of(box)]) if n}
        return {number for number in found if _shared(box, box_of(np.argwhere(part == number))) >= SAME_BOX}

    def mostly_in(self, mask: MaskArray) -> frozenset[int]:
        """The objects of which a mask, 0 or 1, has half at least."""
        inside = np.bincount(self.numbers[mask != 0], minlength=self.last + 1)
        whole = np.bincount(self.numbers.ravel(), minlength=self.last + 1)
        return frozenset(int(n) for n in np.flatnonzero((inside > 0) & (2 * inside >= whole)) if n)


def _shared(first: VoxelBox, second: VoxelBox) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(first[0], second[0]), np.minimum(first[1], second[1])
    both = float(np.prod(np.maximum(high - low, 0)))
    return both / (float(np.prod(np.subtract(first[1], first[0])) + np.prod(np.subtract(second[1], second[0]))) - both)
