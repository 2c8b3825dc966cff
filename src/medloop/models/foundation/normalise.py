"""Per-case intensity normalisation. Free of torch.

Stored intensities mean different things from scanner to scanner (one public set of hippocampi spans 8 bit
to 1.7 million), so every image is brought to mean 0 and standard deviation 1 after clipping its tails.
"""

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import ImageArray

TAILS = (0.5, 99.5)
"""Percentiles that intensities are clipped to before mean and deviation are taken (as nnU-Net does for CT)."""

MAX_SAMPLES = 1_000_000
"""Voxels that the percentiles are estimated from: every n-th of a larger image."""


def normalise(array: ImageArray) -> npt.NDArray[np.float32]:
    """Robust z-score of each channel of (channels, I, J, K), any real dtype, as float32; a constant channel becomes 0.

    NaN and infinities become the channel's median.
    """
    return np.stack([_normalise_channel(channel) for channel in array])


def _normalise_channel(channel: ImageArray) -> npt.NDArray[np.float32]:
    values = channel.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, dtype=np.float32)
    if not finite.all():
        values = np.where(finite, values, np.median(values[finite]))
    flat = values.ravel()
    low, high = np.percentile(flat[:: max(1, flat.size // MAX_SAMPLES)], TAILS)
    clipped = np.clip(values, low, high)
    deviation = clipped.std()
    if deviation <= 1e-12 * max(1.0, abs(low), abs(high)):
        return np.zeros(values.shape, dtype=np.float32)
    scored: npt.NDArray[np.float32] = ((clipped - clipped.mean()) / deviation).astype(np.float32)
    return scored
