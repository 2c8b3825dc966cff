"""Voxel types and positions of formats with a text header (NRRD, MetaImage): vectors per axis in, one RAS+ affine in millimetres out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import Affine, ImageArray
from medloop.core.errors import FormatError
from medloop.core.geometry import MAX_AXIS, Shape3
from medloop.images.result import MAX_CHANNELS

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
UNORIENTED = "no orientation is stored; left and right are not known"
"""Noted where a header states voxel sizes at most; the axes are then taken to run left, posterior and superior, as ITK takes them."""


def header_numbers(name: str, field: str, text: str, count: int) -> list[float]:
    """Exactly `count` numbers of a header field, which may be NaN: what they mean is judged later.

    Raises:
        FormatError: Another count, or no numbers.
    """
    words = text.replace(",", " ").split()
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) != count or len(words) != count:
        raise FormatError(f"{name}: {field} must be {count} numbers, got {text[:60]!r}", remedy="repair the header, or export it again")
    return found


def lengths_of(name: str, field: str, text: str, count: int) -> list[int]:
    """Exactly `count` whole lengths of 1 or more.

    Raises:
        FormatError: Another count, or what is no length.
    """
    words = text.split()
    if len(words) != count or not all(word.isascii() and word.isdigit() and len(word) < 10 and int(word) for word in words):
        rule = f"{field} must be {count} lengths of 1 or more"
        raise FormatError(f"{name}: {rule}, got {text[:60]!r}", remedy="repair the header, or export it again")
    return [int(word) for word in words]


def require_lengths(name: str, shape: Sequence[int], channels: int) -> None:
    """Raise unless a volume's axes and channels are within what is read.

    Raises:
        FormatError: They are not.
    """
    if max(shape) > MAX_AXIS:
        raise FormatError(f"{name}: every axis must have 1 to {MAX_AXIS} voxels, got {max(shape)}", remedy="crop or downsample it")
    if channels > MAX_CHANNELS:
        raise FormatError(f"{name}: an image has at most {MAX_CHANNELS} channels, got {channels}", remedy="save one volume per file")


def affine_of(vectors: npt.NDArray[np.float64], origin: npt.NDArray[np.float64], to_ras: npt.NDArray[np.float64]) -> Affine:
    """The voxel→mm matrix in RAS+.

    Args:
        vectors: Shape (3, 2) or (3, 3), a column per voxel axis in the file's space, mm; of a plane the third is its normal of 1 mm.
        origin: Centre of the first voxel in the file's space, shape (3,).
        to_ras: Shape (3, 3), from the file's space.
    """
    if vectors.shape[1] == 2:
        normal = np.cross(vectors[:, 0], vectors[:, 1])
        length = float(np.linalg.norm(normal))
        vectors = np.column_stack([vectors, normal / length if length > 0 else normal])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = to_ras @ vectors, to_ras @ origin
    return affine


def volume_shape(lengths: Sequence[int]) -> Shape3:
    """Two or three lengths as (I, J, K)."""
    return (lengths[0], lengths[1], lengths[2] if len(lengths) > 2 else 1)


def channels_first(flat: ImageArray, lengths: Sequence[int], channel_axis: int | None) -> ImageArray:
    """Voxels in file order, first axis fastest, as (C, I, J, K)."""
    stored = flat.reshape(tuple(lengths), order="F")
    array = stored[None] if channel_axis is None else np.moveaxis(stored, channel_axis, 0)
    return array if array.ndim == 4 else array[..., None]
