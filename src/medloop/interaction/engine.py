"""What every refinement engine promises, whatever stands behind it: classical, the project's network, a remote model.

The cost is split where a person feels it: `embed` looks at an image once, `refine` answers each prompt. An engine is
handed all prompts in force and the mask before, and remembers nothing itself: any prompt can be changed or removed
and the result computed again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import MaskArray
from medloop.core.errors import CancelledError
from medloop.core.image import Image
from medloop.interaction.prompts import Prompt

StillWanted = Callable[[], bool]
"""Asked now and then during a refinement; False ends it with `CancelledError`."""


@dataclass(frozen=True, eq=False)
class ImageEmbedding:
    """An image and whatever an engine worked out from it once.

    Attributes:
        image: The image itself.
        engine: Name of the engine that made it; no other can use `content`.
        content: The engine's own.
    """

    image: Image
    engine: str
    content: Any = None


@dataclass(frozen=True, eq=False)
class RefinedMask:
    """An engine's answer to prompts.

    Attributes:
        mask: Label values, shape (I, J, K), uint8; obeys every exact hint.
        probabilities: Of background and each of `labels`, shape (1 + labels, I, J, K), float32; sums to 1. May be fed back.
        labels: The label values that `probabilities` speaks of, in order.
        quality: Dice that the mask probably has, 0..1; None where the engine cannot tell.
        start, stop: Box of the voxels that differ from the previous mask; both (0, 0, 0) when none does.
        note: What a person should know of how it came about, in words; mostly empty.
    """

    mask: MaskArray
    probabilities: npt.NDArray[np.float32]
    labels: tuple[int, ...]
    quality: float | None
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    note: str = ""


class Engine(Protocol):
    """Turns prompts into masks."""

    @property
    def name(self) -> str:
        """Short and stable: it is written into logs."""
        ...

    def embed(self, image: Image) -> ImageEmbedding:
        """Look at an image once.

        Raises:
            ShapeError: An image the engine cannot take.
        """
        ...

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
        """Answer prompts.

        Args:
            embedding: Of this engine.
            prompts: All in force, in the order given; checked by `check_prompts`.
            labels: The task's label values.
            previous: The mask they correct; None starts from background.
            locked: Labels that must stay as they are in `previous`.
            wanted: Whether the answer is still wanted.

        Raises:
            InputError: Prompts that the engine cannot obey.
            CancelledError: It is no longer wanted.
            UnavailableError: What stands behind the engine does not answer.
        """
        ...


def require_wanted(wanted: StillWanted) -> None:
    """Stop when nobody waits for the answer.

    Raises:
        CancelledError: Then.
    """
    if not wanted():
        raise CancelledError("A newer prompt made this refinement superfluous")


def changed_box(before: MaskArray | None, after: MaskArray) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """First voxel and one past the last of what differs between two masks; zeros when nothing does. Without one before: from background."""
    changed = after != (0 if before is None else before)
    flat = changed.any(axis=2)
    along = [np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0)), np.flatnonzero(changed.any(axis=(0, 1)))]
    if not len(along[0]):
        return (0, 0, 0), (0, 0, 0)
    (a, i), (b, j), (c, k) = ((int(places[0]), int(places[-1]) + 1) for places in along)
    return (a, b, c), (i, j, k)


def certain_shares(mask: MaskArray, labels: Sequence[int]) -> npt.NDArray[np.float32]:
    """A mask as shares, 0 or 1, of background and labels, shape (1 + labels, I, J, K).

    They lie in the mask's own memory order: in a large volume another order takes several times as long.
    """
    if mask.flags.f_contiguous:
        shares = np.zeros((1 + len(labels), *mask.shape[::-1]), dtype=np.float32).transpose(0, 3, 2, 1)
    else:
        shares = np.zeros((1 + len(labels), *mask.shape), dtype=np.float32)
    shares[0] = mask == 0
    for n, label in enumerate(labels, start=1):
        has = mask == label
        if has.any():
            shares[n] = has
    return shares
