"""Pixels without what is hidden beside or burned into them: comments of codestreams, bytes past the end, rectangles that are blanked.

Source: ITU-T T.81 annex B (JPEG segments), ISO/IEC 15444-1 annex A (JPEG 2000 markers), DICOM PS3.5 A.4, PS3.3 C.8.5.5 (regions).
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import RLELossless

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError

Box = tuple[int, int, int, int]
"""Column, row, width and height in pixels, from the upper left corner."""

_APPLICATION = range(0xE0, 0xF0)
_KEPT_APPLICATION = {0xE0: 18, 0xE8: 16, 0xEE: 14}
"""Marker → longest segment: JFIF without a thumbnail, the colour transform of JPEG-LS, Adobe's."""

_COMMENT, _SCAN, _END = 0xFE, 0xDA, b"\xff\xd9"
_J2K, _J2K_TILE, _J2K_COMMENT = b"\xff\x4f", 0xFF90, 0xFF64


def without_words(tags: Dataset) -> None:
    """Take comments, application data and everything past the end from the pixels of a cleaned dataset, in place; no pixel changes."""
    if "PixelData" not in tags:
        return
    syntax = tags.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        even = (get_expected_length(tags) + 1) // 2 * 2  # the padding of big-endian words lies before the last pixel
        tags["PixelData"].value = _without_overlays(tags, tags.PixelData[:even].ljust(even, b"\0"))
        return
    count = int(tags.get("NumberOfFrames", None) or 1)
    frames = [frame if syntax == RLELossless else _plain(frame) for frame in generate_frames(tags.PixelData, number_of_frames=count)]
    tags["PixelData"].value = encapsulate(frames)
    tags["PixelData"].is_undefined_length = True
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in tags:
            del tags[keyword]


def _without_overlays(tags: Dataset, data: bytes) -> bytes:
    """Uncompressed pixels without what older devices draw into their unused bits. Source: DICOM PS3.3-2004 C.9.3.1.1 (retired)."""
    bits, stored, high = (int(tags.get(name, 0) or 0) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if bits not in (8, 16, 32) or not 0 < stored < bits or high != stored - 1:
        return data
    order = "<" if tags.file_meta.TransferSyntaxUID.is_little_endian else ">"
    whole = len(data) // (bits // 8) * (bits // 8)
    words = np.frombuffer(data[:whole], dtype=f"{order}u{bits // 8}")
    mask = (1 << stored) - 1
    plain = words & mask
    if int(tags.get("PixelRepresentation", 0) or 0):
        plain = np.where(plain >> (stored - 1), plain | ((1 << bits) - 1 - mask), plain)
    return plain.astype(words.dtype).tobytes() + data[whole:]


def _plain(frame: bytes) -> bytes:
    if frame[4:8] == b"jP  ":
        start = frame.find(b"\xff\x4f\xff\x51")
        frame = frame[start:] if start > 0 else frame
    end = frame.rfind(_END)
    frame = frame[: end + 2] if end > 0 else frame
    return _without_segments(frame, jpeg2000=frame.startswith(_J2K)) if frame[:1] == b"\xff" else frame


def _without_segments(frame: bytes, *, jpeg2000: bool) -> bytes:
    """A codestream without comments and application data before its first scan or tile."""
    made, at = bytearray(frame[:2]), 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], struct.unpack(">H", frame[at + 2 : at + 4])[0]
        if (jpeg2000 and 0xFF00 | marker == _J2K_TILE) or (not jpeg2000 and marker == _SCAN) or length < 2:
            break
        if not _is_words(marker, length, jpeg2000=jpeg2000):
            made += frame[at : at + 2 + length]
        at += 2 + length
    whole = bytes(made) + frame[at:]
    return whole + b"\0" * (len(whole) % 2)


def _is_words(marker: int, length: int, *, jpeg2000: bool) -> bool:
    if jpeg2000:
        return 0xFF00 | marker == _J2K_COMMENT
    return marker == _COMMENT or (marker in _APPLICATION and length > _KEPT_APPLICATION.get(marker, 0))


def regions_of(tags: Any) -> list[Box]:
    """The ultrasound regions that a file states, as boxes."""
    found = []
    for item in tags.get("SequenceOfUltrasoundRegions", None) or []:
        corners = [item.get(f"RegionLocation{end}", None) for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        if all(isinstance(one, int) for one in corners):
            left, top, right, bottom = corners
            found.append((left, top, right - left + 1, bottom - top + 1))
    return found


def to_blank(size: tuple[int, int], boxes: Sequence[Box], regions: Sequence[Box], *, outside: bool, name: str) -> BoolArray:
    """Which pixels are blanked.

    Args:
        size: Rows and columns.
        boxes: That are blanked.
        regions: Of ultrasound, which stay where `outside` is asked for.
        outside: Whether everything outside of the regions is blanked.
        name: Of the file or case, for messages.

    Returns:
        Shape (rows, columns).

    Raises:
        FormatError: A box that lies outside of the image, or a file without regions.
    """
    rows, columns = size
    blank: BoolArray = np.zeros(size, dtype=bool)
    for left, top, width, height in boxes:
        if not (0 <= left < columns and 0 <= top < rows and width > 0 and height > 0):
            rule = f"a box that is blanked must lie on the image of {columns}×{rows} pixels"
            raise FormatError(f"{name}: {rule}, got {left},{top},{width},{height}", remedy="write it as X,Y,WIDTH,HEIGHT")
        blank[top : top + height, left : left + width] = True
    if outside:
        seen = np.zeros(size, dtype=bool)
        for left, top, width, height in regions:
            seen[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
        if not seen.any():
            raise FormatError(f"{name}: blanking outside of ultrasound regions needs some, the file states none", remedy="give boxes")
        blank |= ~seen
    return blank


def blank_pixels(tags: Dataset, blank: BoolArray) -> None:
    """Set pixels of every frame to 0, in place; compressed ones are decompressed.

    Raises:
        FormatError: Pixels of a kind that cannot be blanked.
    """
    if tags.file_meta.TransferSyntaxUID.is_encapsulated:
        tags.decompress(generate_instance_uid=False)
    bits, samples = int(tags.BitsAllocated), int(tags.SamplesPerPixel)
    if bits not in (8, 16, 32) or tags.PhotometricInterpretation == "YBR_FULL_422":
        raise FormatError(
            f"pixels of {bits} bits as {tags.PhotometricInterpretation} cannot be blanked", remedy="convert them to 8 or 16 bits"
        )
    frames = int(tags.get("NumberOfFrames", None) or 1)
    planar = samples > 1 and int(tags.get("PlanarConfiguration", 0) or 0) == 1
    shape = (frames, samples, *blank.shape) if planar else (frames, *blank.shape, samples)
    count = int(np.prod(shape))
    voxels = np.frombuffer(tags.PixelData, dtype=f"u{bits // 8}", count=count).reshape(shape).copy()
    if planar:
        voxels[:, :, blank] = 0
    else:
        voxels[:, blank] = 0
    data = voxels.tobytes()
    tags["PixelData"].value = data + b"\0" * (len(data) % 2)
    tags.BurnedInAnnotation = "NO"
