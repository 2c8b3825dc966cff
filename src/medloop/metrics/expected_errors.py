"""How many voxels a model expects to be wrong, from the uncertainty that is kept with its prediction."""

import math

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray

STEPS = 255
"""An uncertainty of 255 is ln(classes) nats."""


def expected_wrong(uncertainty: MaskArray, classes: int) -> float:
    """Voxels that the model expects to be wrong: the sum over voxels of the chance that the likeliest label is not the right one.

    Args:
        uncertainty: Any shape, 0 sure to 255 = ln(classes) nats of entropy.
        classes: At least two, the background counts.
    """
    counts = np.bincount(uncertainty.ravel(), minlength=STEPS + 1)
    return float(counts @ _chance_of_error(classes))


def _chance_of_error(classes: int) -> FloatArray:
    """By uncertainty, shape (256,): exact between two labels; of more entropy than two labels have, the least that it allows."""
    nats = np.arange(STEPS + 1) / STEPS * math.log(classes)
    grid = np.linspace(0.0, 0.5, 10_001)
    entropy = -_x_log_x(grid) - _x_log_x(1.0 - grid)
    return np.where(nats <= math.log(2), np.interp(nats, entropy, grid), 1.0 - np.exp(-nats))


def _x_log_x(values: FloatArray) -> FloatArray:
    return np.where(values > 0, values * np.log(np.maximum(values, 1e-300)), 0.0)
