"""Compressed frames are looked at before a decoder is: what they claim must fit the header, or a few kilobytes take gigabytes.

Source: ISO/IEC 15444-1 annexes A and I (JPEG 2000 codestream and boxes), ITU-T T.81 annex B (JPEG), T.87 (JPEG-LS), DICOM PS3.5
annex G (RLE).
"""

import struct
from collections.abc import Iterable
from typing import Any

from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from medloop.core.errors import FormatError

_JP2 = b"\x00\x00\x00\x0cjP  "
_CODESTREAM, _SIZE_MARKER = b"jp2c", b"\xff\x4f\xff\x51"
_NO_FRAME_MARKERS = frozenset({0xC4, 0xC8, 0xCC})
_MOST_PER_BYTE = 64
"""PackBits makes at most 128 bytes of two."""

_HARMLESS = 32 << 20
"""Bytes that a frame may become without its runs being counted one by one."""

_REMEDY = "leave this file out, or convert it with a tool you trust"


def require_honest_frames(name: str, tags: Any, frames: int) -> None:
    """Raise when a compressed frame claims another size than the header, or would be decoded without end.

    Args:
        name: Of the file.
        tags: The whole dataset, pixels included.
        frames: NumberOfFrames.

    Raises:
        FormatError: Which frame, and what is wrong with it.
    """
    syntax = tags.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    size = (int(tags.Rows), int(tags.Columns))
    found: Iterable[bytes] = generate_frames(tags.PixelData, number_of_frames=frames)
    for number, frame in enumerate(found, start=1):
        fault = _rle_fault(frame, size) if syntax == RLELossless else _codestream_fault(frame, size)
        if fault:
            raise FormatError(f"{name}: compressed frame {number} {fault}", remedy=_REMEDY)


def _codestream_fault(frame: bytes, size: tuple[int, int]) -> str:
    """What is wrong with a JPEG, JPEG-LS or JPEG 2000 frame; "" when nothing is, or its size cannot be found."""
    if frame.startswith(_JP2):
        start = _past_boxes(frame)
        if start < 0:
            return "has a JPEG 2000 box of an impossible length"
        frame = frame[start : start + 64]
    stated = _jpeg2000_size(frame) if frame.startswith(_SIZE_MARKER) else _jpeg_size(frame)
    if stated is not None and stated != size:
        return f"is {stated[0]}×{stated[1]} pixels, the header says {size[0]}×{size[1]}"
    return ""


def _past_boxes(frame: bytes) -> int:
    """Where the codestream starts, behind the boxes before it; -1 when a box leads nowhere."""
    at = 12
    while at + 8 <= len(frame):
        if frame[at + 4 : at + 8] == _CODESTREAM:
            return at + 8
        (length,) = struct.unpack_from(">I", frame, at)
        if length < 8:
            return -1
        at += length
    return -1


def _jpeg2000_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns of a codestream's SIZ marker."""
    if len(frame) < 24:
        return None
    right, lower, left, upper = struct.unpack_from(">4I", frame, 8)
    return lower - upper, right - left


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns of the first frame header of a JPEG or JPEG-LS; None when there is none."""
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_MARKERS) or marker == 0xF7:
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return (rows, columns) if rows else None
        at += 2 + max(int(struct.unpack_from(">H", frame, at + 2)[0]), 2)
    return None


def _rle_fault(frame: bytes, size: tuple[int, int]) -> str:
    """What is wrong with the runs of an RLE frame; "" when they cannot become much more than its pixels."""
    if len(frame) < 64:
        return "is shorter than its header"
    count, *offsets = struct.unpack_from("<16I", frame, 0)
    if not 1 <= count <= 15:
        return f"has {count} segments, 1 to 15 are possible"
    ends = [*offsets[1:count], len(frame)]
    segments = [frame[start:end] for start, end in zip(offsets[:count], ends, strict=True) if start < end]
    if _MOST_PER_BYTE * sum(map(len, segments)) <= _HARMLESS:
        return ""
    pixels = size[0] * size[1]
    return "has runs of more bytes than it has pixels" if any(_is_longer(segment, pixels + 1) for segment in segments) else ""


def _is_longer(segment: bytes, most: int) -> bool:
    """Whether the runs of a segment add up to more than `most` bytes, counted no further than that."""
    at, total, end = 0, 0, len(segment)
    while at < end and total <= most:
        header = segment[at]
        if header < 128:
            total += header + 1
            at += header + 2
        else:
            total += 257 - header if header > 128 else 0
            at += 2 if header > 128 else 1
    return total > most
