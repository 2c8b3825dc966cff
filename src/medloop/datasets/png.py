"""Pictures written as PNG, value for value, in 8 or 16 bits of grey or 8 bits of colour.

Source: PNG specification (W3C, third edition), sections 5, 7 and 11.2.
"""

import struct
import zlib

import numpy as np

from medloop.core.arrays import ImageArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_NO_FILTER = b"\0"


def encode_png(array: ImageArray) -> bytes:
    """The PNG of a picture.

    Args:
        array: Shape (1, width, height) uint8 or uint16, or (3, width, height) uint8.
    """
    channels, width, height = array.shape
    lines = np.ascontiguousarray(array.transpose(2, 1, 0)).astype(array.dtype.newbyteorder(">"))
    header = struct.pack(">IIBBBBB", width, height, 8 * array.dtype.itemsize, _COLOUR if channels == 3 else _GREY, 0, 0, 0)
    pixels = zlib.compress(b"".join(_NO_FILTER + line.tobytes() for line in lines))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
