"""Which old cases stand for all: herding, whose running mean stays as close to the mean of all as it can.

Source: Welling 2009, doi:10.1145/1553374.1553517; as a memory for continual learning, Rebuffi et al. 2017 (iCaRL), arXiv:1611.07725,
algorithm 4.
"""

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import ShapeError


def herd(features: FloatArray, count: int) -> list[int]:
    """Indices of so many rows in the order in which they are chosen: the first few of them serve a smaller memory, too.

    Args:
        features: One row per case, shape (cases, d); rows are scaled to length 1, as in the paper.
        count: How many; at most as many as there are.

    Raises:
        ShapeError: Not a table.
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2:
        raise ShapeError(f"Herding needs one row of features per case, got the shape {rows.shape}")
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    chosen, total, free = list[int](), np.zeros(rows.shape[1]), np.ones(len(rows), dtype=np.bool_)
    mean = rows.mean(axis=0) if len(rows) else total
    for n in range(min(count, len(rows))):
        apart = np.linalg.norm(mean - (total + rows) / (n + 1), axis=1)
        best = int(np.argmin(np.where(free, apart, np.inf)))
        chosen.append(best)
        free[best] = False
        total = total + rows[best]
    return chosen
