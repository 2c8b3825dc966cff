"""A slice of a case as one small picture with its mask laid over it, for lists of many cases."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.geometry import Grid
from medloop.report.pictures import Shot, grey

SHARE = 0.45
"""Of a label's colour over the image."""

WHOLE = (slice(None), slice(None))


def middle_slice(grid: Grid, mask: MaskArray | None) -> Shot:
    """The middle one of the slices that hold a label, of the plane with the thickest slices; the middle of all without a label.

    Args:
        grid: The case's.
        mask: Label values, shape (I, J, K); None where there is none.
    """
    plane = max(grid.planes(), key=lambda p: grid.spacing_mm[p.slice_axis])
    others = tuple(axis for axis in range(3) if axis != plane.slice_axis)
    held = np.flatnonzero((mask > 0).any(axis=others)) if mask is not None else ()
    index = int(held[len(held) // 2]) if len(held) else grid.shape[plane.slice_axis] // 2
    return Shot(plane, index, WHOLE)


def thumbnail_png(
    channels: ImageArray,
    windows: Sequence[tuple[float, float]],
    grid: Grid,
    mask: MaskArray | None,
    colours: Mapping[int, str],
    *,
    size: int,
    inverted: bool = False,
) -> bytes:
    """The middle annotated slice as PNG, its pixels square in mm.

    Args:
        channels: Shape (1, I, J, K) for grey or (3, I, J, K) for red, green and blue.
        windows: Intensities (low, high) drawn black and white, one per channel.
        grid: The case's.
        mask: Label values, shape (I, J, K); None for the image alone.
        colours: Of each label value, as #rrggbb.
        size: Pixels of the longer side.
        inverted: Whether low intensities are drawn bright.
    """
    from PIL import Image

    shot = middle_slice(grid, mask)
    seen = np.stack([grey(shot.cut(channel), *window) for channel, window in zip(channels, windows, strict=True)], axis=-1)
    picture = np.repeat(255 - seen if inverted else seen, 3 // seen.shape[-1], axis=-1).astype(np.float64)
    if mask is not None:
        labels = shot.cut(mask)
        for value, colour in colours.items():
            picture[labels == value] = (1 - SHARE) * picture[labels == value] + SHARE * _rgb(colour)
    high, wide = picture.shape[0] * shot.plane.y_spacing_mm, picture.shape[1] * shot.plane.x_spacing_mm
    scale = size / max(high, wide)
    image = Image.fromarray(np.rint(picture).astype(np.uint8)).resize((max(1, round(wide * scale)), max(1, round(high * scale))))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _rgb(colour: str) -> npt.NDArray[np.float64]:
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)], dtype=np.float64)
