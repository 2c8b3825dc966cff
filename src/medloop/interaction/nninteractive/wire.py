"""Arrays as the nnInteractive protocol sends them: a short header, then chunks compressed by Blosc2.

    magic "NNIA" | version 1 | codec | ndim | length of dtype name | dtype name | shape (int64 each) |
    number of chunks (uint32) | per chunk: length (uint64), compressed length (uint64), Blosc2 chunk

All numbers are little endian. A chunk holds at most 1 GiB uncompressed. Nothing received is believed: every length is
checked against the bytes that are there and against the receiver's limit before memory is taken for it.

Source: the wire format of nninteractive-client 2.6.0 (Apache-2.0), written anew.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, UnavailableError

MAGIC = b"NNIA"
VERSION = 1
CODECS = {"zstd": 1, "lz4": 2}
MAX_CHUNK = 1 << 30
"""Blosc2 takes the length of its input as a 32-bit number; the protocol cuts at 1 GiB."""

MAX_AXES = 8
DTYPES = frozenset({"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"})
"""Plain numbers only: a name such as "object" would make pointers of foreign bytes."""

_HEAD = struct.Struct("<4sBBBB")
_COUNT = struct.Struct("<I")
_CHUNK = struct.Struct("<QQ")
_FLAGS_AT, _LAZY = 31, 0x08
_BLOSC_HEADER = 32
"""Length of a Blosc2 chunk's own header; its last byte says whether the chunk refers to a file ("lazy")."""

Packed: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True)
class ArrayHeader:
    """What a packed array says of itself.

    Attributes:
        dtype: Its numbers.
        shape: Length of each axis.
        start: Where the number of chunks stands.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array once unpacked."""
        return math.prod(self.shape) * self.dtype.itemsize


def pack_array(array: npt.NDArray[Any], *, shuffle: bool = False) -> bytes:
    """An array of numbers or booleans as bytes of the protocol.

    With `shuffle` the bytes of numbers are grouped by significance: smaller for images, larger for masks.

    Raises:
        FormatError: A dtype that the protocol cannot carry.
        UnavailableError: Without Blosc2.
    """
    blosc2 = require_blosc2()
    name = array.dtype.name
    if name not in DTYPES:
        raise FormatError(f"The nnInteractive protocol carries plain numbers, got dtype {name}")
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    raw = plain.reshape(-1).view(np.uint8).data
    filters = [blosc2.Filter.SHUFFLE if shuffle else blosc2.Filter.NOFILTER]
    starts = range(0, len(raw), MAX_CHUNK)
    parts = [_HEAD.pack(MAGIC, VERSION, CODECS["zstd"], array.ndim, len(name)), name.encode("ascii")]
    parts += [struct.pack(f"<{array.ndim}q", *array.shape), _COUNT.pack(len(starts))]
    for start in starts:
        piece = raw[start : start + MAX_CHUNK]
        chunk = blosc2.compress2(piece, typesize=plain.itemsize, codec=blosc2.Codec.ZSTD, clevel=3, filters=filters)
        parts += [_CHUNK.pack(len(piece), len(chunk)), chunk]
    return b"".join(parts)


def read_header(packed: Packed) -> ArrayHeader:
    """Dtype and shape of a packed array, without unpacking it.

    Raises:
        FormatError: Bytes that are no packed array.
    """
    _require(len(packed) >= _HEAD.size, f"has a header of {_HEAD.size} bytes, got {len(packed)} bytes")
    magic, version, codec, axes, name_length = _HEAD.unpack_from(packed)
    _require(magic == MAGIC, f"begins with {MAGIC!r}, got {bytes(magic)!r}")
    _require(version == VERSION, f"has version {VERSION}, got {version}")
    _require(codec in CODECS.values(), f"has one of the codecs {CODECS}, got {codec}")
    _require(axes <= MAX_AXES, f"has at most {MAX_AXES} axes, got {axes}")
    start = _HEAD.size + name_length + 8 * axes
    _require(len(packed) >= start + _COUNT.size, f"ends after its header, got {len(packed)} bytes")
    name = bytes(packed[_HEAD.size : _HEAD.size + name_length]).decode("ascii", "replace")
    _require(name in DTYPES, f"holds plain numbers, got dtype {name[:20]!r}")
    shape = struct.unpack_from(f"<{axes}q", packed, _HEAD.size + name_length)
    _require(all(n >= 0 for n in shape), f"has axes of at least 0, got {shape}")
    return ArrayHeader(np.dtype(name).newbyteorder("<"), shape, start)


def unpack_array(packed: Packed, *, limit_bytes: int) -> npt.NDArray[Any]:
    """The array in bytes of the protocol.

    Raises:
        FormatError: Bytes that are no packed array, or one larger than the receiver wants, which is checked before memory is taken.
        UnavailableError: Without Blosc2.
    """
    header = read_header(packed)
    _require(header.nbytes <= limit_bytes, f"may unpack to {limit_bytes} bytes here, this one to {header.nbytes}")
    blosc2 = require_blosc2()
    pieces = _chunks(blosc2, packed, header)
    array = np.empty(math.prod(header.shape), dtype=header.dtype)
    raw = array.view(np.uint8)
    done = 0
    for length, chunk in pieces:
        try:
            blosc2.decompress2(chunk, dst=raw[done : done + length])
        except (RuntimeError, ValueError, TypeError) as error:
            raise FormatError(f"A packed array's chunks are Blosc2, this one is damaged ({error})") from error
        done += length
    if header.dtype == np.bool_:
        array = raw != 0  # a byte of 2 would be neither true nor false to NumPy
    return array.reshape(header.shape)


def _chunks(blosc2: Any, packed: Packed, header: ArrayHeader) -> list[tuple[int, memoryview]]:
    """Uncompressed length and bytes of each chunk; together they fill the array exactly."""
    body = memoryview(packed)
    (count,) = _COUNT.unpack_from(packed, header.start)
    at, missing = header.start + _COUNT.size, header.nbytes
    pieces: list[tuple[int, memoryview]] = []
    for _ in range(count):
        _require(len(body) >= at + _CHUNK.size, "holds all its chunks, this one ends early")
        length, packed_length = _CHUNK.unpack_from(packed, at)
        at += _CHUNK.size
        _require(0 < length <= min(missing, MAX_CHUNK), f"has at most {min(missing, MAX_CHUNK)} bytes in its next chunk, got {length}")
        _require(packed_length <= len(body) - at, f"has {packed_length} bytes of a chunk next, got {len(body) - at}")
        chunk = body[at : at + packed_length]
        _require_frame(blosc2, chunk, length)
        pieces.append((length, chunk))
        at, missing = at + packed_length, missing - length
    _require(missing == 0, f"of {header.nbytes} bytes has chunks for all of them, {missing} are missing")
    _require(at == len(body), f"ends with its last chunk, got {len(body) - at} bytes more")
    return pieces


def _require_frame(blosc2: Any, chunk: memoryview, length: int) -> None:
    """The chunk's own header must promise the same: Blosc2 does not always notice a wrong length."""
    _require(len(chunk) >= _BLOSC_HEADER, f"holds chunks of at least {_BLOSC_HEADER} bytes, got {len(chunk)}")
    inner, packed, _block = blosc2.get_cbuffer_sizes(chunk)
    _require(inner == length, f"has a chunk of {length} bytes, its Blosc2 header says {inner}")
    _require(packed == len(chunk), f"has a chunk packed in {len(chunk)} bytes, its Blosc2 header says {packed}")
    _require(not chunk[_FLAGS_AT] & _LAZY, "holds its own bytes, this one refers to a file")


def _require(kept: bool, rule: str) -> None:
    if not kept:
        raise FormatError(f"A packed array {rule}")


def require_blosc2() -> Any:
    """The compressor, which is an extra.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        import blosc2
    except ImportError as error:
        remedy = "install it with: pip install 'medloop[nninteractive]'"
        raise UnavailableError("The nnInteractive protocol needs Blosc2, which is not installed", remedy=remedy) from error
    return blosc2
