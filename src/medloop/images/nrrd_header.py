"""The gate in front of every NRRD file: its text header is read and judged here before a voxel is.

Source: teem, "Definition of NRRD File Format" (teem.sourceforge.net/nrrd/format.html), versions 0001 to 0005.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.errors import FormatError
from medloop.images.files import read_start
from medloop.images.text_geometry import lengths_of

MAGIC = b"NRRD000"
MAX_HEADER = 1 << 20
"""Largest text header: a thousand segments with their terminology fit, and it is what one read gives."""

_TYPES = {
    "int8": "signed char|int8|int8_t",
    "uint8": "uchar|unsigned char|uint8|uint8_t",
    "int16": "short|short int|signed short|signed short int|int16|int16_t",
    "uint16": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "int32": "int|signed int|int32|int32_t",
    "uint32": "uint|unsigned int|uint32|uint32_t",
    "int64": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "uint64": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "float32": "float",
    "float64": "double",
}
DTYPES = {word: dtype for dtype, words in _TYPES.items() for word in words.split("|")}
_SAME = {"centerings": "centers", "data file": "datafile", "line skip": "lineskip", "byte skip": "byteskip", "axismins": "axis mins"}
_REPAIR = "save it again as NRRD with a current tool"


@dataclass(frozen=True)
class NrrdHeader:
    """A header that passed the gate.

    Attributes:
        path: Its file.
        fields: Name → value, names in small letters.
        keys: Key/value pairs, which any program may have added.
        sizes: Length of every axis, the fastest first.
        dtype: numpy dtype of the stored voxels, with byte order.
        size: Bytes of the header with its empty line; voxels follow where the file holds them.
    """

    path: Path
    fields: Mapping[str, str]
    keys: Mapping[str, str]
    sizes: tuple[int, ...]
    dtype: np.dtype[np.generic]
    size: int


def gate_nrrd(path: Path) -> NrrdHeader:
    """Read and judge the header of a `.nrrd` or `.nhdr` file.

    Raises:
        FormatError: A rule of the format is broken; says which, the value found, and what to do.
        NotFoundError: No such file.
    """
    start = read_start(path, MAX_HEADER)
    if not start.startswith(MAGIC):
        raise FormatError(f"{path.name}: a NRRD file starts with NRRD000 and its version", remedy=_REPAIR)
    text, size = _header_text(path, start)
    fields, keys = _fields(path, text)
    for needed in ("type", "dimension", "sizes", "encoding"):
        if needed not in fields:
            raise FormatError(f"{path.name}: a NRRD header states its {needed}, this one does not", remedy=_REPAIR)
    count = lengths_of(path.name, "dimension", fields["dimension"], 1)[0]
    if not 2 <= count <= 4:
        raise FormatError(f"{path.name}: an image has 2 to 4 axes, got {count}", remedy="save one volume per file")
    sizes = lengths_of(path.name, "sizes", fields["sizes"], count)
    return NrrdHeader(path, fields, keys, tuple(sizes), _dtype(path, fields), size)


def _header_text(path: Path, start: bytes) -> tuple[str, int]:
    """The header's lines, and where the voxels begin: after the first empty line."""
    ends = [(start.find(mark), len(mark)) for mark in (b"\n\n", b"\r\n\r\n")]
    found = [(at, length) for at, length in ends if at >= 0]
    if found:
        at, length = min(found)
    elif len(start) < MAX_HEADER:
        at, length = len(start), 0  # a detached header may end with its file
    else:
        raise FormatError(f"{path.name}: a NRRD header has at most {MAX_HEADER >> 20} MiB and ends with an empty line", remedy=_REPAIR)
    try:
        return start[:at].decode("utf-8"), at + length
    except UnicodeDecodeError:
        return start[:at].decode("latin-1"), at + length


def _fields(path: Path, text: str) -> tuple[dict[str, str], dict[str, str]]:
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines()[1:], start=2):
        if line.startswith("#") or not line.strip():
            continue
        key, pair, value = line.partition(":=")
        name, field, content = line.partition(":")
        if pair and ": " not in key:
            keys[key.strip()] = value
        elif field:
            plain = " ".join(name.lower().split())
            plain = _SAME.get(plain, plain)
            if plain in fields:
                raise FormatError(f"{path.name}: a NRRD header states {plain} once, this one does so twice", remedy=_REPAIR)
            fields[plain] = content.strip()
        else:
            raise FormatError(f"{path.name}: a line of a NRRD header is `field: value`, line {number} is not", remedy=_REPAIR)
    return fields, keys


def _dtype(path: Path, fields: Mapping[str, str]) -> np.dtype[np.generic]:
    stated = " ".join(fields["type"].lower().split())
    if stated not in DTYPES:
        rule = "voxels must be whole numbers or floats of up to 64 bits"
        raise FormatError(f"{path.name}: {rule}, got type {stated[:40]!r}", remedy="convert it, for example to short or float")
    dtype = np.dtype(DTYPES[stated])
    if dtype.itemsize == 1:
        return dtype
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big"):
        raise FormatError(f"{path.name}: endian must be little or big for type {stated}, got {endian[:20]!r}", remedy=_REPAIR)
    return dtype.newbyteorder("<" if endian == "little" else ">")
