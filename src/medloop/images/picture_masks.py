"""Pictures as label maps: every pixel's label is what was drawn, or the picture is refused.

Transparency: a layer with nothing on it is background, and colour under full transparency is nothing that anybody saw. So an
opaque picture is read by its colour; one colour on transparency is read by the transparency; several are read only when both
ways agree. Lossy pictures are read only where two values can be proved to have been the only ones (`unblurred`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import FormatError
from medloop.images.picture_modes import Pixels

BLACK_AND_WHITE = "black and white, the highest value is read as label 1"
"""The note of a mask that says 255 or 65535 for its only label."""

_BLOCK = 8
_SLACK = 8.0
"""Grey levels of a block's norm given to rounding and inexact cosine transforms: one a pixel."""

_PNG_REMEDY = "save it as a grey PNG without transparency, 0 for background"


def labels_of(name: str, colour: Pixels, alpha: Pixels | None) -> tuple[Pixels, tuple[str, ...]]:
    """The label values of a picture, and what was noticed.

    Args:
        name: Of the file.
        colour: (height, width) or (height, width, 3).
        alpha: (height, width), None when there is none.

    Raises:
        FormatError: Transparency and colour say different things, or an edge is half transparent.
    """
    if alpha is None or alpha.min() == alpha.max() != 0:  # equal everywhere says nothing
        return colour, ()
    seen = _seen(name, alpha)
    flat = colour if colour.ndim == 2 else colour.reshape(*colour.shape[:2], -1)
    shown, hidden = flat[seen], flat[~seen]
    if colour.ndim == 2 and shown.any() and not hidden.any():
        return colour, ()  # both ways agree: background is 0 and transparent
    # An eraser leaves the drawn colour behind; several others under transparency are labels that somebody hid.
    if _single(shown) and _single(hidden[(hidden != shown[0]).reshape(len(hidden), -1).any(axis=1)] if len(shown) else hidden):
        return seen.astype(np.uint8), ("one colour on transparency; what is not transparent is label 1",)
    if hidden.any():
        raise FormatError(
            f"{name}: a mask with transparency must hold 0 where it is transparent, it holds other values there", remedy=_PNG_REMEDY
        )
    return colour, ()


def _single(colours: Pixels) -> bool:
    """Whether there is at most one colour."""
    return len(colours) == 0 or bool((colours == colours[0]).all())


def _seen(name: str, alpha: Pixels) -> BoolArray:
    top = alpha.max()
    if not bool(((alpha == 0) | (alpha == top)).all()):
        raise FormatError(
            f"{name}: a mask's pixels are drawn or transparent, {int(((alpha != 0) & (alpha != top)).sum())} are half transparent",
            remedy="draw it without soft edges, and " + _PNG_REMEDY,
        )
    seen: BoolArray = alpha != 0
    return seen


def require_plain_transparency(name: str, values: Pixels, transparent: object) -> None:
    """Raise when a PNG calls a label other than 0 transparent, and uses it.

    Args:
        name: Of the file.
        values: Palette indices or grey values, (height, width), or colours, (height, width, 3).
        transparent: Pillow's `transparency`: a value, a colour, one opacity per index, or None.

    Raises:
        FormatError: Naming the value.
    """
    if isinstance(transparent, tuple) and values.ndim == 3:
        values, transparent = (values == np.array(transparent)).all(axis=-1), int(any(transparent))
    for value in _hidden_values(transparent):
        if value != 0 and bool((values == value).any()):
            raise FormatError(f"{name}: a mask shows every label, but value {value} is transparent", remedy=_PNG_REMEDY)


def _hidden_values(transparent: object) -> list[int]:
    if isinstance(transparent, bytes):
        return [index for index, opacity in enumerate(transparent) if opacity < 255]
    return [transparent] if isinstance(transparent, int) else []


def unblurred(name: str, grey: Pixels, tables: Mapping[int, Sequence[int]] | None) -> MaskArray:
    """The black and white mask that a JPEG was made from, where there is only one it can have been.

    A JPEG keeps each 8×8 block's cosine coefficients to within half a step of its table q, and the transform keeps lengths: the
    block that was saved lies within sqrt(Σ q²) / 2 of the one that is read. Two black and white blocks that differ
    lie at least 255 apart. So where the distance to the nearest black and white block, plus that bound, is below 255, no
    other one can have been saved. A distance beyond the bound shows that no black and white one was: it had been a JPEG before.

    Args:
        name: Of the file.
        grey: Brightness, uint8 (height, width).
        tables: Quantization tables by number, None when unknown; number 0 is that of brightness.

    Returns:
        0 and 1.

    Raises:
        FormatError: Too coarse, or not of two values: the mask that was saved cannot be told.
    """
    mask = grey >= 128
    error = np.where(mask, 255.0 - grey, grey.astype(np.float64))
    bound = 0.5 * float(np.sqrt(np.sum(np.square(np.asarray((tables or {}).get(0, ()), np.float64))))) if tables else np.inf
    distance = float(np.sqrt(_block_sums(error**2).max()))
    told = distance <= bound + _SLACK and distance + bound + _SLACK < 255
    if not told or (not mask.any() and bool(grey.any())):
        raise FormatError(
            f"{name}: JPEG changes values at every edge, and what this mask held is lost",
            remedy="save the mask as PNG in the program that drew it; a mask made of this JPEG is larger or smaller than what was drawn",
        )
    return mask.astype(np.uint8)


def _block_sums(squares: Pixels) -> Pixels:
    """Sums over JPEG's blocks of 8×8, from the upper left."""
    height, width = squares.shape
    padded = np.pad(squares, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
    blocks: Pixels = padded.reshape(padded.shape[0] // _BLOCK, _BLOCK, padded.shape[1] // _BLOCK, _BLOCK).sum(axis=(1, 3))
    return blocks


def from_black_and_white(values: Pixels) -> Pixels:
    """Black and white masks say 255 (or 65535) for the only label; every other map is kept as it is."""
    top = int(values.max()) if values.dtype.kind in "iu" and values.size else 0
    if top in (255, 65535) and set(np.unique(values).tolist()) <= {0, top}:
        return (values > 0).astype(np.uint8)
    return values
