"""Voxel bytes: how arrays are stored as blobs and sent to the page.

Gzip (no time stamp) of the little-endian array in file order: I fastest, then J, K, channel. The same
array always gives the same bytes, so that blobs named by their hash are shared. Images are packed by libdeflate, masks by zlib;
older projects hold images that zlib packed, which are read and recognised as well.
"""

import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence

import deflate
import numpy as np

from medloop.core.arrays import ImageArray, MaskArray
from medloop.core.errors import IntegrityError

GZIP_LEVEL = 2
"""Of zlib; level 2 is about three times faster than 6 and costs some 5 % in size on CT and MR."""

DEFLATE_LEVEL = 1
"""Of libdeflate: the size of zlib's level 2 on CT and MR in 40 % of its time."""

_RESTORE = "restore them from a backup"


def encode_voxels(array: ImageArray) -> bytes:
    """The voxel bytes of an image.

    Args:
        array: Shape (C, I, J, K), any real dtype.
    """
    return pack(_in_file_order(array))


def encodings(array: ImageArray) -> Iterator[bytes]:
    """The voxel bytes of an image in each packing that was ever used, the present one first: what a stored image is known by.

    Args:
        array: Shape (C, I, J, K), any real dtype.
    """
    raw = _in_file_order(array)
    yield pack(raw)
    yield _pack_mask(raw)


def decode_voxels(data: bytes, shape: Sequence[int], dtype: str) -> ImageArray:
    """Inverse of `encode_voxels`.

    Args:
        data: Voxel bytes.
        shape: (C, I, J, K).
        dtype: numpy name such as "int16".

    Raises:
        IntegrityError: The bytes are damaged, or hold more or fewer voxels than the shape says.
    """
    little = np.dtype(dtype).newbyteorder("<")
    channels, i, j, k = (int(n) for n in shape)
    raw = _unpack(data, channels * i * j * k * little.itemsize)
    stored: ImageArray = np.frombuffer(raw, dtype=little).reshape(channels, k, j, i).transpose(0, 3, 2, 1)
    return stored.astype(np.dtype(dtype), copy=False)


def stored_slices(data: bytes, shape: Sequence[int], dtype: str) -> Iterator[tuple[int, int, ImageArray]]:
    """The slices of voxel bytes in stored order, one in memory at a time: channel, k, and the values, shape (I, J).

    Args:
        data: Voxel bytes.
        shape: (C, I, J, K).
        dtype: numpy name such as "int16".

    Raises:
        IntegrityError: The bytes are damaged, or end before the slice that is wanted.
    """
    little = np.dtype(dtype).newbyteorder("<")
    channels, i, j, k = (int(n) for n in shape)
    size = i * j * little.itemsize
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        for channel, number in itertools.product(range(channels), range(k)):
            try:
                raw = stream.read(size)
            except (OSError, EOFError, zlib.error) as error:
                raise IntegrityError(f"Stored voxels must be readable gzip, got: {error}", remedy=_RESTORE) from error
            if len(raw) != size:
                raise IntegrityError(f"Stored voxels end in slice {number}, {k} belong to it", remedy=_RESTORE)
            yield channel, number, np.frombuffer(raw, dtype=little).reshape((i, j), order="F")


def encode_mask(mask: MaskArray) -> bytes:
    """The voxel bytes of a mask, shape (I, J, K), uint8."""
    return _pack_mask(mask.astype(np.uint8, copy=False).tobytes(order="F"))


def decode_mask(data: bytes, shape: Sequence[int]) -> MaskArray:
    """Inverse of `encode_mask`; the array is read-only.

    Raises:
        IntegrityError: The bytes are damaged, or hold more or fewer voxels than the shape says.
    """
    i, j, k = (int(n) for n in shape)
    return np.frombuffer(_unpack(data, i * j * k), dtype=np.uint8).reshape((i, j, k), order="F")


def pack(raw: bytes | memoryview) -> bytes:
    """Gzip without a time stamp, the same bytes for the same ones: of images, stored and exported."""
    return bytes(deflate.gzip_compress(raw, DEFLATE_LEVEL))


def _in_file_order(array: ImageArray) -> memoryview:
    """The bytes of an array, copied only where they lie in another order."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    # C order of (C, K, J, I) is I fastest, then J, K, channel.
    return np.ascontiguousarray(little.transpose(0, 3, 2, 1)).reshape(-1).view(np.uint8).data


def _pack_mask(raw: bytes | memoryview) -> bytes:
    return gzip.compress(raw, GZIP_LEVEL, mtime=0)


def _unpack(data: bytes, size: int) -> bytes:
    """Inflate to exactly `size` bytes, never allocating more than that."""
    try:
        raw = deflate.gzip_decompress(data, max(size, 1))
    except deflate.DeflateError:
        raise IntegrityError(f"Stored voxels must be sound gzip of {size} bytes, they are not", remedy=_RESTORE) from None
    if len(raw) != size:
        raise IntegrityError(f"Stored voxels must inflate to {size} bytes, got {len(raw)}", remedy=_RESTORE)
    return bytes(raw)
