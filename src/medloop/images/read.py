"""Read images and masks of any known format: the readers are asked in order, by content."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.errors import FormatError, GeometryError, LabelError, NotFoundError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source
from medloop.images.dicom_series import is_dicom
from medloop.images.files import sha256_of
from medloop.images.result import Purpose, Reader, ReadImage
from medloop.images.sandbox import read_isolated

__all__ = ["ReadImage", "Reader", "read_image", "read_mask", "readers"]

READER_GROUP = "medloop.readers"
"""Entry points of this group name a class without arguments that satisfies `Reader`."""


def read_image(paths: Path | Sequence[Path]) -> ReadImage:
    """Read the image of one case.

    Args:
        paths: One file, the folder of one DICOM series, the DICOM files of one series, or several files
            that are the channels of one case, in order.

    Raises:
        FormatError: A file is damaged, of no known format, or beyond the limits of memory and time.
        GeometryError: Channels lie on different grids.
        NotFoundError: No such file.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise FormatError("An image needs at least one file, got none", remedy="name its file")
    if len(files) > 1 and all(is_dicom(path) for path in files):
        return read_isolated(files, "image")
    parts = [read_isolated(path, "image") for path in files]
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for path, part in zip(files[1:], parts[1:], strict=True):
        part.image.grid.require_same(first.image.grid, f"{path.name}: every channel")
    array: ImageArray = np.concatenate([part.image.array for part in parts], dtype=_common_dtype(parts))
    source = Source(
        format=first.source.format,
        names=tuple(path.name for path in files),
        sha256=sha256_of(_all_files(files)),
        nifti_header=first.source.nifti_header,
        dicom=first.source.dicom,
    )
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return ReadImage(Image(array, first.image.grid), source, notes)


def read_mask(path: Path, grid: Grid | None = None) -> Mask:
    """Read a label map: whole numbers 0 to 255, in any dtype.

    Args:
        path: One file.
        grid: The grid of its image, which it must share.

    Returns:
        The mask, on the image's own grid when one is given.

    Raises:
        FormatError: The file is damaged, or holds fractions or several channels.
        LabelError: Values outside 0 to 255.
        GeometryError: It lies on another grid than its image.
    """
    read = read_isolated(path, "mask")
    if read.image.channels != 1:
        raise FormatError(f"{path.name}: a mask has one channel, got {read.image.channels}", remedy="save one label map per case")
    array = _labels(path.name, read.image.array[0])
    if grid is None:
        return Mask(array, read.image.grid)
    _require_grid(path.name, read, grid)
    return Mask(array, grid)


@cache
def readers() -> tuple[Reader, ...]:
    """Every reader in the order they are asked: third parties first, then the built-in ones."""
    from medloop.images.dicom import DicomReader
    from medloop.images.nifti import NiftiReader
    from medloop.images.raster import RasterReader

    found: list[Reader] = [point.load()() for point in entry_points(group=READER_GROUP)]
    return (*found, NiftiReader(), DicomReader(), RasterReader())


def load_decoders() -> None:
    """Import every decoder now, so that a memory limit set afterwards is about files alone."""
    readers()


def read_here(paths: Sequence[Path], purpose: Purpose) -> ReadImage:
    """Read one file, or the files of one series, in this process and without limits; `read_image` is the safe way.

    Raises:
        FormatError: No reader accepts the file, or its reader refuses it.
        NotFoundError: No such file.
    """
    path = paths[0]
    if len(paths) > 1:
        from medloop.images.dicom import read_series

        return read_series(paths)
    if not path.exists():
        raise NotFoundError(f"{path.name}: no such file", remedy="check the path")
    for reader in readers():
        if reader.accepts(path):
            return reader.read(path, purpose)
    known = ", ".join(reader.name for reader in readers())
    raise FormatError(f"{path.name}: no reader knows this format", remedy=f"use one of {known}")


def _common_dtype(parts: Sequence[ReadImage]) -> np.dtype[np.generic]:
    """The smallest dtype that holds every channel; beyond 32 bits it is float32."""
    common = np.result_type(*(part.image.array.dtype for part in parts))
    return common if common.itemsize <= 4 and common != np.float16 else np.dtype(np.float32)


def _all_files(paths: Sequence[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()]


def _labels(name: str, array: ImageArray) -> MaskArray:
    if array.dtype.kind == "f":
        broken = int(np.count_nonzero(array != np.round(array)))
        if broken:
            raise FormatError(
                f"{name}: a mask holds whole numbers, {broken} of {array.size} voxels are fractions",
                remedy="save the label map, not probabilities or an image",
            )
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 255:
        raise LabelError(f"{name}: label values must be 0 to 255, got {low:g} to {high:g}", remedy="map the labels to smaller numbers")
    return array.astype(np.uint8)


def _require_grid(name: str, read: ReadImage, grid: Grid) -> None:
    """Masks in a picture format know no millimetres: there only the shape must agree."""
    if read.source.format != "raster":
        read.image.grid.require_same(grid, f"{name}: the mask")
    elif read.image.grid.shape != grid.shape:
        raise GeometryError(
            f"{name}: the mask must lie on the image's grid, but {read.image.grid.differs_from(grid)}",
            remedy="export it again at the size of its image",
        )
