"""What a reader gives back, and what a reader is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np

from medloop.core.arrays import Affine, FloatArray, ImageArray
from medloop.core.errors import FormatError, GeometryError, ShapeError
from medloop.core.geometry import Grid, Shape3
from medloop.core.image import Image
from medloop.core.records import Source
from medloop.images.segments import Segment

Purpose: TypeAlias = Literal["image", "mask"]
"""Intensities, or label values: colours of a palette become their index in a mask."""

MAX_CHANNELS = 16
"""More volumes than this in one file are a time series, not channels."""

MAX_VOXEL_BYTES = 2 << 30
"""Largest array read from one file: 2 GiB, four times a 512×512×1024 CT."""


UNSIZED = "no pixel size is stored; 1 mm is assumed"
"""The note of an image whose figures must not be called millimetres."""

UNSPACED = "no spacing of frames is stored; 1 mm is assumed"
"""The note of frames whose distance is not known: their volumes must not be called millimetres either."""


@dataclass(frozen=True)
class ReadImage:
    """An image read from files.

    Attributes:
        image: Intensities on their grid.
        source: Where it came from.
        notes: What was noticed and not repaired, one line each; `images.notes` groups them.
        segments: What a segmentation calls its values, whose layers are the channels; () for every other file.
    """

    image: Image
    source: Source
    notes: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()


class Reader(Protocol):
    """One file format. Third parties register theirs as entry points of the group `medloop.readers`."""

    name: str

    def accepts(self, path: Path) -> bool:
        """Whether this path looks like the reader's format, judged by its first bytes."""

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:
        """Read one file or series.

        Raises:
            FormatError: The file is damaged or not supported.
        """


def grid_of(name: str, shape: Shape3, affine: Affine) -> Grid:
    """A grid, with the file's name in front of whatever is wrong with it.

    Raises:
        GeometryError: The affine is not usable.
        FormatError: The shape is not.
    """
    try:
        return Grid(shape, affine)
    except GeometryError as error:
        raise GeometryError(f"{name}: {error.message}", remedy=error.remedy) from error
    except ShapeError as error:
        raise FormatError(f"{name}: {error.message}", remedy=error.remedy) from error


def require_finite(name: str, array: ImageArray) -> None:
    """Raise unless every voxel is a number.

    Raises:
        FormatError: With the count of NaN and infinite voxels.
    """
    if array.dtype.kind == "f" and (bad := array.size - int(np.count_nonzero(np.isfinite(array)))):
        raise FormatError(
            f"{name}: every voxel must be finite, {bad} of {array.size} are NaN or infinite",
            remedy="replace them, for example by the background's value, and import again",
        )


def require_intensities(name: str, found: ReadImage) -> None:
    """Raise where a file that is to be an image is a segmentation: it would be a case of its own.

    Raises:
        FormatError: It names segments.
    """
    if found.segments:
        rule = f"an image holds intensities, this is a segmentation of {len(found.segments)} segments"
        raise FormatError(f"{name}: {rule}", remedy="put it into labels/, called like its image")


def supported(name: str, array: ImageArray) -> ImageArray:
    """The array in one of the dtypes medloop keeps: 8 to 32 bit whole numbers, or float32.

    Raises:
        FormatError: 64-bit whole numbers beyond 32 bits, or floats beyond float32.
    """
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind in "iu" and native.dtype.itemsize == 8:
        return _narrowed(name, native)
    if native.dtype.kind == "f" and native.dtype.itemsize != 4:
        require_finite(name, native)
        if native.size and float(np.abs(native).max()) > float(np.finfo(np.float32).max):
            raise FormatError(f"{name}: intensities must fit 32-bit floats", remedy="rescale the image")
        return native.astype(np.float32)
    return native


def _narrowed(name: str, array: ImageArray) -> ImageArray:
    low, high = int(array.min()), int(array.max())
    for dtype in (np.int32, np.uint32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return array.astype(dtype)
    raise FormatError(f"{name}: whole numbers must fit 32 bits, got {low} to {high}", remedy="rescale the image")


def rescaled(array: ImageArray, slope: float, intercept: float) -> ImageArray:
    """`array × slope + intercept`; whole numbers stay whole when both factors are.

    Args:
        array: Stored values.
        slope: Finite and not 0.
        intercept: Finite.
    """
    if slope == 1 and intercept == 0:
        return array
    if array.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer() and array.size:
        ends = sorted(int(v) * int(slope) + int(intercept) for v in (array.min(), array.max()))
        for dtype in (np.int16, np.int32):
            if np.iinfo(dtype).min <= ends[0] and ends[1] <= np.iinfo(dtype).max:
                whole: ImageArray = array.astype(np.int64) * int(slope) + int(intercept)
                return whole.astype(dtype)
    exact: FloatArray = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    return (exact * slope + intercept).astype(np.float32)
