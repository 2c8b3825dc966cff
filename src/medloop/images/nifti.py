"""NIfTI in and out: nothing is resampled or reordered, and a mask carries its image's own header.

Reading passes the gate (`nifti_header`) first; nibabel then only turns header fields into an affine.
Writing starts from the raw header of the source, so that qform, sform, their codes, the voxel sizes and
the units come out bit for bit as they went in, whatever their convention.
"""

import base64
import struct
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import FormatError, GeometryError, IntegrityError
from medloop.core.geometry import Grid, Shape3
from medloop.core.image import Image, Mask
from medloop.core.records import Display, Source
from medloop.images.encode import pack
from medloop.images.files import read_bounded, read_start, sha256_of, write_atomic
from medloop.images.nifti_geometry import SHEAR_TOLERANCE, place_of, shear_of
from medloop.images.nifti_header import NIFTI1, NIFTI2, NIFTI_DTYPES, Layout, NiftiHeader, gate_header, version_of, without_words
from medloop.images.result import Purpose, ReadImage, grid_of, require_finite, rescaled, supported


class NiftiReader:
    """The reader of `.nii`, `.nii.gz` and `.hdr`/`.img` files."""

    name = "nifti"

    def accepts(self, path: Path) -> bool:
        """Whether the name or the first bytes are NIfTI's."""
        plain = path.name.lower().removesuffix(".gz")
        if plain.endswith((".nii", ".hdr", ".img")):
            return True
        return path.is_file() and version_of(read_start(path, 544)) is not None

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:  # noqa: ARG002 - the same for both
        """See `read_nifti`."""
        return read_nifti(path)


def read_nifti(path: Path) -> ReadImage:
    """Read an image or a label map.

    Args:
        path: A `.nii`, `.nii.gz`, or either half of a pair.

    Returns:
        Array (C, I, J, K) after rescale, in file order; a fourth axis becomes channels.

    Raises:
        FormatError: The file breaks a rule of the format, or holds voxels that are not numbers.
        GeometryError: Its affine is not usable.
        NotFoundError: No such file.
    """
    header = gate_header(path)
    array = _voxels(header)
    require_finite(path.name, array)
    array = supported(path.name, rescaled(array, header.slope, header.intercept))
    place = place_of(path.name, header, _three(header.shape))
    grid = grid_of(path.name, _three(header.shape), place.affine)
    files = [path] if header.voxels_path == path else sorted({path, header.voxels_path})
    source = Source(
        format="nifti",
        names=(path.name,),
        sha256=sha256_of(files),
        nifti_header=base64.b64encode(without_words(header.raw, header.layout)).decode("ascii"),
        display=Display(oriented=place.oriented),
    )
    return ReadImage(Image(array, grid), source, place.notes)


def write_mask(path: Path, mask: Mask, source: Source | None = None) -> None:
    """Write label values as uint8 with the geometry of the source image, bit for bit.

    Args:
        path: Ends in `.nii` or `.nii.gz`.
        mask: The label values.
        source: Where its image came from; None, or another format than NIfTI, writes the mask's own affine.

    Raises:
        FormatError: Another ending.
        GeometryError: The source's header has another shape than the mask.
        StorageError: The disk refused.
    """
    _write(path, mask.array[None], mask.grid, source)


def write_image(path: Path, image: Image, source: Source | None = None) -> None:
    """Write intensities in their own dtype; channels become a fourth axis. See `write_mask`."""
    _write(path, image.array, image.grid, source)


def _voxels(header: NiftiHeader) -> ImageArray:
    """Stored voxels as (C, I, J, K), without rescale."""
    data = read_bounded(header.voxels_path, header.offset + header.voxel_bytes)
    if len(data) < header.offset + header.voxel_bytes:
        raise FormatError(
            f"{header.voxels_path.name}: the header declares {header.offset + header.voxel_bytes} bytes, the file holds {len(data)}",
            remedy="copy or download it again; it is cut off",
        )
    flat = np.frombuffer(data, header.dtype, offset=header.offset)
    i, j, k = _three(header.shape)
    return flat.reshape((i, j, k, -1), order="F").transpose(3, 0, 1, 2)


def _three(shape: tuple[int, ...]) -> Shape3:
    return (shape[0], shape[1], shape[2] if len(shape) > 2 else 1)


def _write(path: Path, array: ImageArray, grid: Grid, source: Source | None) -> None:
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise FormatError(f"{path.name}: a NIfTI file is named .nii or .nii.gz", remedy=f"write {path.stem}.nii.gz")
    raw = base64.b64decode(source.nifti_header) if source is not None and source.nifti_header else _fresh_header(array, grid)
    header = _adapted(raw, array, path.name)
    order: Literal["<", ">"] = "<" if struct.unpack("<i", header[:4])[0] in (348, 540) else ">"
    body = array.astype(array.dtype.newbyteorder(order), copy=False).transpose(0, 3, 2, 1).tobytes(order="C")
    data = header + b"\0\0\0\0" + body
    write_atomic(path, pack(data) if path.name.lower().endswith(".gz") else data)


def _adapted(raw: bytes, array: ImageArray, name: str) -> bytes:
    """A source's header made to describe this array; its geometry stays untouched."""
    layout = NIFTI1 if len(raw) == NIFTI1.size else NIFTI2
    order = "<" if struct.unpack("<i", raw[:4])[0] == layout.size else ">"
    if len(raw) != layout.size or struct.unpack(f"{order}i", raw[:4])[0] != layout.size:
        raise IntegrityError(f"{name}: the stored source header is damaged", remedy="import the case again")
    header = bytearray(raw)
    for at, length in layout.cleared:
        header[at : at + length] = bytes(length)
    _set_shape(header, order, layout, array, name)
    codes = {dtype: code for code, dtype in NIFTI_DTYPES.items()}
    if array.dtype.name not in codes:
        raise FormatError(f"{name}: NIfTI cannot hold {array.dtype}", remedy="convert the image to int16 or float32")
    struct.pack_into(order + layout.datatype[1], header, layout.datatype[0], codes[array.dtype.name])
    struct.pack_into(order + layout.bitpix[1], header, layout.bitpix[0], array.dtype.itemsize * 8)
    struct.pack_into(order + layout.vox_offset[1], header, layout.vox_offset[0], layout.size + 4)
    struct.pack_into(order + layout.slope[1], header, layout.slope[0], 1, 0)
    header[layout.magic_at : layout.magic_at + 2] = b"n+"
    return bytes(header)


def _set_shape(header: bytearray, order: str, layout: Layout, array: ImageArray, name: str) -> None:
    """Axes of the file: the source's two or three, and a fourth for channels."""
    at, code = layout.dim
    axes, *lengths = struct.unpack_from(order + code, header, at)
    kept = tuple(int(n) for n in lengths[: min(int(axes), 3)])
    if _three(kept) != array.shape[1:]:
        raise GeometryError(f"{name}: the array is {array.shape[1:]}, its source's header says {_three(kept)}", remedy="use its own source")
    if len(array) > 1:
        kept = (*_three(kept), len(array))
    struct.pack_into(order + code, header, at, len(kept), *kept, *([1] * (7 - len(kept))))


def _fresh_header(array: ImageArray, grid: Grid) -> bytes:
    """A little-endian NIfTI-1 header with the grid's affine as sform, and as qform where it can be one."""
    kind: Any = nibabel.Nifti1Header
    header: Any = kind(endianness="<")
    header.set_data_shape(grid.shape)
    header.set_data_dtype(array.dtype)
    header.set_sform(grid.affine, code=1)
    header.set_qform(grid.affine, code=1 if shear_of(grid.affine) <= SHEAR_TOLERANCE else 0)
    header["pixdim"][1:4] = grid.spacing_mm
    header.set_xyzt_units("mm")
    header["magic"] = b"n+1"
    return bytes(header.binaryblock)
