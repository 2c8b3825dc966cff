"""Which voxels are a hand's: painted, and not hinted at since. Prompts leave them as they are."""

from collections.abc import Iterable, Sequence

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Prompt, exact_voxels
from medloop.interaction.runs import Run, put_runs


def painted_voxels(said: Iterable[Prompt | Sequence[Run]], shape: Shape3) -> BoolArray | None:
    """Voxels that the last word on them painted, shape (I, J, K); None when nothing was painted.

    Args:
        said: Prompts and strokes of the brush in the order in which they count.
        shape: The image's.
    """
    painted: BoolArray | None = None
    for word in said:
        if isinstance(word, Sequence):
            painted = np.zeros(shape, dtype=bool, order="F") if painted is None else painted
            put_runs(painted.reshape(-1, order="F"), word, 1)
        elif painted is not None:
            painted[tuple(exact_voxels(word, shape).T)] = False
    return painted
