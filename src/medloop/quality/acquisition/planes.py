"""What is looked at of an image: a few whole slices at their own resolution, since sharpness and noise live in neighbouring voxels."""

from collections.abc import Iterator

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray
from medloop.core.errors import InputError

LEAST_EDGE = 8
"""Pixels along a side below which neither sharpness nor a border can be told from content."""

MOST_SLICES = 12
"""Slices of a volume that are looked at, evenly spread: a 64³ volume stays within tenths of a second."""

MOST_EDGE = 1024
"""Pixels along a side that are looked at; of larger planes the middle, never a reduced copy, whose noise would be another."""

MOST_VALUES = 1_000_000
"""Values that quantiles and shares are taken of."""

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in what the eye sees as brightness (ITU-R BT.601, 2.5.1)."""


def require_picture(array: ImageArray, spacing_mm: tuple[float, float, float]) -> None:
    """Refuse what holds no picture.

    Args:
        array: Shape (C, I, J, K).
        spacing_mm: Of its voxels.

    Raises:
        InputError: Too few pixels, values that are no numbers, or one value everywhere.
    """
    across = slice_axis(array.shape[1:], spacing_mm)
    edges = [n for axis, n in enumerate(array.shape[1:]) if axis != across]
    if min(edges) < LEAST_EDGE:
        rule = f"An image needs at least {LEAST_EDGE} × {LEAST_EDGE} pixels to judge its acquisition, got {edges[0]} × {edges[1]}"
        raise InputError(rule, remedy="send the whole image as it was acquired")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError("An image holds numbers, got NaN or infinity among its values", remedy="export it again")
    if low == high:
        raise InputError(
            f"An image holds more than one value, got {low:g} everywhere: it is empty", remedy="check the device, acquire it again"
        )


def slice_axis(shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> int:
    """The axis that numbers the slices: that of a single slice, else that of the largest spacing, the last of equals."""
    if 1 in shape:
        return max(axis for axis, n in enumerate(shape) if n == 1)
    return max(range(3), key=lambda axis: (round(spacing_mm[axis], 3), axis))


def channels_of(array: ImageArray) -> list[ImageArray]:
    """The channels one by one, each shape (I, J, K); a colour picture is one, its brightness."""
    if array.shape[0] == 3 and array.dtype == np.uint8:
        return [np.tensordot(GREY, array.astype(np.float32), axes=1)]
    return [np.asarray(channel, dtype=np.float32) for channel in array]


def planes_of(channel: ImageArray, across: int) -> Iterator[FloatArray]:
    """Slices spread over the middle four fifths of a channel, shape (I, J, K), each cut to its middle `MOST_EDGE` pixels."""
    count = channel.shape[across]
    inner = range(count // 10, count - count // 10)
    for index in sorted({inner[int(at)] for at in np.linspace(0, len(inner) - 1, min(MOST_SLICES, len(inner)))}):
        yield middle(np.take(channel, index, axis=across))


def thinned(channel: FloatArray, across: int) -> FloatArray:
    """Every n-th row and column of a channel, shape (I, J, K), so that about `MOST_VALUES` remain: enough for what has no neighbours."""
    step = max(1, int(np.sqrt(channel.size / MOST_VALUES)))
    return channel[tuple(slice(None) if axis == across else slice(None, None, step) for axis in range(3))]


def middle(plane: FloatArray) -> FloatArray:
    """The middle of a plane, at most `MOST_EDGE` pixels along each side."""
    cuts = tuple(slice((n - min(n, MOST_EDGE)) // 2, (n + min(n, MOST_EDGE)) // 2) for n in plane.shape)
    return plane[cuts]
