"""Agreement of two beyond chance, from a table of what both said."""

import numpy as np

from medloop.core.arrays import FloatArray, IntArray


def kappa_of(table: IntArray, costs: FloatArray | None = None) -> float:
    """Cohen's kappa: 1 minus the disagreement seen over the one that chance gives.

    Args:
        table: How often one said r and the other c, shape (classes, classes).
        costs: How much each pair disagrees, same shape, 0 on the diagonal; by default 1 for every other.

    Returns:
        -1..1; NaN where chance agrees fully as well: both only ever said one and the same class, or nothing.

    Source: Cohen 1960, doi:10.1177/001316446002000104; costs: Cohen 1968, doi:10.1037/h0026256.
    """
    apart = 1.0 - np.eye(len(table)) if costs is None else costs
    by_chance = float((apart * np.outer(table.sum(axis=1), table.sum(axis=0))).sum()) / max(int(table.sum()), 1)
    return 1.0 - float((apart * table).sum()) / by_chance if by_chance > 0 else float("nan")
