"""How each class looks, learned from a few of its voxels: a mixture of Gaussians per channel, read from a table."""

import warnings
from typing import Any

import numpy as np

from medloop.interaction.solvers.geodesic import Single

LEVELS = 256
"""Intensities are told apart in so many steps: the mixture is asked once per step, not once per voxel."""

FEWEST = 8
"""With fewer voxels than this a class looks like one broad Gaussian around their mean."""


def class_likelihood(image: Single, taught: np.ndarray[Any, np.dtype[np.int16]], classes: int) -> Single:
    """Share in which each voxel looks like each class, prior aside.

    Args:
        image: Shape (C, i, j, k), finite; channels count as independent.
        taught: Class of the voxels to learn from, negative elsewhere, shape (i, j, k).
        classes: How many.

    Returns:
        Shape (classes, i, j, k), sums to 1. A class without voxels looks like the whole image.
    """
    logs = np.zeros((classes, *taught.shape), dtype=np.float32)
    for channel in image:
        levels, centres = _quantised(channel)
        for n in range(classes):
            voxels = channel[taught == n]
            logs[n] += _table(voxels if len(voxels) else channel.ravel(), centres)[levels]
    logs -= logs.max(axis=0)
    shares: Single = np.exp(logs, out=logs)
    shares /= shares.sum(axis=0)
    return shares


def _quantised(channel: Single) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Single]:
    low, high = float(channel.min()), float(channel.max())
    step = (high - low) / (LEVELS - 1) or 1.0
    return np.round((channel - low) / step).astype(np.uint8), np.linspace(low, low + step * (LEVELS - 1), LEVELS, dtype=np.float32)


def _table(voxels: Single, centres: Single) -> Single:
    """Log density at each level; a floor keeps any level possible."""
    from sklearn.mixture import GaussianMixture

    spread = float(centres[-1] - centres[0])
    sample = voxels[:: max(1, len(voxels) // 2000)].reshape(-1, 1).astype(np.float64)
    broad = (spread / 20) ** 2
    if len(sample) < FEWEST:
        logs = -np.square(centres - sample.mean()) / (2 * (broad + sample.var())) - 0.5 * np.log(broad + sample.var())
    else:
        parts = 2 if len(sample) >= 4 * FEWEST else 1
        mixture = GaussianMixture(parts, reg_covar=broad / 16, max_iter=30, tol=1e-2, init_params="k-means++", random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unfinished fit is good enough
            mixture.fit(sample)
        logs = mixture.score_samples(centres.reshape(-1, 1).astype(np.float64))
    return np.asarray(np.logaddexp(logs, logs.max() - 8), dtype=np.float32)
