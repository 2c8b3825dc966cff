"""Pictures as Pillow gives them, told apart into colour and transparency, with nothing converted on the way.

`MODES` is the whole table: a mode of Pillow that is not in it is refused. What a TIFF says beside its mode (signed bytes, white
is zero, samples without a meaning) is in `TiffFacts`.

Source: TIFF 6.0 (Adobe 1992), sections 3, 8, 18 and 19; PNG specification (W3C, third edition), section 11.3.1.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFile
import PIL.TiffImagePlugin

from medloop.core.arrays import ImageArray

Pixels = npt.NDArray[Any]
"""Pixels as Pillow gives them: (height, width) or (height, width, samples)."""


@dataclass(frozen=True)
class Mode:
    """How many samples of a pixel are colour, and whether transparency follows."""

    colours: int
    alpha: bool = False
    premultiplied: bool = False


MODES: dict[str, Mode] = {
    "1": Mode(1),
    "L": Mode(1),
    "I;16": Mode(1),
    "I;16L": Mode(1),
    "I;16B": Mode(1),
    "I;16N": Mode(1),
    "I": Mode(1),
    "F": Mode(1),
    "P": Mode(1),
    "LA": Mode(1, alpha=True),
    "La": Mode(1, alpha=True, premultiplied=True),
    "PA": Mode(1, alpha=True),
    "RGB": Mode(3),
    "RGBX": Mode(3),
    "RGBA": Mode(3, alpha=True),
    "RGBa": Mode(3, alpha=True, premultiplied=True),
}
"""Pillow's modes that are read. CMYK, YCbCr, LAB and HSV are not: their conversion to RGB changes values."""

_BITS, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 259, 262, 270, 338, 339
_ORIENTATION, _PLANAR = 274, 284
_NATIVE = {"I;32BS": "I;32NS", "F;32BF": "F;32NF", "I;16BS": "I;16NS"}
_READ_BY_PILLOW = {((8, 8, 8), 1, 2), ((8,), 1, 1), ((16,), 1, 1), ((1,), 1, 1), ((32,), 3, 1), ((8,), 1, 3)}
"""(bits, sample format, colour kind) of plain TIFFs: one that is refused all the same is damaged."""
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED = 0, 1, 2
_LOSSY_TIFF = {6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 50001: "WebP", 50002: "JPEG XL", 34892: "JPEG"}


@dataclass(frozen=True)
class TiffFacts:
    """What a TIFF's tags say about its samples; the defaults are right for every other format.

    Attributes:
        bits: Of each sample.
        signed: Whole numbers with a sign.
        white_is_zero: Grey is stored upside down.
        unknown_samples: How many samples of a pixel are neither colour nor transparency.
        lossy: The compression's name when it changes values, else "".
        turned: TIFF's orientation tag; 1 is upright.
        hidden_pages: Pages behind the first that have no directory of their own (ImageJ's large stacks).
    """

    bits: tuple[int, ...] = (8,)
    signed: bool = False
    white_is_zero: bool = False
    unknown_samples: int = 0
    lossy: str = ""
    turned: int = 1
    hidden_pages: int = 0


def tiff_facts(picture: PIL.ImageFile.ImageFile) -> TiffFacts:
    """The facts of a TIFF; the defaults for any other picture."""
    if picture.format != "TIFF":
        return TiffFacts()
    tags: Any = getattr(picture, "tag_v2", {})
    return TiffFacts(
        bits=tuple(tags.get(_BITS, (1,))),
        signed=_sample_format(tags) == _SIGNED,
        white_is_zero=tags.get(_PHOTOMETRIC, 1) == _WHITE_IS_ZERO,
        unknown_samples=sum(kind not in (1, 2, 999) for kind in tags.get(_EXTRA_SAMPLES, ())),
        lossy=_LOSSY_TIFF.get(int(tags.get(_COMPRESSION, 1)), ""),
        turned=int(tags.get(_ORIENTATION, 1)),
        hidden_pages=_imagej_pages(str(tags.get(_DESCRIPTION, ""))) - 1,
    )


def _sample_format(tags: Any) -> int:
    return int(next(iter(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))), _UNSIGNED))


def _imagej_pages(description: str) -> int:
    """How many images ImageJ says its file holds. Source: ij.io.TiffDecoder, `images=` in ImageDescription."""
    if not description.startswith("ImageJ="):
        return 1
    for line in description.splitlines():
        if line.startswith("images=") and line[7:].strip().isdecimal():
            return max(1, int(line[7:]))
    return 1


KNOWN_TIFF = "grey of up to 32 bits, RGB of 8 bits, or a palette"


def unknown_tiff(path: Path) -> str:
    """What kind of samples a TIFF that Pillow does not know holds, in words; "" for anything else.

    The first directory alone is looked at, after Pillow has refused the file.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start[:4] not in (b"II*\0", b"MM\0*"):
                return ""
            tags: Any = PIL.TiffImagePlugin.ImageFileDirectory_v2(start)
            file.seek(tags.next)
            tags.load(file)
            bits, form = tuple(tags.get(_BITS, (1,))), _sample_format(tags)
            colours, planar = int(tags.get(_PHOTOMETRIC, 1)), int(tags.get(_PLANAR, 1))
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError, struct.error):
        return ""
    if (bits, form, colours) in _READ_BY_PILLOW:
        return ""
    kinds = {1: "unsigned", 2: "signed", 3: "float", 5: "complex whole", 6: "complex float"}
    many = f", {len(bits)} samples a pixel" if len(bits) > 1 else ""
    return f"{max(bits)}-bit {kinds.get(form, 'unknown')} samples{many} of colour kind {colours}{' in planes' * (planar == 2)}"


def stored_pixels(picture: PIL.Image.Image, facts: TiffFacts) -> tuple[Pixels, Pixels | None]:
    """Colour and transparency as stored, in native byte order.

    Args:
        picture: In one of `MODES`.
        facts: Of its file.

    Returns:
        Colour (height, width) or (height, width, 3); transparency (height, width), None where the mode has none.
    """
    mode = MODES[picture.mode]
    array = _as_stored(np.asarray(picture), facts.turned)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.ndim == 2:
        return _retyped(array, facts), None
    colour = array[..., 0] if mode.colours == 1 else array[..., : mode.colours]
    return colour, (array[..., mode.colours] if mode.alpha else None)


def correct_byte_order(picture: PIL.ImageFile.ImageFile) -> None:
    """Tell Pillow that libtiff has already turned the bytes: without, compressed big-endian TIFFs of 32 bits come out as noise."""
    tile = picture.tile[0] if picture.tile else None
    if tile is not None and tile.codec_name == "libtiff" and isinstance(tile.args, tuple) and tile.args[0] in _NATIVE:
        picture.tile = [tile._replace(args=(_NATIVE[tile.args[0]], *tile.args[1:]))]


def _as_stored(array: Pixels, turned: int) -> Pixels:
    """Undo the turn that Pillow gives a TIFF by its orientation tag, as it gives no other picture. Source: TIFF 6.0, section 8."""
    if turned in (5, 7):
        swapped = array.swapaxes(0, 1)
        return swapped if turned == 5 else swapped[::-1, ::-1]
    if turned in (6, 8):
        return np.rot90(array, 1 if turned == 6 else 3)
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1)}.get(turned, (1, 1))
    return array[:: flips[0], :: flips[1]]


def _retyped(array: Pixels, facts: TiffFacts) -> Pixels:
    """Grey in the type its tags name: Pillow gives signed bytes as unsigned, and 32 unsigned bits as signed."""
    if array.dtype == np.uint8 and facts.signed and facts.bits == (8,):
        return array.view(np.int8)
    if array.dtype != np.int32:
        return array
    if facts.signed and facts.bits == (16,):
        return array.astype(np.int16)
    if not facts.signed and facts.bits == (32,):
        array = array.view(np.uint32)
    low, high = int(array.min()), int(array.max())
    return array.astype(np.uint16) if low >= 0 and high < 65536 else array


def as_channels(pixels: Pixels) -> ImageArray:
    """Pixels (height, width[, 3]) as (C, width, height, 1)."""
    deep = pixels[..., None] if pixels.ndim == 2 else pixels
    return deep.transpose(2, 1, 0)[..., None]
