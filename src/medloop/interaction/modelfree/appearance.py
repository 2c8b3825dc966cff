"""How two kinds of voxels look: histograms of each channel, and how well they tell the two apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, ImageArray

LEVELS = 64
MOST_ODDS = 3.0
"""Log odds are cut off here: no single voxel is surer."""

FEWEST = 12
"""With fewer voxels of a kind, looks tell nothing."""

SMOOTHING = 0.7
"""Standard deviation in voxels, against noise."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """What the image says of each voxel.

    Attributes:
        odds: Log odds of the first kind, shape (i, j, k), within ±`MOST_ODDS`.
        telling: How well they tell known voxels apart: 0 as chance, 1 without mistakes; 0 where they contradict what was said.
    """

    odds: npt.NDArray[np.float32]
    telling: float


def learn(pictures: ImageArray, first: BoolArray, second: BoolArray, said: BoolArray) -> Appearance:
    """Learn from known voxels.

    Args:
        pictures: Shape (C, i, j, k); channels count as independent.
        first: Voxels of the first kind, shape (i, j, k).
        second: Of the second.
        said: Voxels of which somebody says that they are of the first kind; where looks deny it, these are not heard.
    """
    from scipy import ndimage

    silent = Appearance(np.zeros(first.shape, dtype=np.float32), 0.0)
    if first.sum() < FEWEST or second.sum() < FEWEST:
        return silent
    odds = np.zeros(first.shape, dtype=np.float32)
    for channel in np.nan_to_num(pictures.astype(np.float32), posinf=0.0, neginf=0.0):
        odds += _odds(ndimage.gaussian_filter(channel, [SMOOTHING if n > 1 else 0 for n in channel.shape]), first, second)
    odds = np.clip(odds, -MOST_ODDS, MOST_ODDS)
    right = 0.5 * (_share(odds[first]) + 1 - _share(odds[second]))
    telling = float(np.clip(2 * right - 1, 0, 1))
    return Appearance(odds, telling) if telling > 0 and float(odds[said].mean()) >= 0 else silent


def _odds(channel: npt.NDArray[np.float32], first: BoolArray, second: BoolArray) -> npt.NDArray[np.float32]:
    from scipy import ndimage

    low, high = np.percentile(channel, (0.5, 99.5))
    if not high > low:
        return np.zeros(channel.shape, dtype=np.float32)
    levels = np.clip((channel - low) * (LEVELS / (high - low)), 0, LEVELS - 1).astype(np.int64)
    densities = []
    for kind in (first, second):
        counts = np.bincount(levels[kind], minlength=LEVELS).astype(np.float64)
        smooth = ndimage.gaussian_filter1d(counts / counts.sum(), 1.5, mode="nearest")
        densities.append(smooth + 0.1 / LEVELS)
    table = np.log(densities[0] / densities[1]).astype(np.float32)
    return np.asarray(table[levels], dtype=np.float32)


def _share(odds: npt.NDArray[np.float32]) -> float:
    """Share above zero; even odds count half."""
    return float((odds > 0).mean() + 0.5 * (odds == 0).mean())
