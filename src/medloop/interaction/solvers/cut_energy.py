"""What a boundary costs: the price of each voxel being foreground, and of each face between unlike neighbours."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray
from medloop.interaction.prompts import PromptedVoxels
from medloop.interaction.solvers.primal_dual import Single

CERTAIN = 1e-4
"""Probabilities are kept this far from 0 and 1: no network is surer than that, and a few hints must be able to win."""


def unary_cost(probability: FloatArray, hints: PromptedVoxels) -> Single:
    """Price of calling each voxel foreground, negative where it pays; hints are priced beyond doubt."""
    sure = np.clip(np.nan_to_num(probability.astype(np.float32), nan=0.5), CERTAIN, 1 - CERTAIN)
    cost: Single = np.log1p(-sure) - np.log(sure)
    beyond_doubt = np.float32(1e3)
    cost[tuple(hints.positive.T)] = -beyond_doubt
    cost[tuple(hints.negative.T)] = beyond_doubt
    return cost


def edge_weights(image: ImageArray, spacing_mm: Sequence[float], *, smoothness: float) -> list[Single]:
    """Price of parting each voxel from its next neighbour along I, J and K.

    Args:
        image: Shape (C, I, J, K).
        spacing_mm: A face across which voxels are n times as far apart as along the finest axis costs 1/n.
        smoothness: Price where the image is flat.

    Returns:
        For each axis the prices, one shorter along that axis.

    Source: Boykov and Jolly 2001, doi:10.1109/ICCV.2001.937505 (contrast); Rother et al. 2004, doi:10.1145/1015706.1015720,
        section 2 (its scale from the image itself).
    """
    steps = _squared_steps(image)
    finest = min(spacing_mm)
    for axis, step in enumerate(steps):
        np.exp(np.negative(step, out=step), out=step)
        step *= np.float32(smoothness * finest / spacing_mm[axis])
    return steps


def _squared_steps(image: ImageArray) -> list[Single]:
    """For each axis the squared difference between neighbours over twice its mean, averaged over channels."""
    total = [np.zeros(tuple(n - (a == axis) for a, n in enumerate(image.shape[1:])), dtype=np.float32) for axis in range(3)]
    for channel in image:
        values = np.nan_to_num(channel.astype(np.float32))
        squares = [np.square(np.diff(values, axis=axis)) for axis in range(3)]
        count = sum(s.size for s in squares)
        mean = sum(float(s.sum(dtype=np.float64)) for s in squares) / max(count, 1)
        for sum_, square in zip(total, squares, strict=True):
            sum_ += square * np.float32(0.5 / (mean * len(image)) if mean > 0 else 0.0)
    return total
