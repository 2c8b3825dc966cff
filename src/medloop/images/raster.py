"""PNG, JPEG, TIFF and BMP pictures as one-slice images: I along the width, J down the height, as stored.

A picture carries no orientation and no trustworthy pixel size, so both are set (`Grid.flat`, 1 mm) and
noted. Pillow reads 16-bit colour as 8 bits without a word; such files are refused here instead.
"""

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFile

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError, ShapeError
from medloop.core.geometry import MAX_AXIS, Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Display, Source
from medloop.images.files import read_start, sha256_of, write_atomic
from medloop.images.picture_masks import BLACK_AND_WHITE, from_black_and_white, labels_of, require_plain_transparency, unblurred
from medloop.images.picture_modes import (
    KNOWN_TIFF,
    MODES,
    Pixels,
    TiffFacts,
    as_channels,
    correct_byte_order,
    stored_pixels,
    tiff_facts,
    unknown_tiff,
)
from medloop.images.result import UNSIZED, Purpose, ReadImage, require_finite

MAX_PIXELS = 89_478_485
"""Pixels of the largest picture decoded: the number above which Pillow suspects a bomb (1/4 GiB as RGB)."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM")
_FOREIGN = b"MM\0+"
_EXIF_ORIENTATION = 0x0112
_PNG_GREY = 0
_GREY_CHROMA = 2
"""Colour difference that rounding may leave in the JPEG of a grey picture."""

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    PIL.Image.DecompressionBombError,
    PIL.Image.DecompressionBombWarning,  # an exception where warnings are errors; otherwise the gate refuses
)
"""What Pillow raises on pictures that are damaged or too large."""


class RasterReader:
    """The reader of PNG, JPEG, TIFF and BMP."""

    name = "png, jpeg, tiff, bmp"

    def accepts(self, path: Path) -> bool:
        """Whether the first bytes or the name are those of a picture."""
        return path.is_file() and (path.suffix.lower() in SUFFIXES or read_start(path, 8).startswith(_MAGICS))

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:
        """See `read_raster`."""
        return read_raster(path, purpose)


def read_raster(path: Path, purpose: Purpose = "image") -> ReadImage:
    """Read one picture.

    Args:
        path: The file.
        purpose: For a mask, a palette gives its indices, pure black and white becomes 0 and 1, and transparency counts; see
            `picture_masks`.

    Returns:
        Array (C, width, height, 1), one or three channels, as stored.

    Raises:
        FormatError: Damaged, of several pages, with colours that would be changed by reading, or a mask whose labels cannot be told.
    """
    if read_start(path, 4) == _FOREIGN:
        raise FormatError(f"{path.name}: a BigTIFF is little-endian, got big-endian", remedy="save it as a plain TIFF or as PNG")
    try:
        # An open file, because Pillow maps a named one into memory and garbles turned TIFFs on the way.
        with path.open("rb") as file, PIL.Image.open(file, formats=FORMATS) as picture:
            facts = tiff_facts(picture)
            notes = _gate(path, picture, facts, purpose)
            correct_byte_order(picture)
            pixels, said = _mask_pixels(path, picture, facts) if purpose == "mask" else _image_pixels(picture, facts)
    except _DAMAGE as error:
        if isinstance(error, FormatError):
            raise
        raise _refusal(path, error) from error
    array, notes = as_channels(pixels), (*notes, *said)
    require_finite(path.name, array)
    if len(array) == 3 and np.array_equal(array[0], array[1]) and np.array_equal(array[0], array[2]):
        array = array[:1]
        notes += ("grey stored as colour; one channel kept",)
    if purpose == "mask":
        stored, array = array, from_black_and_white(array)
        notes += () if array is stored else (BLACK_AND_WHITE,)
    grid = Grid.flat(array.shape[1], array.shape[2])
    display = Display(oriented=False, inverted=facts.white_is_zero and array.dtype not in (np.uint8, np.uint16))  # those are turned up
    source = Source(format="raster", names=(path.name,), sha256=sha256_of([path]), display=display)
    return ReadImage(Image(array, grid), source, (*notes, UNSIZED))


def _refusal(path: Path, error: Exception) -> FormatError:
    """Why Pillow did not read it: a kind of TIFF that it does not know, or damage."""
    if kind := unknown_tiff(path):
        return FormatError(
            f"{path.name}: a TIFF holds {KNOWN_TIFF}, got {kind}", remedy="convert it, for example to 16-bit grey or 32-bit float"
        )
    words = str(error).replace(str(path), path.name).splitlines()[0]
    return FormatError(f"{path.name}: a picture must be an intact PNG, JPEG, TIFF or BMP, got: {words}", remedy="save it again")


def write_mask_png(path: Path, mask: Mask) -> None:
    """Write the label values of a 2D mask as an 8-bit grey PNG: value 1 is grey level 1.

    Raises:
        ShapeError: A mask with more than one slice.
        StorageError: The disk refused.
    """
    if not mask.grid.is_2d:
        raise ShapeError(f"{path.name}: a PNG holds one slice, the mask has {mask.grid.shape[2]}", remedy="write NIfTI")
    write_png(path, mask.array[None])


def write_png(path: Path, array: ImageArray) -> None:
    """Write a picture, value for value: (1, width, height, 1) of uint8 or uint16, or (3, width, height, 1) of uint8.

    Raises:
        StorageError: The disk refused.
    """
    write_atomic(path, png_bytes(array))


def png_bytes(array: ImageArray) -> bytes:
    """What `write_png` writes."""
    rows = array[..., 0].transpose(2, 1, 0)
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(rows[..., 0] if len(array) == 1 else rows)).save(buffer, "PNG")
    return buffer.getvalue()


def _gate(path: Path, picture: PIL.ImageFile.ImageFile, facts: TiffFacts, purpose: Purpose) -> tuple[str, ...]:
    """Judge what the header says before any pixel is decoded."""
    width, height = picture.size
    if width * height > MAX_PIXELS or not 1 <= min(width, height) <= max(width, height) <= MAX_AXIS:
        raise FormatError(
            f"{path.name}: a picture has 1 to {MAX_AXIS} pixels a side and at most {MAX_PIXELS}, got {width}×{height}",
            remedy="crop it or cut it into tiles",
        )
    pages = int(getattr(picture, "n_frames", 1)) + facts.hidden_pages
    if pages > 1 and picture.format != "MPO":
        raise FormatError(f"{path.name}: a picture has one page, got {pages}", remedy="save each page as its own file")
    if picture.mode not in MODES:
        raise FormatError(f"{path.name}: colours must be grey, RGB or a palette, got {picture.mode}", remedy="convert it to RGB")
    if _deep_colour(path, picture, facts):
        raise FormatError(f"{path.name}: colour must have 8 bits a channel, got 16", remedy="convert it to 8-bit RGB or 16-bit grey")
    if purpose == "mask":
        _gate_mask(path, facts)
    return _header_notes(picture, facts, pages)


def _gate_mask(path: Path, facts: TiffFacts) -> None:
    """Refuse what can be read as two different label maps."""
    if facts.lossy:
        raise FormatError(
            f"{path.name}: {facts.lossy} may change label values, and this TIFF is compressed by it", remedy="save it with LZW"
        )
    if facts.white_is_zero:
        raise FormatError(
            f"{path.name}: a mask in which white is stored as 0 can be read in two ways (as shown, or as stored)",
            remedy="save it as black is zero (in Fiji: Image > Lookup Tables > Grays first), or as PNG",
        )
    if facts.unknown_samples:
        raise FormatError(f"{path.name}: a mask has one value a pixel, this has others without a meaning", remedy="save one grey channel")


def _header_notes(picture: PIL.ImageFile.ImageFile, facts: TiffFacts, pages: int) -> tuple[str, ...]:
    notes = []
    if pages > 1:
        notes.append(f"{pages} pictures are stored; the first is kept")
    if facts.unknown_samples:
        notes.append(f"{facts.unknown_samples} value(s) a pixel without a stated meaning are left out")
    if (turn := picture.getexif().get(_EXIF_ORIENTATION, 1)) != 1:
        notes.append(
            f"EXIF says to turn the picture (orientation {turn}); it is kept as stored, and a mask drawn on the turned picture does not fit"
        )
    return tuple(notes)


def _deep_colour(path: Path, picture: PIL.ImageFile.ImageFile, facts: TiffFacts) -> bool:
    """Whether several channels have more than 8 bits, which Pillow would cut off silently."""
    if picture.format == "PNG":
        bits, kind = _png_depth(path)
        return bits == 16 and kind != _PNG_GREY
    return len(facts.bits) > 1 and max(facts.bits) > 8


def _png_depth(path: Path) -> tuple[int, int]:
    """Bit depth and colour type of the IHDR chunk. Source: PNG specification 11.2.2."""
    start = read_start(path, 26)
    return (start[24], start[25]) if len(start) == 26 else (8, _PNG_GREY)


def _image_pixels(picture: PIL.ImageFile.ImageFile, facts: TiffFacts) -> tuple[Pixels, tuple[str, ...]]:
    """Intensities (height, width) or (height, width, 3), and what was noticed."""
    transparent = picture.info.get("transparency") is not None
    if picture.mode in ("P", "PA"):
        pixels, alpha = np.asarray(picture.convert("RGB")), None if picture.mode == "P" else stored_pixels(picture, facts)[1]
    else:
        pixels, alpha = stored_pixels(picture, facts)
    notes = []
    if transparent or (alpha is not None and int(alpha.min()) < 255):
        notes.append("transparency is dropped")
    if MODES[picture.mode].premultiplied:
        notes.append("colours are stored multiplied by their opacity, and kept so")
    if facts.white_is_zero:
        pixels, words = _upright(pixels)
        notes.append(words)
    return pixels, tuple(notes)


def _upright(pixels: Pixels) -> tuple[Pixels, str]:
    """Grey stored with white as 0; Pillow turns 8 bits and less by itself, and nothing else."""
    if pixels.dtype == np.uint16:
        pixels = np.uint16(65535) - pixels
    elif pixels.dtype != np.uint8:
        return pixels, "white is stored as 0: meant to be drawn inverted; values are kept"
    return pixels, "white is stored as 0: values are inverted so that higher is brighter"


def _mask_pixels(path: Path, picture: PIL.ImageFile.ImageFile, facts: TiffFacts) -> tuple[Pixels, tuple[str, ...]]:
    """Label values, and what was noticed."""
    if picture.format in ("JPEG", "MPO"):
        tables = getattr(picture, "quantization", None)
        grey = _brightness(path, picture)
        return unblurred(path.name, grey, tables), ("a JPEG of two values; each pixel's is certain at this quality",)
    colour, alpha = stored_pixels(picture, facts)
    require_plain_transparency(path.name, colour, picture.info.get("transparency"))
    if colour.ndim == 2:
        bits, is_grey = _depth(path, picture, facts)
        # Grey of 2 or 4 bits is spread to 0..255 when decoded; a label must be what was written.
        colour = colour // (255 // (2**bits - 1)) if is_grey and bits in (2, 4) else colour
    return labels_of(path.name, colour, alpha)


def _brightness(path: Path, picture: PIL.ImageFile.ImageFile) -> Pixels:
    """The brightness of a JPEG as stored, uint8 (height, width)."""
    if picture.mode != "L":
        picture.draft("YCbCr", picture.size)
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        return pixels
    if picture.mode != "YCbCr" or int(np.abs(pixels[..., 1:].astype(np.int16) - 128).max()) > _GREY_CHROMA:
        raise FormatError(f"{path.name}: a mask has one channel, got a JPEG in colour", remedy="save one label map per case, as PNG")
    return pixels[..., 0]


def _depth(path: Path, picture: PIL.ImageFile.ImageFile, facts: TiffFacts) -> tuple[int, bool]:
    """Bits of a grey value, and whether values are grey rather than indices."""
    if picture.format == "PNG":
        bits, kind = _png_depth(path)
        return bits, kind == _PNG_GREY
    return (facts.bits[0], picture.mode == "L") if picture.format == "TIFF" else (8, False)
