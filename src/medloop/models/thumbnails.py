"""Three small square pictures of a case, the same size for every image. Free of torch.

A volume gives the mean of a thin slab through its middle along each axis, a picture its channels. Physical
proportions are kept, so that thick slices do not squash anatomy; what lies outside the image is 0, the mean
of the normalised image.
"""

import numpy as np
import numpy.typing as npt

from medloop.core.image import Image
from medloop.models.normalise import normalise

SIDE = 64
VIEWS = 3
SLAB = 16
"""A slab is one slice thick per so many slices: it averages noise away."""

Thumbnail = npt.NDArray[np.float32]
"""Shape (VIEWS, SIDE, SIDE), in standard deviations of the whole image."""


def thumbnail(image: Image) -> Thumbnail:
    """The three views of an image.

    Args:
        image: Any shape and number of channels; the channels of a volume are averaged, those of a picture are its
            views in turn.
    """
    array = normalise(image.array)
    spacing = image.grid.spacing_mm
    if image.grid.is_2d:
        flat = (spacing[0], spacing[1])
        return np.stack([shrink(array[n % len(array), :, :, 0], flat) for n in range(VIEWS)])
    volume = array.mean(axis=0)
    return np.stack([_view(volume, spacing, axis) for axis in (2, 1, 0)])


def shrink(view: npt.NDArray[np.float32], spacing_mm: tuple[float, float], *, side: int = SIDE) -> npt.NDArray[np.float32]:
    """A view on a square that its longer physical side fills, by linear interpolation; the rest is 0.

    Args:
        view: Shape (A, B).
        spacing_mm: Distance of its pixels per axis.
        side: Pixels per side of the result.
    """
    extents = [n * s for n, s in zip(view.shape, spacing_mm, strict=True)]
    pixel = max(extents) / side
    rows, columns = (_weights(n, s, pixel, side) for n, s in zip(view.shape, spacing_mm, strict=True))
    shrunk: npt.NDArray[np.float32] = (rows @ view @ columns.T).astype(np.float32)
    return shrunk


def _view(volume: npt.NDArray[np.float32], spacing: tuple[float, float, float], axis: int) -> npt.NDArray[np.float32]:
    slices = volume.shape[axis]
    thick = max(1, slices // SLAB)
    first = (slices - thick) // 2
    slab = volume.take(range(first, first + thick), axis=axis).mean(axis=axis)
    a, b = (s for n, s in enumerate(spacing) if n != axis)
    return shrink(slab, (a, b))


def _weights(count: int, spacing: float, pixel: float, side: int) -> npt.NDArray[np.float64]:
    """Share of each of `count` old pixels in each of `side` new ones, shape (side, count); a tent as wide as the coarser of both."""
    centres = (np.arange(side) - (side - 1) / 2) * pixel
    places = (np.arange(count) - (count - 1) / 2) * spacing
    tent = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - places) / max(pixel, spacing))
    inside = np.abs(centres) <= count * spacing / 2
    total = tent.sum(axis=1, keepdims=True)
    weights: npt.NDArray[np.float64] = tent / np.where(total > 0, total, 1.0) * inside[:, None]
    return weights
