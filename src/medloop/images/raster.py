"""PNG, JPEG, TIFF and BMP pictures as one-slice images: I along the width, J down the height, as stored.

A picture carries no orientation and no trustworthy pixel size, so both are set (`Grid.flat`, 1 mm) and
noted. Pillow reads 16-bit colour as 8 bits without a word; such files are refused here instead.
"""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError, ShapeError
from medloop.core.geometry import MAX_AXIS, Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.images.files import read_start, sha256_of, write_atomic
from medloop.images.result import UNSIZED, Purpose, ReadImage, require_finite

MAX_PIXELS = 89_478_485
"""Pixels of the largest picture decoded: the number above which Pillow suspects a bomb (1/4 GiB as RGB)."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
_EXIF_ORIENTATION = 0x0112
_TIFF_BITS = 258
_PNG_GREY = 0

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    PIL.Image.DecompressionBombError,
    PIL.Image.DecompressionBombWarning,  # an exception where warnings are errors; otherwise the gate refuses
)
"""What Pillow raises on pictures that are damaged or too large."""

_MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "La": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "RGBa": "RGB",
    "RGBX": "RGB",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I": "I",
    "F": "F",
}
"""Pillow's modes that are read, and the mode each is read as."""


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
        purpose: For a mask, a palette gives its indices, and pure black and white becomes 0 and 1.

    Returns:
        Array (C, width, height, 1), one or three channels, as stored.

    Raises:
        FormatError: Damaged, of several pages, or with colours that would be changed by reading.
    """
    try:
        with PIL.Image.open(path, formats=FORMATS) as picture:
            notes = _gate(path, picture)
            array = _pixels(path, picture, purpose)
    except _DAMAGE as error:
        if isinstance(error, FormatError):
            raise
        words = str(error).replace(str(path), path.name).splitlines()[0]
        raise FormatError(
            f"{path.name}: a picture must be an intact PNG, JPEG, TIFF or BMP, got: {words}", remedy="save it again"
        ) from error
    require_finite(path.name, array)
    if len(array) == 3 and np.array_equal(array[0], array[1]) and np.array_equal(array[0], array[2]):
        array = array[:1]
        notes += ("grey stored as colour; one channel kept",)
    if purpose == "mask":
        array = _label_values(array)
    grid = Grid.flat(array.shape[1], array.shape[2])
    source = Source(format="raster", names=(path.name,), sha256=sha256_of([path]))
    return ReadImage(Image(array, grid), source, (*notes, UNSIZED))


def write_mask_png(path: Path, mask: Mask) -> None:
    """Write the label values of a 2D mask as an 8-bit grey PNG: value 1 is grey level 1.

    Raises:
        ShapeError: A mask with more than one slice.
        StorageError: The disk refused.
    """
    if not mask.grid.is_2d:
        raise ShapeError(f"{path.name}: a PNG holds one slice, the mask has {mask.grid.shape[2]}", remedy="write NIfTI")
    _write_png(path, mask.array[None])


def write_image_png(path: Path, image: Image) -> None:
    """Write a 2D image as PNG, value for value: grey of 8 or 16 bits, or RGB of 8.

    Raises:
        ShapeError: More than one slice, or channels and dtype that a PNG does not hold.
        StorageError: The disk refused.
    """
    kind = (image.channels, image.array.dtype.name)
    if not image.grid.is_2d or kind not in ((1, "uint8"), (1, "uint16"), (3, "uint8")):
        raise ShapeError(
            f"{path.name}: a PNG holds one slice of uint8, uint16 or RGB, got {image.array.shape} {kind[1]}", remedy="write NIfTI"
        )
    _write_png(path, image.array)


def _write_png(path: Path, array: ImageArray) -> None:
    """Write (C, width, height, 1), one or three channels."""
    rows = array[..., 0].transpose(2, 1, 0)
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(rows[..., 0] if len(array) == 1 else rows)).save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())


def _gate(path: Path, picture: PIL.ImageFile.ImageFile) -> tuple[str, ...]:
    """Judge what the header says before any pixel is decoded."""
    width, height = picture.size
    if width * height > MAX_PIXELS or not 1 <= min(width, height) <= max(width, height) <= MAX_AXIS:
        raise FormatError(
            f"{path.name}: a picture has 1 to {MAX_AXIS} pixels a side and at most {MAX_PIXELS}, got {width}×{height}",
            remedy="crop it or cut it into tiles",
        )
    pages = int(getattr(picture, "n_frames", 1))
    if pages > 1 and picture.format != "MPO":
        raise FormatError(f"{path.name}: a picture has one page, got {pages}", remedy="save each page as its own file")
    if picture.mode not in _MODES:
        raise FormatError(f"{path.name}: colours must be grey, RGB or a palette, got {picture.mode}", remedy="convert it to RGB")
    if _deep_colour(path, picture):
        raise FormatError(f"{path.name}: colour must have 8 bits a channel, got 16", remedy="convert it to 8-bit RGB or 16-bit grey")
    notes = []
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        notes.append("transparency is dropped")
    if (turn := picture.getexif().get(_EXIF_ORIENTATION, 1)) != 1:
        notes.append(f"EXIF asks to turn the picture (orientation {turn}); it is kept as stored")
    return tuple(notes)


def _deep_colour(path: Path, picture: PIL.ImageFile.ImageFile) -> bool:
    """Whether several channels have more than 8 bits, which Pillow would cut off silently."""
    if picture.format == "PNG":
        bits, kind = _png_depth(path)
        return bits == 16 and kind != _PNG_GREY
    tags: Any = getattr(picture, "tag_v2", {})
    depths = tags.get(_TIFF_BITS, (8,)) if picture.format == "TIFF" else (8,)
    return len(depths) > 1 and max(depths) > 8


def _png_depth(path: Path) -> tuple[int, int]:
    """Bit depth and colour type of the IHDR chunk. Source: PNG specification 11.2.2."""
    start = read_start(path, 26)
    return (start[24], start[25]) if len(start) == 26 else (8, _PNG_GREY)


def _pixels(path: Path, picture: PIL.ImageFile.ImageFile, purpose: Purpose) -> ImageArray:
    """Pixels as (C, width, height, 1)."""
    if purpose == "mask" and picture.mode == "P":
        stored = np.asarray(picture)
    else:
        wanted = _MODES[picture.mode]
        flat = picture if picture.mode == wanted else picture.convert(wanted)
        stored = np.asarray(flat)
    if purpose == "mask" and picture.format == "PNG":
        stored = _unspread(stored, *_png_depth(path))
    if stored.dtype.kind == "i" and stored.size and int(stored.min()) >= 0 and int(stored.max()) < 65536:
        stored = stored.astype(np.uint16)
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    pixels = native[..., None] if native.ndim == 2 else native
    array: ImageArray = pixels.transpose(2, 1, 0)[..., None]
    return array


def _unspread(stored: ImageArray, bits: int, kind: int) -> ImageArray:
    """Grey of 2 or 4 bits is spread to 0..255 when decoded; a label must be what was written."""
    return stored // (255 // (2**bits - 1)) if kind == _PNG_GREY and bits in (2, 4) else stored


def _label_values(array: ImageArray) -> ImageArray:
    """Black and white masks say 255 for the only label; every other map is kept as it is."""
    if array.max() == 255 and set(np.unique(array).tolist()) <= {0, 255}:
        return (array > 0).astype(np.uint8)
    return array
