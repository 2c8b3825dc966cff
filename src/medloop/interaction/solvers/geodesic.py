"""How far voxels are from seeds when a step through an edge of the image counts as a detour.

The length of a step between neighbours (26 in 3D, 8 in 2D) is `sqrt(mm² + (detour_mm * difference)²)`. Distances spread
in raster passes: planes in order along each axis, both ways, each from the plane before, until nothing becomes shorter: then they are
the shortest there are (two to four rounds in images, more where paths wind). Several sets of seeds spread at once, which costs
little more than one.
"""

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, ImageArray
from medloop.interaction.engine import StillWanted, require_wanted

Single: TypeAlias = npt.NDArray[np.float32]


class UnsettledWarning(RuntimeWarning):
    """A solver stopped at its limit before it was done."""


def geodesic_distances(
    image: ImageArray,
    seeds: Sequence[BoolArray],
    spacing_mm: Sequence[float],
    *,
    detour_mm: float,
    rounds: int | None = None,
    wanted: StillWanted = lambda: True,
) -> Single:
    """Distance of every voxel to each set of seeds.

    Args:
        image: Shape (C, I, J, K), finite.
        seeds: One mask (I, J, K) for each set.
        spacing_mm: Voxel size along I, J, K.
        detour_mm: Millimetres that a difference of 1 between neighbours is worth; 0 measures straight paths.
        rounds: At most so many times all axes both ways, and an `UnsettledWarning` where distances could still shorten then; None goes
            on until nothing becomes shorter.
        wanted: Whether the answer is still wanted.

    Returns:
        Shape (sets, I, J, K), float32, in mm, the shortest over all paths of such steps (to float32's rounding); infinite for a set
        without seeds.

    Raises:
        CancelledError: It is no longer wanted.

    Source: Criminisi, Sharp and Blake 2008, doi:10.1007/978-3-540-88682-2_9, section 2; raster passes after Toivanen 1996,
        doi:10.1016/0167-8655(96)00010-4.
    """
    far = np.float32(np.inf)
    distances: Single = np.where(np.stack(list(seeds)), np.float32(0), far)
    axes = [a for a in range(3) if image.shape[1 + a] > 1]
    pictures = image.astype(np.float32)
    steps = {a: _steps(pictures, a, spacing_mm, detour_mm) for a in axes}
    done, before = 0, np.empty(0, dtype=np.float32)
    while not np.array_equal(before, distances):
        if done == rounds:
            warnings.warn(f"Distances may be too long: they still shortened in the last of {rounds} rounds", UnsettledWarning, stacklevel=2)
            break
        before = distances.copy()
        for axis in axes:
            require_wanted(wanted)
            _sweep(np.moveaxis(distances, 1 + axis, 0), steps[axis])
        done += 1
    return distances


_Steps: TypeAlias = list[tuple[tuple[slice, ...], tuple[slice, ...], Single]]
"""For each neighbour in the plane before: where its step applies in this plane, where it comes from, and its length."""


def _steps(image: ImageArray, axis: int, spacing_mm: Sequence[float], detour_mm: float) -> _Steps:
    """Lengths of the steps from each plane to the next along an axis, plane by plane."""
    planes = np.moveaxis(image, 1 + axis, 0)
    across = [spacing_mm[a] for a in range(3) if a != axis]
    steps: _Steps = []
    for first in _offsets(planes.shape[2]):
        for second in _offsets(planes.shape[3]):
            here, there = (_part(first), _part(second)), (_part(-first), _part(-second))
            difference = planes[1:][:, :, *here] - planes[:-1][:, :, *there]
            squared = np.square(difference).sum(axis=1) * np.float32(detour_mm**2)
            squared += np.float32(spacing_mm[axis] ** 2 + (first * across[0]) ** 2 + (second * across[1]) ** 2)
            steps.append((here, there, np.sqrt(squared, out=squared)))
    return steps


def _sweep(planes: Single, steps: _Steps) -> None:
    """Shorten distances from plane to plane, forwards and then backwards; planes come first, sets second."""
    for n in range(1, len(planes)):
        for here, there, length in steps:
            part = planes[n][:, *here]
            np.minimum(part, planes[n - 1][:, *there] + length[n - 1], out=part)
    for n in range(len(planes) - 1, 0, -1):
        for here, there, length in steps:
            part = planes[n - 1][:, *there]
            np.minimum(part, planes[n][:, *here] + length[n - 1], out=part)


def _offsets(length: int) -> tuple[int, ...]:
    return (-1, 0, 1) if length > 1 else (0,)


def _part(offset: int) -> slice:
    """The voxels that have a neighbour so far back."""
    return slice(max(offset, 0), None if offset >= 0 else offset)
