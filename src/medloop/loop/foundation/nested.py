"""Figures of labels that others lie inside of: each label is looked at with everything inside it."""

from collections.abc import Sequence

from medloop.core.arrays import MaskArray
from medloop.core.labels import gathered
from medloop.core.records import Label
from medloop.metrics.overlap import dice


def region_dice(a: MaskArray, b: MaskArray, labels: Sequence[Label], values: Sequence[int]) -> dict[int, float]:
    """Dice of some labels of a task, by value: of a label's own voxels and those of all labels inside it.

    Args:
        a: Label values, any shape.
        b: Of the same shape.
        labels: Of the task.
        values: Of the labels to score.

    Raises:
        ShapeError: Masks of different shapes.
    """
    return {value: dice(gathered(labels, a, value), gathered(labels, b, value), [value])[value] for value in values}
