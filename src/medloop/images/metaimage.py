"""MetaImage in and out: `.mha`, and `.mhd` with its voxels in a file beside it.

Its own reader, as for NIfTI and NRRD. Source: MetaIO documentation (itk.org/Wiki/MetaIO/Documentation) and metaImage.cxx of MetaIO: three
numbers in a row of TransformMatrix are the direction of one voxel axis, in LPS, as ITK reads them.
"""

import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medloop.core.arrays import Affine, ImageArray
from medloop.core.errors import FormatError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Display, Source
from medloop.images.encode import GZIP_LEVEL
from medloop.images.files import read_start, sha256_of, write_atomic
from medloop.images.payload import AT_THE_END, Payload, file_beside, read_payload
from medloop.images.result import UNSIZED, Purpose, ReadImage, grid_of, require_finite, supported
from medloop.images.text_geometry import (
    LPS_TO_RAS,
    UNORIENTED,
    affine_of,
    channels_first,
    header_numbers,
    lengths_of,
    require_lengths,
    volume_shape,
)

_MAX_HEADER = 1 << 16
_TYPES = {"MET_CHAR": "int8", "MET_UCHAR": "uint8", "MET_SHORT": "int16", "MET_USHORT": "uint16", "MET_INT": "int32", "MET_UINT": "uint32"}
_TYPES |= {"MET_LONG": "int32", "MET_ULONG": "uint32", "MET_LONG_LONG": "int64", "MET_ULONG_LONG": "uint64"}
_TYPES |= {"MET_FLOAT": "float32", "MET_DOUBLE": "float64"}
_WRITTEN = {dtype: word for word, dtype in _TYPES.items() if "LONG" not in word}
_UNITS = {"mm": 1.0, "um": 0.001, "cm": 10.0, "?": 1.0}
UNSCALED = "values are read as they are stored; ElementToIntensityFunction is not applied"
_REPAIR = "save it again as MetaImage with a current tool"


class MetaImageReader:
    """The reader of `.mha` and `.mhd` files."""

    name = "metaimage"

    def accepts(self, path: Path) -> bool:
        """Whether the name or the first line is MetaImage's."""
        if path.name.lower().endswith((".mha", ".mhd")):
            return True
        return path.is_file() and read_start(path, 10).lower().startswith(b"objecttype")

    def read(self, path: Path, purpose: Purpose = "image") -> ReadImage:  # noqa: ARG002 - the same for both
        """See `read_metaimage`."""
        return read_metaimage(path)


def read_metaimage(path: Path) -> ReadImage:
    """Read an image or a label map.

    Returns:
        Array (C, I, J, K) in file order.

    Raises:
        FormatError: The file breaks a rule of the format, or holds voxels that are not numbers.
        GeometryError: Its directions do not span space.
        NotFoundError: No such file, or its voxels are not there.
    """
    fields, size = _header(path)
    count = lengths_of(path.name, "NDims", fields["NDims"], 1)[0]
    if count not in (2, 3):
        raise FormatError(f"{path.name}: an image has 2 or 3 axes, got {count}", remedy="save one volume per file")
    lengths = lengths_of(path.name, "DimSize", fields["DimSize"], count)
    channels = lengths_of(path.name, "ElementNumberOfChannels", fields.get("ElementNumberOfChannels", "1"), 1)[0]
    require_lengths(path.name, lengths, channels)
    affine, notes = _place(path.name, fields, count)
    grid = grid_of(path.name, volume_shape(lengths), affine)
    dtype = _dtype(path.name, fields)
    payload = _payload(path, fields, size, math.prod(lengths) * channels * dtype.itemsize)
    flat = np.frombuffer(read_payload(payload), dtype)
    array = channels_first(flat, [channels, *lengths] if channels > 1 else lengths, 0 if channels > 1 else None)
    require_finite(path.name, array)
    files = [path] if payload.path == path else [path, payload.path]
    source = Source(format="metaimage", names=(path.name,), sha256=sha256_of(files), display=Display(oriented=not notes))
    return ReadImage(Image(supported(path.name, array), grid), source, notes + _scaling(fields))


def write_metaimage(path: Path, shown: Image | Mask) -> None:
    """Write intensities or label values as one compressed `.mha`, value for value.

    Raises:
        StorageError: The disk refused.
    """
    array: ImageArray = shown.array[None] if isinstance(shown, Mask) else shown.array
    body = zlib.compress(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(order="F"), GZIP_LEVEL)
    grid = shown.grid
    affine = LPS_TO_RAS @ grid.affine[:3]
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(body)),
        "TransformMatrix": _numbers((affine[:, :3] / _sizes(grid)).T.ravel()),
        "Offset": _numbers(affine[:, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _numbers(_sizes(grid)),
        "DimSize": " ".join(map(str, grid.shape)),
        **({"ElementNumberOfChannels": str(len(array))} if len(array) > 1 else {}),
        "ElementType": _WRITTEN[array.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    write_atomic(path, "".join(f"{name} = {value}\n" for name, value in fields.items()).encode() + body)


def _sizes(grid: Grid) -> Affine:
    return np.asarray(grid.spacing_mm, dtype=np.float64)


def _numbers(numbers: Affine) -> str:
    return " ".join(repr(float(number) + 0.0) for number in numbers)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Fields, and the bytes of the header: it ends with the line of ElementDataFile."""
    start = read_start(path, _MAX_HEADER)
    fields: dict[str, str] = {}
    at, number = 0, 0
    while at < len(start) and "ElementDataFile" not in fields:
        end = start.find(b"\n", at)
        end, number = len(start) if end < 0 else end, number + 1
        name, equals, value = start[at:end].decode("latin-1").partition("=")
        if equals and name.strip() in fields:
            raise FormatError(f"{path.name}: a MetaImage header states {name.strip()[:40]} once, this one does so twice", remedy=_REPAIR)
        if equals and name.strip():
            fields[name.strip()] = value.strip()
        elif start[at:end].strip():
            raise FormatError(f"{path.name}: a line of a MetaImage header is `name = value`, line {number} is not", remedy=_REPAIR)
        at = end + 1
    for needed in ("NDims", "DimSize", "ElementType", "ElementDataFile"):
        if needed not in fields:
            raise FormatError(f"{path.name}: a MetaImage header states its {needed}, this one does not", remedy=_REPAIR)
    if fields.get("ObjectType", "Image").lower() != "image":
        raise FormatError(f"{path.name}: a MetaImage holds an Image, got {fields['ObjectType'][:40]!r}", remedy="save it as an image")
    return fields, at


def _dtype(name: str, fields: Mapping[str, str]) -> np.dtype[np.generic]:
    stated = fields["ElementType"].removesuffix("_ARRAY")
    if stated not in _TYPES:
        rule = "voxels must be whole numbers or floats of up to 64 bits"
        raise FormatError(f"{name}: {rule}, got {stated[:40]!r}", remedy="convert it, for example to MET_SHORT")
    big = _flag(name, fields, "BinaryDataByteOrderMSB") or _flag(name, fields, "ElementByteOrderMSB")
    return np.dtype(_TYPES[stated]).newbyteorder(">" if big else "<")


def _flag(name: str, fields: Mapping[str, str], field: str, default: str = "False") -> bool:
    stated = fields.get(field, default).lower()
    if stated not in ("true", "false", "1", "0"):
        raise FormatError(f"{name}: {field} must be True or False, got {stated[:20]!r}", remedy=_REPAIR)
    return stated in ("true", "1")


def _payload(path: Path, fields: Mapping[str, str], size: int, wanted: int) -> Payload:
    listed = fields["ElementDataFile"]
    local = listed.upper() == "LOCAL"
    if not _flag(path.name, fields, "BinaryData", "True"):
        raise FormatError(f"{path.name}: voxels must be stored in binary, got BinaryData = False", remedy=_REPAIR)
    packed = _flag(path.name, fields, "CompressedData")
    skipped = fields.get("HeaderSize", "0")
    if skipped != "-1" and not (skipped.isascii() and skipped.isdigit() and len(skipped) < 12):
        raise FormatError(f"{path.name}: HeaderSize must be a count or -1, got {skipped[:20]!r}", remedy=_REPAIR)
    if packed and skipped not in ("0", "-1"):
        raise FormatError(f"{path.name}: HeaderSize must be 0 before compressed voxels, got {skipped}", remedy=_REPAIR)
    if local and skipped not in ("0", "-1"):
        rule = f"voxels in the header's own file begin behind it, got HeaderSize {skipped}"
        raise FormatError(f"{path.name}: {rule}", remedy=_REPAIR)
    if local:
        return Payload(path, size, wanted, "zlib" if packed else "raw")
    offset = 0 if packed else AT_THE_END if skipped == "-1" else int(skipped)
    return Payload(file_beside(path, listed), offset, wanted, "zlib" if packed else "raw")


def _place(name: str, fields: Mapping[str, str], count: int) -> tuple[Affine, tuple[str, ...]]:
    """The affine in RAS+, and what was noticed."""
    sizes = fields.get("ElementSpacing", fields.get("ElementSize"))
    turned = next((fields[word] for word in ("TransformMatrix", "Rotation", "Orientation") if word in fields), None)
    origin = next((fields[word] for word in ("Offset", "Position", "Origin") if word in fields), " ".join("0" * count))
    spacing = np.ones(count) if sizes is None else np.array(header_numbers(name, "ElementSpacing", sizes, count))
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise FormatError(f"{name}: ElementSpacing must be positive, got {sizes}", remedy="repair the header")
    matrix = np.eye(count) if turned is None else np.array(header_numbers(name, "TransformMatrix", turned, count**2)).reshape(count, count)
    vectors, start = np.zeros((3, count)), np.zeros(3)
    vectors[:count] = matrix.T * spacing
    start[:count] = header_numbers(name, "Offset", origin, count)
    notes = (*((UNSIZED,) if sizes is None else ()), *((UNORIENTED,) if turned is None else ()))
    unit = fields.get("DistanceUnits", "mm").strip().lower()
    if unit not in _UNITS:
        raise FormatError(f"{name}: DistanceUnits must be um, mm or cm, got {unit[:20]!r}", remedy="use mm")
    return affine_of(vectors * _UNITS[unit], start * _UNITS[unit], LPS_TO_RAS), notes


def _scaling(fields: Mapping[str, str]) -> tuple[str, ...]:
    """A note where the header says how its values become intensities, which neither ITK nor this reader applies."""
    stated = [fields.get(f"ElementToIntensityFunction{word}", default) for word, default in (("Slope", "1"), ("Offset", "0"))]
    try:
        plain = [float(one) for one in stated] == [1.0, 0.0]
    except ValueError:
        plain = False
    return () if plain else (UNSCALED,)
