"""What an image looks like whatever it shows: intensities, noise and sharpness of each channel, voxels and size.

The first numbers of a channel are in its own units (they tell scanners and protocols apart); the others do not change when intensities
are scaled or shifted, as networks do not see that either.
"""

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import ImageArray
from medloop.core.image import Image

RAW = ("1 %", "25 %", "median", "75 %", "99 %")
SHAPE = ("dark tail", "lower half", "upper half", "bright tail", "noise", "sharpness", "range")
GEOMETRY = ("spacing I", "spacing J", "spacing K", "voxels I", "voxels J", "voxels K")
PER_CHANNEL = len(RAW) + len(SHAPE)

_PERCENTS = (1.0, 25.0, 50.0, 75.0, 99.0)
_MOST_VOXELS, _MOST_SLICES = 200_000, 24


def appearance(image: Image) -> npt.NDArray[np.float32]:
    """The numbers of `appearance_names`, shape (channels × PER_CHANNEL + 6,); spacing in mm, as logarithms like the size."""
    channels = [_channel(channel) for channel in image.array]
    sizes = np.log(np.array([*image.grid.spacing_mm, *image.grid.shape], dtype=np.float64))
    return np.concatenate([*channels, sizes]).astype(np.float32)


def appearance_names(channels: int) -> tuple[str, ...]:
    """What each number is; channels are counted from 1 where there are several."""
    named = [f"{name}{f' of channel {n + 1}' if channels > 1 else ''}" for n in range(channels) for name in (*RAW, *SHAPE)]
    return (*named, *GEOMETRY)


def scale_free(channels: int) -> npt.NDArray[np.intp]:
    """Places of the numbers that do not change with the unit of intensities, nor with voxel size and field of view."""
    return np.array([n * PER_CHANNEL + len(RAW) + k for n in range(channels) for k in range(len(SHAPE))], dtype=np.intp)


def _channel(channel: ImageArray) -> list[float]:
    """Percentiles; where these lie between each other; noise and sharpness as logarithms in units of the spread."""
    step = max(1, channel.shape[2] // _MOST_SLICES)
    seen = np.nan_to_num(channel[:, :, ::step].astype(np.float64))
    values = seen.ravel()[:: max(1, seen.size // _MOST_VOXELS)]
    low, quarter, middle, three, high = (float(v) for v in np.percentile(values, _PERCENTS))
    deviation = float(np.clip(values, low, high).std())
    if deviation <= 1e-12 * max(1.0, abs(low), abs(high)):
        return [low, quarter, middle, three, high, *[0.0] * len(SHAPE)]
    places = [(one - middle) / deviation for one in (low, quarter, three, high)]
    noise, sharp = _noise_and_edges(seen, deviation)
    return [low, quarter, middle, three, high, *places, noise, sharp, (high - low) / deviation]


def _noise_and_edges(seen: ImageArray, deviation: float) -> tuple[float, float]:
    """Logarithms of the noise's deviation and of the mean step between neighbours in a slice, in units of `deviation`.

    Source: Immerkær 1996, doi:10.1006/cviu.1996.0060 (the mask that edges and slopes hardly pass).
    """
    if min(seen.shape[:2]) < 3:
        return 0.0, 0.0
    along = seen[:-2] - 2.0 * seen[1:-1] + seen[2:]
    both = along[:, :-2] - 2.0 * along[:, 1:-1] + along[:, 2:]
    noise = float(np.median(np.abs(both))) / 0.6745 / 6.0
    steps = float((np.abs(np.diff(seen, axis=0)).mean() + np.abs(np.diff(seen, axis=1)).mean()) / 2.0)
    return float(np.log(noise / deviation + 1e-3)), float(np.log(steps / deviation + 1e-3))
