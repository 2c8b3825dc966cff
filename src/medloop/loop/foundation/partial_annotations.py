"""Partial answers: some slices or boxes of a case are answered, the rest stays unknown.

A partial answer's blob holds the parts and a mask in which everything outside them is `UNKNOWN`; networks ignore these
voxels. Several partial answers to a case add up, the later one wins where they overlap; a full answer replaces those
of the same person. Evaluation counts full answers only, and a case with parts may be asked again.

Blob: length of the header (4 bytes, big endian), header (JSON), mask as `medloop.images.encode` packs it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import InputError, IntegrityError
from medloop.core.geometry import Shape3
from medloop.core.image import Mask
from medloop.core.records import Annotation, Case
from medloop.images.encode import decode_mask, encode_mask
from medloop.store.blobs import Blobs

MAX_PARTS = 10_000
MAX_COVER = 4
"""How often parts may cover the image: every slice of three planes covers it three times."""
_LENGTH_BYTES = 4


@dataclass(frozen=True)
class SlicePart:
    """One whole slice: the voxel axis it is perpendicular to (0, 1 or 2) and which one along it, from 0."""

    axis: int
    index: int


@dataclass(frozen=True)
class BoxPart:
    """A box of voxels from `start` up to, not including, `stop`, both (I, J, K)."""

    start: Shape3
    stop: Shape3


Part: TypeAlias = SlicePart | BoxPart


def annotated_voxels(parts: Sequence[Part], shape: Shape3) -> BoolArray:
    """Which voxels the parts cover, shape (I, J, K).

    Raises:
        InputError: No parts, too many, or one outside the image or empty.
    """
    if not 0 < len(parts) <= MAX_PARTS:
        rule = f"A partial annotation has 1 to {MAX_PARTS} parts, got {len(parts)}"
        raise InputError(rule, remedy="name the slices or boxes that are annotated")
    covered = np.zeros(shape, dtype=bool)
    regions = [covered[_where(part, shape)] for part in parts]
    if sum(region.size for region in regions) > MAX_COVER * covered.size:
        raise InputError(f"The parts of one annotation may cover the image {MAX_COVER} times", remedy="name each slice or box once")
    for region in regions:
        region[...] = True
    return covered


def encode_partial(mask: MaskArray, parts: Sequence[Part]) -> bytes:
    """The blob of a partial answer.

    Raises:
        InputError: As `annotated_voxels`.
    """
    header = json.dumps({"parts": [_to_json(part) for part in parts]}, separators=(",", ":")).encode()
    i, j, k = mask.shape
    known = np.where(annotated_voxels(parts, (i, j, k)), mask, np.uint8(UNKNOWN))
    return len(header).to_bytes(_LENGTH_BYTES, "big") + header + encode_mask(known)


def decode_partial(data: bytes, shape: Shape3) -> tuple[tuple[Part, ...], MaskArray]:
    """Inverse of `encode_partial`: parts, and the mask with `UNKNOWN` outside them.

    Raises:
        IntegrityError: Damaged bytes.
    """
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    try:
        parts = tuple(_from_json(part) for part in json.loads(data[_LENGTH_BYTES:end])["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"A partial annotation must begin with its parts, got {error}", remedy="restore it from a backup") from error
    return parts, decode_mask(data[end:], shape)


def load_partial(blobs: Blobs, annotation: Annotation, case: Case) -> tuple[tuple[Part, ...], MaskArray]:
    """The parts and the mask of a partial annotation, `UNKNOWN` outside the parts.

    Raises:
        InputError: The annotation is not partial.
    """
    if annotation.kind != "partial" or annotation.blob is None:
        raise InputError(f"Annotation {annotation.id} is a {annotation.kind}, not a partial annotation")
    return decode_partial(blobs.get(annotation.blob), case.grid.shape)


def merged_annotation(blobs: Blobs, annotations: Sequence[Annotation], case: Case) -> Mask:
    """What all partial annotations of a case, in the order they were given, say together; later ones win."""
    merged = np.full(case.grid.shape, UNKNOWN, dtype=np.uint8)
    for annotation in annotations:
        _, mask = load_partial(blobs, annotation, case)
        merged = np.where(mask == UNKNOWN, merged, mask)
    return Mask(merged, case.grid)


def _where(part: Part, shape: Shape3) -> tuple[slice, ...]:
    if isinstance(part, SlicePart):
        if part.axis not in (0, 1, 2) or not 0 <= part.index < shape[part.axis]:
            raise InputError(f"A slice has an axis 0, 1 or 2 and an index within {shape}, got axis {part.axis}, index {part.index}")
        return tuple(slice(part.index, part.index + 1) if axis == part.axis else slice(None) for axis in range(3))
    if not all(0 <= a < b <= n for a, b, n in zip(part.start, part.stop, shape, strict=True)):
        raise InputError(f"A box has 0 <= start < stop <= {shape} along every axis, got {part.start} to {part.stop}")
    return tuple(slice(a, b) for a, b in zip(part.start, part.stop, strict=True))


def _to_json(part: Part) -> list[list[int]] | list[int]:
    return [part.axis, part.index] if isinstance(part, SlicePart) else [list(part.start), list(part.stop)]


def _from_json(value: list[int] | list[list[int]]) -> Part:
    first, second = value
    if isinstance(first, int) and isinstance(second, int):
        return SlicePart(first, second)
    if isinstance(first, list) and isinstance(second, list):
        return BoxPart((first[0], first[1], first[2]), (second[0], second[1], second[2]))
    raise ValueError(f"{value} is neither a slice nor a box")
