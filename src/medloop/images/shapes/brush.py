"""Label Studio's brush: the opacity of a picture in thi.ng's packed runs of bits.

Source: labelstud.io/tags/brushlabels (`format` "rle") and the encoding format of @thi.ng/rle-pack: 32 bits with the number of words, 5 with
the bits of a word less one, four times 4 with the bits of a length less one; then runs, each of 1 bit (one word that repeats, or several
words), 2 bits (which of the four sizes), its length less one, and its word or words. A word is one of red, green, blue and opacity
of a pixel, row by row; what is drawn is opaque.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError

CHANNELS = 4
_SIZES = (3, 4, 8, 16)
_WORD = 8
_OPAQUE = 128
"""Opacity from which on a pixel counts as drawn; the brush has no soft edges, other programs may write some."""


class _Bits:
    """Reads whole numbers of few bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read(self, count: int) -> int:
        """The next number.

        Raises:
            FormatError: The data end before it.
        """
        end = self._at + count
        if end > 8 * len(self._data):
            raise FormatError(f"a brush's runs end where its picture does, they are cut off after {len(self._data)} bytes")
        first, last = self._at // 8, (end + 7) // 8
        self._at = end
        return (int.from_bytes(self._data[first:last], "big") >> (8 * last - end)) & ((1 << count) - 1)


def from_brush(rle: Sequence[int], columns: int, rows: int) -> tuple[BoolArray, bool]:
    """What is drawn, shape (columns, rows), and whether every pixel is either opaque or not drawn at all.

    Raises:
        FormatError: Damaged, or of a picture of another size.
    """
    bits, words = _Bits(_bytes(rle)), CHANNELS * columns * rows
    if (given := bits.read(32)) != words:
        raise FormatError(f"a brush covers its picture of {columns}×{rows}, that are {words} values, got {given}")
    width = bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if width != _WORD:
        raise FormatError(f"a brush's values have {_WORD} bits, got {width}")
    flat, at = np.zeros(words, dtype=np.uint8), 0
    while at < words:
        repeats, size = bits.read(1), sizes[bits.read(2)]
        count = bits.read(size) + 1
        if at + count > words:
            raise FormatError(f"a brush's runs end where its picture does, they go on for {at + count - words} values")
        flat[at : at + count] = bits.read(_WORD) if repeats else [bits.read(_WORD) for _ in range(count)]
        at += count
    opacity = flat[CHANNELS - 1 :: CHANNELS].reshape(rows, columns).T
    return opacity >= _OPAQUE, bool(((opacity == 0) | (opacity == 255)).all())


def _bytes(rle: Sequence[int]) -> bytes:
    try:
        return bytes(rle)
    except (TypeError, ValueError):
        raise FormatError("a brush's runs are a list of bytes, 0 to 255, got others") from None


def brush_of(plane: BoolArray) -> list[int]:
    """The runs of a plane (columns, rows): white and opaque where it is drawn, nothing elsewhere."""
    flat = np.ascontiguousarray(plane.T).ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], ends)).astype(np.int64)
    lengths = np.diff(np.append(starts, len(flat))) * CHANNELS
    parts = [f"{len(flat) * CHANNELS:032b}{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        word = "11111111" if flat[start] else "00000000"
        for count in (*[1 << _SIZES[-1]] * (length >> _SIZES[-1]), length % (1 << _SIZES[-1])):
            if count:
                size = next(n for n, bits in enumerate(_SIZES) if count <= 1 << bits)
                parts.append(f"1{size:02b}{count - 1:0{_SIZES[size]}b}{word}")
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
