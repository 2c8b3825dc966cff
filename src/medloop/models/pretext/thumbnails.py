"""Three small square pictures of a case, the same size for every image. Free of torch.

A volume gives its axial, coronal and sagittal middle, each the mean of a thin slab and turned as it is drawn, so that
the order of the axes in the file does not matter; a picture gives its channels. Physical proportions are kept, so that
thick slices do not squash anatomy; what lies outside the image is 0, the mean of the normalised image.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import ImageArray
from medloop.core.geometry import Plane, PlaneName
from medloop.core.image import Image
from medloop.models.foundation.normalise import TAILS

PLANES: tuple[PlaneName, ...] = ("axial", "coronal", "sagittal")
SIDE = 64
VIEWS = 3
SAMPLED = 64
"""Voxels per axis from which the range of the intensities is taken, about."""

SLAB = 16
"""A slab is one slice thick per so many slices: it averages noise away."""

Thumbnail = npt.NDArray[np.float32]
"""Shape (VIEWS, SIDE, SIDE), in standard deviations of the whole image."""


def thumbnail(image: Image) -> Thumbnail:
    """The three views of an image; the channels of a volume are averaged, those of a picture are its views in turn."""
    scales = [_Scale.of(channel) for channel in image.array]
    if image.grid.is_2d:
        flat = image.grid.spacing_mm[:2]
        pictures = [shrink(scale(channel[:, :, 0]), flat) for scale, channel in zip(scales, image.array, strict=True)]
        return np.stack([pictures[n % len(pictures)] for n in range(VIEWS)])
    views = [[_view(channel, image.grid.plane(name), scale) for name in PLANES] for scale, channel in zip(scales, image.array, strict=True)]
    mean: Thumbnail = np.mean(views, axis=0, dtype=np.float32)
    return mean


def shrink(view: npt.NDArray[np.float32], spacing_mm: tuple[float, float]) -> npt.NDArray[np.float32]:
    """A view (A, B) on a square that its longer physical side fills, by linear interpolation of pixels so far apart; the rest is 0."""
    extents = [n * s for n, s in zip(view.shape, spacing_mm, strict=True)]
    pixel = max(extents) / SIDE
    rows, columns = (_weights(n, s, pixel) for n, s in zip(view.shape, spacing_mm, strict=True))
    return (rows @ view @ columns.T).astype(np.float32)


@dataclass(frozen=True)
class _Scale:
    """Robust z-score as in `normalise`, from a sample, so that a large volume need not be touched as a whole."""

    low: float
    high: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, channel: ImageArray) -> "_Scale":
        i, j, k = (max(1, round(n / SAMPLED)) for n in channel.shape)
        sample = channel[::i, ::j, ::k].astype(np.float64)
        finite = sample[np.isfinite(sample)]
        if not finite.size:
            return cls(0.0, 0.0, 0.0, np.inf)
        low, high = np.percentile(finite, TAILS)
        clipped = np.clip(finite, low, high)
        spread = float(clipped.std())
        flat = spread <= 1e-12 * max(1.0, abs(low), abs(high))
        return cls(float(low), float(high), float(clipped.mean()), np.inf if flat else spread)

    def __call__(self, values: ImageArray) -> npt.NDArray[np.float32]:
        known = np.nan_to_num(values.astype(np.float64), nan=self.mean)
        return ((np.clip(known, self.low, self.high) - self.mean) / self.deviation).astype(np.float32)


def _view(volume: ImageArray, plane: Plane, scale: _Scale) -> npt.NDArray[np.float32]:
    """One plane through the middle, rows from top to bottom."""
    arranged = volume.transpose(plane.slice_axis, plane.y_axis, plane.x_axis)
    thick = max(1, len(arranged) // SLAB)
    first = (len(arranged) - thick) // 2
    slab = scale(arranged[first : first + thick]).mean(axis=0)
    turned = slab[:: -1 if plane.y_flip else 1, :: -1 if plane.x_flip else 1]
    return shrink(turned, (plane.y_spacing_mm, plane.x_spacing_mm))


def _weights(count: int, spacing: float, pixel: float) -> npt.NDArray[np.float64]:
    """Share of each of `count` old pixels in each of `SIDE` new ones, shape (SIDE, count); a tent as wide as the coarser of both."""
    centres = (np.arange(SIDE) - (SIDE - 1) / 2) * pixel
    places = (np.arange(count) - (count - 1) / 2) * spacing
    tent = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - places) / max(pixel, spacing))
    inside = np.abs(centres) <= count * spacing / 2
    total = tent.sum(axis=1, keepdims=True)
    weights: npt.NDArray[np.float64] = tent / np.where(total > 0, total, 1.0) * inside[:, None]
    return weights
