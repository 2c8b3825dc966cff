"""How much two masks overlap, label by label.

Empty masks, stated once: a label absent from both masks scores 1.0 (the model was right to find nothing),
absent from one of them scores 0.0.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import ShapeError


def dice(a: MaskArray, b: MaskArray, labels: Sequence[int]) -> dict[int, float]:
    """Dice coefficient of each label: twice the overlap over the sum of both sizes.

    Args:
        a: Label values, any shape; by custom the prediction.
        b: Label values of the same shape; by custom the truth. The result is symmetric.
        labels: Values to score, background only if listed.

    Returns:
        Label value → Dice in 0..1; 1.0 when both lack the label, 0.0 when one does.

    Raises:
        ShapeError: Masks of different shapes.

    Source: Dice 1945, doi:10.2307/1932409.
    """
    counts = _counts(a, b, labels)
    return {label: 1.0 if size_a + size_b == 0 else 2.0 * both / (size_a + size_b) for label, (both, size_a, size_b) in counts.items()}


def _counts(a: MaskArray, b: MaskArray, labels: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Label → (voxels in both, voxels in a, voxels in b)."""
    if a.shape != b.shape:
        raise ShapeError(f"Masks to compare must have the same shape, got {a.shape} and {b.shape}")
    counts = {}
    for label in labels:
        in_a, in_b = a == label, b == label
        counts[int(label)] = (int(np.count_nonzero(in_a & in_b)), int(np.count_nonzero(in_a)), int(np.count_nonzero(in_b)))
    return counts
