"""How far masks of several annotators agree, two by two and label by label."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.geometry import Grid
from medloop.metrics.surface import hd95_mm
from medloop.raters.stack import stack_masks, with_agreed


def pairwise_dice(masks: Sequence[MaskArray], labels: Sequence[int]) -> dict[int, FloatArray]:
    """Dice of every two annotators.

    Args:
        masks: One per annotator, integer label values, equal shapes; 255 where a voxel is not annotated.
        labels: Foreground labels of the task.

    Returns:
        Label → Dice, shape (annotators, annotators); 1 where both lack the label, 0 where one does.

    Raises:
        ShapeError, InputError, LabelError: Masks that are not on one grid, or not label values of the task.

    Source: Dice 1945, doi:10.2307/1932409.
    """
    stack = stack_masks(masks, labels)
    votes = with_agreed(stack, stack.agreed.astype(np.float64))
    found = {}
    for n, label in enumerate(stack.labels[1:], start=1):
        has = (votes.table == n).astype(np.float64)
        both = (has * votes.counts[:, None]).T @ has
        total = np.add.outer(np.diag(both), np.diag(both))
        found[label] = np.where(total > 0, 2.0 * both / np.where(total > 0, total, 1.0), 1.0)
    return found


def pairwise_hd95_mm(masks: Sequence[MaskArray], grid: Grid, labels: Sequence[int]) -> dict[int, FloatArray]:
    """95th percentile Hausdorff distance of every two annotators.

    Args:
        masks: One per annotator, uint8, shape (I, J, K) of the grid.
        grid: Gives the voxel spacing in mm.
        labels: Labels to compare.

    Returns:
        Label → millimetres, shape (annotators, annotators); 0 where both lack the label, infinity where one does.

    Raises:
        ShapeError: A mask that is not the grid's shape.
    """

    def table(measure: Callable[[MaskArray, MaskArray], float]) -> FloatArray:
        found = np.zeros((len(masks), len(masks)))
        for a, b in combinations(range(len(masks)), 2):
            found[a, b] = found[b, a] = measure(masks[a], masks[b])
        return found

    return {int(label): table(lambda a, b, label=label: hd95_mm(a, b, grid, label)) for label in labels}  # type: ignore[misc]


def mean_of_pairs(table: FloatArray) -> float:
    """Mean over every two different annotators of a table of pairs; NaN for one annotator."""
    above = table[np.triu_indices(len(table), 1)]
    return float(above.mean()) if len(above) else float("nan")
