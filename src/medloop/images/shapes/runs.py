"""Run lengths of planes, as COCO and CVAT write them: how many pixels in a row are outside, then inside, then outside, ….

COCO goes down the columns of the whole picture, and packs the lengths into letters or lists them (cocodataset.org, "Mask API"; the two
examples of its documentation are among the tests). CVAT goes along the rows of a box (docs.cvat.ai, "XML annotation format" 1.1, `mask`).

A plane has axes (columns, rows) here, as an image of one slice has.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import FormatError

_BITS, _SIGN, _MORE, _FIRST = 5, 0x10, 0x20, 48
_MOST_LETTERS = 7
"""Of one length: 35 bits hold any that a picture has."""


def run_lengths(flat: BoolArray) -> list[int]:
    """Lengths of what is outside and inside by turns, the first of which is outside and may be 0.

    Args:
        flat: Shape (pixels,).
    """
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths: list[int] = np.diff(np.concatenate(([0], ends, [len(flat)]))).tolist()
    return [0, *lengths] if len(flat) and flat[0] else lengths


def from_run_lengths(lengths: Sequence[int] | npt.NDArray[np.int64], pixels: int) -> BoolArray:
    """Inverse of `run_lengths`, shape (pixels,).

    Raises:
        FormatError: Lengths that are no whole numbers from 0, or do not add up to the pixels.
    """
    try:
        given = np.asarray(lengths, dtype=object if not len(lengths) else None)
    except (ValueError, OverflowError):
        given = np.asarray(["?"])
    if len(given) and (given.ndim != 1 or given.dtype.kind not in "iu" or int(given.min()) < 0):
        raise FormatError("run lengths are whole numbers from 0, got others")
    total = int(sum(given.tolist()))
    if total != pixels:
        raise FormatError(f"run lengths add up to the {pixels} pixels of the picture, got {total}")
    inside = np.arange(len(given)) % 2 == 1
    found: BoolArray = np.repeat(inside, given.astype(np.int64)) if len(given) else np.zeros(0, dtype=bool)
    return found


def packed_lengths(lengths: Sequence[int]) -> str:
    """Lengths as COCO's letters: from the fourth on each as its difference from the one before the last, 5 bits a letter, lowest first."""
    letters: list[str] = []
    for at, length in enumerate(lengths):
        left = length - lengths[at - 2] if at > 2 else length
        more = True
        while more:
            bits, left = left & (_MORE - 1), left >> _BITS
            more = left != (-1 if bits & _SIGN else 0)
            letters.append(chr((bits | _MORE if more else bits) + _FIRST))
    return "".join(letters)


def unpacked_lengths(text: str) -> list[int]:
    """Inverse of `packed_lengths`.

    Raises:
        FormatError: Letters that are none of COCO's, or a length that is cut off or too long.
    """
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - _FIRST
        if not 0 <= bits < 2 * _MORE or shift > _BITS * _MOST_LETTERS:
            raise FormatError(f"packed run lengths are of the letters 0 to o, got {letter!r}")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if not bits & _MORE:
            value -= (1 << shift) if bits & _SIGN else 0
            lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
            value = shift = 0
    if shift:
        raise FormatError("packed run lengths end with a whole one, the last is cut off")
    return lengths


def coco_runs(plane: BoolArray) -> list[int]:
    """The lengths of a plane (columns, rows), down each column."""
    return run_lengths(np.ascontiguousarray(plane).ravel())


def from_coco_runs(counts: str | Sequence[int], columns: int, rows: int) -> BoolArray:
    """The plane (columns, rows) of COCO's `counts`, packed or listed.

    Raises:
        FormatError: They are damaged, or of another size.
    """
    lengths = unpacked_lengths(counts) if isinstance(counts, str) else counts
    return from_run_lengths(lengths, columns * rows).reshape(columns, rows)


def box_runs(plane: BoolArray) -> tuple[list[int], tuple[int, int, int, int]]:
    """CVAT's lengths along the rows of the box around a plane's pixels, and the box: left, top, width, height.

    Args:
        plane: (columns, rows), with a pixel inside.
    """
    at = np.argwhere(plane)
    (left, top), (right, bottom) = at.min(axis=0).tolist(), (at.max(axis=0) + 1).tolist()
    return run_lengths(plane[left:right, top:bottom].T.ravel()), (left, top, right - left, bottom - top)


def from_box_runs(lengths: Sequence[int], box: tuple[int, int, int, int], columns: int, rows: int) -> BoolArray:
    """The plane (columns, rows) of CVAT's lengths.

    Raises:
        FormatError: They are damaged, or the box (left, top, width, height) lies outside the picture.
    """
    left, top, width, height = box
    if left < 0 or top < 0 or min(width, height) < 1 or left + width > columns or top + height > rows:
        raise FormatError(f"a mask's box lies in its picture of {columns}×{rows}, got left {left}, top {top}, {width}×{height}")
    plane = np.zeros((columns, rows), dtype=bool)
    plane[left : left + width, top : top + height] = from_run_lengths(lengths, width * height).reshape(height, width).T
    return plane
