"""Read images and masks of any known format: the readers are asked in order, by content."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.errors import FormatError, GeometryError, LabelError, MedloopError, NotFoundError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Display, Source
from medloop.images.dicom_series import is_dicom
from medloop.images.files import sha256_of
from medloop.images.picture_masks import BLACK_AND_WHITE, from_black_and_white
from medloop.images.result import UNSIZED, Purpose, Reader, ReadImage, require_intensities
from medloop.images.sandbox import read_isolated
from medloop.images.segment_masks import named_mask, uncropped, without_segments
from medloop.images.segments import Naming

__all__ = ["ReadImage", "ReadMask", "Reader", "read_image", "read_mask", "read_mask_with_notes", "readers"]

MaskValues: TypeAlias = Literal["labels", "foreground"]
"""Whether a mask's values are labels, or everything above 0 is one label."""

Read = TypeVar("Read")

REPORTED_GAP = 1e-3
"""Share of a voxel by which a mask may lie off its image's grid before it is noted; 32-bit rounding stays below."""

OTHER_GRID = "import it with --resample-channels, or export it again on the grid of its image"
"""What to do with a channel on another grid."""

READER_GROUP = "medloop.readers"
"""Entry points of this group name a class without arguments that satisfies `Reader`."""


def read_image(paths: str | Path | Sequence[str | Path]) -> ReadImage:
    """Read the image of one case.

    Args:
        paths: One file, the folder of one DICOM series, the DICOM files of one series, or several files
            that are the channels of one case, in order.

    Raises:
        FormatError: A file is damaged, of no known format, or beyond the limits of memory and time.
        GeometryError: Channels lie on different grids.
        NotFoundError: No such file.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise FormatError("An image needs at least one file, got none", remedy="name its file")
    if len(files) > 1 and all(is_dicom(path) for path in files):
        return read_isolated(files, "image")
    parts = [read_isolated(path, "image") for path in files]
    if len(parts) == 1:
        return parts[0]
    return joined(files, parts)


def joined(files: Sequence[Path], parts: Sequence[ReadImage], hashed: Iterable[Path] | None = None) -> ReadImage:
    """Several images as the channels of one.

    Args:
        files: The file or folder of each.
        parts: As they were read, on one grid.
        hashed: The files whose bytes tell the image from others; None for all of `files`.

    Raises:
        GeometryError: They lie on different grids.
        FormatError: One of them is a segmentation.
    """
    for path, part in zip(files, parts, strict=True):
        require_intensities(path.name, part)
    first = parts[0]
    off: tuple[str, ...] = ()
    for path, part in zip(files[1:], parts[1:], strict=True):
        if difference := part.image.grid.differs_from(first.image.grid):
            raise GeometryError(f"{path.name}: every channel must lie on the image's grid, but {difference}", remedy=OTHER_GRID)
        gap_mm, share = part.image.grid.gap_to(first.image.grid)
        if share > REPORTED_GAP:
            off += (f"{path.name} was saved {gap_mm:.2g} mm off the grid of its image's first channel, which it takes",)
    array: ImageArray = np.concatenate([part.image.array for part in parts], dtype=_common_dtype(parts))
    source = Source(
        format=first.source.format,
        names=tuple(path.name for path in files),
        sha256=sha256_of(plain_files(files) if hashed is None else hashed),
        nifti_header=first.source.nifti_header,
        dicom=first.source.dicom,
        display=_common_display([part.source.display for part in parts]),
    )
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes)) + off
    return ReadImage(Image(array, first.image.grid), source, notes)


def plain_files(paths: Iterable[Path]) -> list[Path]:
    """Files themselves, and those in folders, in order of name."""
    inside = [sorted(path.iterdir()) if path.is_dir() else [path] for path in paths]
    return [file for files in inside for file in files if file.is_file()]


@dataclass(frozen=True)
class ReadMask:
    """A mask read from a file, and what was noticed and not repaired; every note starts with "mask: ".

    Where the file names its segments and these were matched with labels, `named` has their values, which are those of the mask.
    """

    mask: Mask
    notes: tuple[str, ...] = ()
    named: tuple[int, ...] = ()


def read_mask(path: str | Path, grid: Grid | None = None, *, reading: MaskValues = "labels") -> Mask:
    """The mask of `read_mask_with_notes`, without its notes."""
    return read_mask_with_notes(Path(path), grid, reading=reading).mask


def read_mask_with_notes(
    path: Path, grid: Grid | None = None, *, reading: MaskValues = "labels", naming: Naming | None = None, without: Collection[str] = ()
) -> ReadMask:
    """Read a label map: whole numbers, in any dtype.

    Args:
        path: One file.
        grid: The grid of its image, which it must share to within `medloop.core.geometry.GRID_TOLERANCE`.
        reading: "labels" keeps values, which must be 0 to 255; "foreground" makes every value above 0 a 1 (instance maps).
        naming: What named segments (.seg.nrrd) mean; None takes their values as they are.
        without: Names of segments that a tool makes for itself and that are no label; their voxels are background.

    Returns:
        The mask, on the image's own grid when one is given.

    Raises:
        FormatError: The file is damaged, or holds fractions or several channels.
        LabelError: Negative values, labels above 255, or segments that are no label.
        GeometryError: It lies on another grid than its image.
    """
    read = without_segments(read_isolated(path, "mask"), without)
    if read.segments and grid is not None:
        read = uncropped(read, grid)
    if read.segments and naming is not None and reading == "labels":
        found = named_mask(path.name, read, naming)
        notes = tuple(f"mask: {note}" for note in (*read.notes, *found.notes))
        if grid is not None:
            notes += _require_grid(path.name, read, grid)
        return ReadMask(Mask(found.array, read.image.grid if grid is None else grid), notes, found.named)
    if read.segments and reading == "foreground":
        read = replace(read, image=Image(read.image.array.max(axis=0, keepdims=True), read.image.grid))
    if read.image.channels != 1:
        raise FormatError(f"{path.name}: a mask has one channel, got {read.image.channels}", remedy="save one label map per case")
    stored = read.image.array[0]
    plain = stored if reading == "foreground" else from_black_and_white(stored)
    array = _labels(path.name, plain, reading)
    said = read.notes if plain is stored else (*read.notes, BLACK_AND_WHITE)
    notes = tuple(f"mask: {note}" for note in said if note != UNSIZED)
    if grid is None:
        return ReadMask(Mask(array, read.image.grid), notes)
    notes += _require_grid(path.name, read, grid)
    return ReadMask(Mask(array, grid), notes)


@cache
def readers() -> tuple[Reader, ...]:
    """Every reader in the order they are asked: third parties first, then the built-in ones."""
    from medloop.images.dicom import DicomReader
    from medloop.images.metaimage import MetaImageReader
    from medloop.images.nifti import NiftiReader
    from medloop.images.nrrd import NrrdReader
    from medloop.images.raster import RasterReader

    return (*map(_PlugIn, entry_points(group=READER_GROUP)), NiftiReader(), NrrdReader(), MetaImageReader(), DicomReader(), RasterReader())


class _PlugIn:
    """A reader of another package, loaded at once; a file that it fails on is left out, with its name."""

    def __init__(self, point: EntryPoint) -> None:
        self.name, self._home = point.name, point.value
        self._reader: Reader | Exception
        try:
            self._reader = point.load()()
        except Exception as error:
            self._reader = error

    def accepts(self, path: Path) -> bool:
        return self._use(path, lambda reader: bool(reader.accepts(path)))

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:
        return self._use(path, lambda reader: reader.read(path, purpose))

    def _use(self, path: Path, use: Callable[[Reader], Read]) -> Read:
        try:
            if isinstance(self._reader, Exception):
                raise self._reader
            return use(self._reader)
        except (MedloopError, MemoryError, RecursionError):
            raise
        except Exception as error:
            message = f"{path.name}: the reader {self.name!r} of {self._home} failed ({type(error).__name__}: {error})"
            raise FormatError(message, remedy="copy the file again, or repair or remove that package") from error


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
    return common if common.itemsize <= 4 else np.dtype(np.float32)


def _common_display(displays: Sequence[Display | None]) -> Display:
    """How several files that are channels ask to be shown together: windows belong to one channel and are left to each."""
    known = [display or Display() for display in displays]
    modalities = {display.modality for display in known}
    return Display(modality=known[0].modality if len(modalities) == 1 else "", oriented=all(display.oriented for display in known))


def _labels(name: str, array: ImageArray, reading: MaskValues) -> MaskArray:
    if array.dtype.kind == "f":
        broken = int(np.count_nonzero(array != np.round(array)))
        if broken:
            raise FormatError(
                f"{name}: a mask holds whole numbers, {broken} of {array.size} voxels are fractions",
                remedy="save the label map, not probabilities or an image",
            )
    low, high = float(array.min()), float(array.max())
    if low < 0 or (high > 255 and reading == "labels"):
        raise LabelError(f"{name}: label values must be 0 to 255, got {low:g} to {high:g}", remedy="map the labels to smaller numbers")
    return (array > 0).astype(np.uint8) if reading == "foreground" else array.astype(np.uint8)


def _require_grid(name: str, read: ReadImage, grid: Grid) -> tuple[str, ...]:
    """Raise unless a mask lies on its image's grid, and say how far off it was saved."""
    if read.source.format == "raster":
        return _require_picture(name, read, grid)
    stored = _in_units_of(read.image.grid, grid)
    stored.require_same(grid, f"{name}: the mask")
    notes: tuple[str, ...] = ()
    if stored is not read.image.grid:
        notes = ("mask: its header has another unit of length; it is read in its image's, on the grid of its image",)
    gap_mm, share = stored.gap_to(grid)
    if share > REPORTED_GAP:
        notes += (f"mask: it was saved {gap_mm:.2g} mm ({share:.2g} of a voxel) off the grid of its image, which it takes",)
    return notes


def _in_units_of(stored: Grid, grid: Grid) -> Grid:
    """A mask's grid in its image's unit: tools that save masks often drop the unit that the image's header states."""
    if stored.shape != grid.shape or stored.same_as(grid):
        return stored
    for factor in (1000.0, 0.001):
        scaled = Grid(stored.shape, np.vstack([stored.affine[:3] * factor, stored.affine[3:]]))
        if scaled.same_as(grid):
            return scaled
    return stored


def _require_picture(name: str, read: ReadImage, grid: Grid) -> tuple[str, ...]:
    """Masks in a picture format know no millimetres: there only the shape must agree."""
    if read.image.grid.shape != grid.shape:
        raise GeometryError(
            f"{name}: the mask must lie on the image's grid, but {read.image.grid.differs_from(grid)}",
            remedy="export it again at the size of its image",
        )
    is_flat = bool((grid.affine[:2, :2] == np.diag(np.diag(grid.affine[:2, :2]))).all() and (np.diag(grid.affine)[:2] < 0).all())
    laid = "mask: a picture has no position; it is laid on the grid of its image column by column, row by row, as stored"
    return () if is_flat else (laid,)
