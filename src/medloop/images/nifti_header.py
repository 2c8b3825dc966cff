"""The gate in front of every NIfTI file: its header is read and judged here before any library sees it.

Both versions, both byte orders, single files and pairs. The rules are those of nifti1.h and nifti2.h;
where files in the wild bend a harmless one, the reader notes it instead of refusing.

Source: Cox et al. 2004, NIfTI-1 data format, nifti1.h; nifti2.h (2011).
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.errors import FormatError
from medloop.core.geometry import MAX_AXIS
from medloop.images.files import is_gzip, read_bounded
from medloop.images.result import MAX_CHANNELS, MAX_VOXEL_BYTES

ByteOrder: TypeAlias = Literal["<", ">"]

NIFTI_DTYPES: dict[int, str] = {
    2: "uint8",
    4: "int16",
    8: "int32",
    16: "float32",
    64: "float64",
    256: "int8",
    512: "uint16",
    768: "uint32",
    1024: "int64",
    1280: "uint64",
}
_REFUSED = {
    1: "single bits",
    32: "complex64",
    128: "RGB colours",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA colours",
}

_MAX_RATIO = 1040
"""Deflate cannot inflate one byte to more (1032), see zlib's technical details."""

MAX_OFFSET = 64 << 20
"""Largest header with its extensions: they hold words and tables, and are read into memory."""

_REPAIR = "write the file again with a current tool"


@dataclass(frozen=True)
class Layout:
    """Where fields lie in a header version: (offset, struct code)."""

    size: int
    magic_at: int
    dim: tuple[int, str]
    datatype: tuple[int, str]
    bitpix: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]
    slope: tuple[int, str]
    cleared: tuple[tuple[int, int], ...]
    """(offset, length) of display range, intent, names and free text, which a mask does not inherit."""
    words: tuple[tuple[int, int], ...]
    """(offset, length) of names and free text: data_type, db_name, descrip, aux_file, intent_name, and what is unused."""


NIFTI1 = Layout(
    348,
    344,
    (40, "8h"),
    (70, "h"),
    (72, "h"),
    (76, "8f"),
    (108, "f"),
    (112, "2f"),
    ((4, 34), (56, 14), (74, 2), (120, 3), (124, 24), (148, 104), (328, 16)),
    ((4, 28), (148, 80), (228, 24), (328, 16)),
)
NIFTI2 = Layout(
    540,
    4,
    (16, "8q"),
    (12, "h"),
    (14, "h"),
    (104, "8d"),
    (168, "q"),
    (176, "2d"),
    ((80, 24), (192, 48), (240, 104), (496, 4), (504, 4), (508, 16)),
    ((240, 80), (320, 24), (508, 16), (525, 15)),
)


@dataclass(frozen=True)
class NiftiHeader:
    """A header that passed the gate.

    Attributes:
        raw: The 348 or 540 bytes as stored.
        order: "<" or ">".
        layout: `NIFTI1` or `NIFTI2`.
        voxels_path: The file that holds the voxels: the same, or the `.img` of a pair.
        shape: Axes as declared, trailing 1s beyond the third removed.
        dtype: numpy dtype of the stored voxels, with byte order.
        offset: Bytes before the voxels.
        slope, intercept: Rescale, (1, 0) when there is none.
    """

    raw: bytes
    order: ByteOrder
    layout: Layout
    voxels_path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int
    slope: float
    intercept: float

    @property
    def pixdim(self) -> tuple[float, ...]:
        """The qfac and the voxel sizes, as stored."""
        return _field(self.raw, self.order, self.layout.pixdim)

    @property
    def voxel_bytes(self) -> int:
        """Bytes of the stored voxels."""
        return math.prod(self.shape) * self.dtype.itemsize


def without_words(raw: bytes, layout: Layout) -> bytes:
    """A header without its free text and names, which people fill with patients' names; all figures stay.

    Args:
        raw: A whole header.
        layout: Its version.
    """
    header = bytearray(raw)
    for at, length in layout.words:
        header[at : at + length] = bytes(length)
    return bytes(header)


def gate_header(path: Path) -> NiftiHeader:
    """Read and judge the header of a NIfTI file without any library.

    Args:
        path: A `.nii`, `.nii.gz`, or either half of a `.hdr`/`.img` pair.

    Raises:
        FormatError: A rule of the format is broken; says which, the value found, and what to do.
        NotFoundError: The file, or the other half of its pair, does not exist.
    """
    path = _other_half(path, ".img", ".hdr") if _stem(path)[1] == ".img" else path
    start = read_bounded(path, 544)
    found = version_of(start)
    if found is None:
        raise FormatError(f"{path.name}: a NIfTI file starts with a header of 348 or 540 bytes and its magic", remedy=_REPAIR)
    layout, order = found
    raw = start[: layout.size]
    single = raw[layout.magic_at : layout.magic_at + 3] in (b"n+1", b"n+2")
    shape = _shape(path, _field(raw, order, layout.dim))
    dtype = _dtype(path, raw, order, layout)
    offset = _offset(path, _field(raw, order, layout.vox_offset)[0], layout.size if single else 0)
    slope, intercept = _rescale(path, _field(raw, order, layout.slope))
    voxels_path = path if single else _other_half(path, ".hdr", ".img")
    header = NiftiHeader(raw, order, layout, voxels_path, shape, dtype, offset, slope, intercept)
    _check_size(header)
    if single and layout.size + 4 < offset:
        _check_extensions(path, read_bounded(path, min(offset, 1 << 24)), header)
    return header


def version_of(start: bytes) -> tuple[Layout, ByteOrder] | None:
    """Layout and byte order by the size field and the magic of the first bytes (inflated); None for what is no NIfTI header."""
    for layout, magics in ((NIFTI1, (b"n+1\0", b"ni1\0")), (NIFTI2, (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n"))):
        if len(start) < layout.size or not start[layout.magic_at :].startswith(magics):
            continue
        orders: tuple[ByteOrder, ...] = ("<", ">")
        for order in orders:
            if struct.unpack(f"{order}i", start[:4])[0] == layout.size:
                return layout, order
    return None


def _field(raw: bytes, order: ByteOrder, field: tuple[int, str]) -> tuple[float, ...]:
    at, code = field
    return struct.unpack_from(order + code, raw, at)


def _shape(path: Path, dim: tuple[float, ...]) -> tuple[int, ...]:
    axes = int(dim[0])
    if not 1 <= axes <= 7:
        raise FormatError(f"{path.name}: dim[0] must be 1 to 7, got {axes}", remedy=_REPAIR)
    lengths = [int(n) for n in dim[1 : axes + 1]]
    if min(lengths) < 1 or max(lengths) > MAX_AXIS:
        raise FormatError(f"{path.name}: every axis must have 1 to {MAX_AXIS} voxels, got {_x(lengths)}", remedy=_REPAIR)
    while len(lengths) > 3 and lengths[-1] == 1:
        lengths.pop()
    if len(lengths) == 1 or len(lengths) > 4:
        raise FormatError(f"{path.name}: an image has 2 to 4 axes, got {_x(lengths)}", remedy="save one volume per file")
    if len(lengths) == 4 and lengths[3] > MAX_CHANNELS:
        raise FormatError(
            f"{path.name}: a fourth axis holds at most {MAX_CHANNELS} channels, got {lengths[3]}",
            remedy="split the time series into volumes",
        )
    return tuple(lengths)


def _dtype(path: Path, raw: bytes, order: ByteOrder, layout: Layout) -> np.dtype[np.generic]:
    code, bits = int(_field(raw, order, layout.datatype)[0]), int(_field(raw, order, layout.bitpix)[0])
    if code not in NIFTI_DTYPES:
        raise FormatError(
            f"{path.name}: voxels must be whole numbers or floats of up to 64 bits, got {_REFUSED.get(code, f'datatype code {code}')}",
            remedy="convert it, for example to int16 or float32",
        )
    dtype = np.dtype(NIFTI_DTYPES[code]).newbyteorder(order)
    if bits != dtype.itemsize * 8:
        raise FormatError(f"{path.name}: bitpix must be {dtype.itemsize * 8} for {NIFTI_DTYPES[code]}, got {bits}", remedy=_REPAIR)
    return dtype


def _offset(path: Path, offset: float, header_size: int) -> int:
    least = header_size + 4 if header_size else 0
    if not (math.isfinite(offset) and float(offset).is_integer() and least <= offset <= MAX_OFFSET):
        raise FormatError(f"{path.name}: vox_offset must be a whole number from {least} to {MAX_OFFSET}, got {offset:g}", remedy=_REPAIR)
    return int(offset)


def _rescale(path: Path, factors: tuple[float, ...]) -> tuple[float, float]:
    slope, intercept = (float(f) for f in factors)
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise FormatError(f"{path.name}: scl_inter must be finite, got {intercept}", remedy=_REPAIR)
    return slope, intercept


def _check_size(header: NiftiHeader) -> None:
    name, wanted = header.voxels_path.name, header.offset + header.voxel_bytes
    if header.voxel_bytes > MAX_VOXEL_BYTES:
        raise FormatError(
            f"{name}: an image holds at most {MAX_VOXEL_BYTES >> 20} MiB, {_x(header.shape)} voxels are {header.voxel_bytes >> 20} MiB",
            remedy="crop or downsample it, or repair the header",
        )
    stored = header.voxels_path.stat().st_size
    most = stored * _MAX_RATIO if is_gzip(header.voxels_path) else stored
    if most < wanted:
        raise FormatError(
            f"{name}: the header declares {wanted} bytes, the file has {stored}", remedy="copy or download it again; it is cut off"
        )


def _check_extensions(path: Path, start: bytes, header: NiftiHeader) -> None:
    """Walk the header's extensions: each states a size that must lead to the next one or to the voxels."""
    at = header.layout.size + 4
    if start[header.layout.size : at] == b"" or start[header.layout.size] == 0:
        return
    while at + 8 <= min(header.offset, len(start)):
        (size,) = struct.unpack_from(f"{header.order}i", start, at)
        if size == 0 and not any(start[at : header.offset]):
            return
        if size < 8 or at + size > header.offset:
            raise FormatError(
                f"{path.name}: a header extension must be 8 bytes or more and end before the voxels, got {size}", remedy=_REPAIR
            )
        at += size


def _other_half(path: Path, mine: str, wanted: str) -> Path:
    stem, suffix = _stem(path)
    if suffix == mine:
        for end in (wanted, wanted + ".gz"):
            other = path.with_name(stem + end)
            if other.is_file():
                return other
    raise FormatError(f"{path.name}: the {wanted} half of the pair is missing", remedy=f"put {stem}{wanted} beside it")


def _stem(path: Path) -> tuple[str, str]:
    plain = path.name.removesuffix(".gz")
    return Path(plain).stem, Path(plain).suffix.lower()


def _x(lengths: list[int] | tuple[int, ...]) -> str:
    return "×".join(str(n) for n in lengths)
