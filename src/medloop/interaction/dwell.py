"""From a trace to a mask: where somebody dwelt on a slice, grown along what the image looks like there.

On every slice the seconds of the samples, each spread by a Gaussian, add up to a density. Where it reaches `CORE` of its peak is the core.
From the core distances run through the slice, longer where intensities change; a voxel's chance to belong to what was looked at falls
with them by a half at the radius of the area dwelt on. These chances are a heuristic and no calibrated probabilities.

Source: geodesic distances as in `medloop.interaction.solvers.geodesic`; densities of fixations as heat maps, Blignaut 2010,
doi:10.1145/1743666.1743673.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.image import Image
from medloop.interaction.engine import StillWanted
from medloop.interaction.prompts import Scribble
from medloop.interaction.solvers.geodesic import Single, geodesic_distances
from medloop.interaction.traces import Trace

CORE = 0.5
"""Share of a slice's highest density from which a voxel is certainly meant."""

AREA = 0.1
"""Share of it from which a voxel was dwelt on at all."""

SPREAD_SHARE = 0.02
"""Standard deviation of where somebody looked around a sample, as a share of the slice's longer side: half a degree of sight at a desk."""

LEAST_SECONDS = 0.1
"""Slices that were looked at for a shorter time were passed by."""

DETOUR = 2.0
"""A change of the core's own standard deviation between neighbours is worth so many times the slice's pixel."""


@dataclass(frozen=True, eq=False)
class Dwelt:
    """What a trace says of an image.

    Attributes:
        chances: Of every voxel to belong to what was looked at, 0..1, shape (I, J, K).
        core: Where somebody dwelt longest, shape (I, J, K).
        slices: Slices along the last axis that were looked at long enough, ascending.
        seconds: Looked at altogether.
        expected_dice: What Dice the mask would have if the chances were probabilities, 0..1.
    """

    chances: Single
    core: BoolArray
    slices: tuple[int, ...]
    seconds: float
    expected_dice: float

    @property
    def inside(self) -> BoolArray:
        """The proposed mask."""
        found: BoolArray = self.chances >= 0.5
        return found

    def prompts(self, label: int) -> tuple[Scribble, ...]:
        """The core as strokes, one for each slice, for engines that take prompts."""
        each = ((self.core & (np.arange(self.core.shape[2]) == k)) for k in self.slices)
        return tuple(Scribble(tuple((int(i), int(j), int(k)) for i, j, k in np.argwhere(one)), label) for one in each)

    def mask(self, label: int) -> MaskArray:
        """The proposed mask in a label's value, shape (I, J, K)."""
        return np.where(self.inside, np.uint8(label), np.uint8(0))


def dwell(image: Image, trace: Trace, *, spread_share: float = SPREAD_SHARE, wanted: StillWanted = lambda: True) -> Dwelt:
    """Where a trace dwells, grown along the image.

    Args:
        image: The image that the trace is of.
        trace: At least one sample.
        spread_share: How far somebody looked around a sample, as a share of the slice's longer side, above 0 up to 0.5.
        wanted: Whether the result is still wanted.

    Raises:
        InputError: A spread out of range, or nothing that was looked at for `LEAST_SECONDS`.
        CancelledError: The result is no longer wanted.
    """
    if not 0 < spread_share <= 0.5:
        raise InputError(f"The spread of a trace lies above 0 up to 0.5, got {spread_share:g}")
    shape = image.grid.shape
    numbers = np.clip(np.round(trace.voxels[:, 2]), 0, shape[2] - 1).astype(int)
    seconds = np.bincount(numbers, weights=trace.seconds, minlength=shape[2])
    slices = tuple(int(k) for k in np.flatnonzero(seconds >= LEAST_SECONDS))
    if not slices:
        raise InputError(f"A trace dwells on a slice for {LEAST_SECONDS:g} s or more, got at most {seconds.max():.2g} s")
    chances, core = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_)
    for k in slices:
        on = numbers == k
        density = _density(trace.voxels[on, :2], trace.seconds[on], shape[:2], spread_share * max(shape[:2]))
        core[..., k] = density >= CORE * density.max()
        chances[..., k] = _grown(image, k, core[..., k], density, wanted)
    inside = chances >= 0.5
    expected = 2 * float(chances[inside].sum()) / (float(chances.sum()) + int(inside.sum()))
    return Dwelt(chances, core, slices, float(trace.seconds.sum()), expected)


def _density(places: FloatArray, seconds: FloatArray, shape: tuple[int, int], sigma: float) -> FloatArray:
    """Seconds per pixel, spread by a Gaussian of that many pixels."""
    from scipy import ndimage

    counts = np.zeros(shape)
    i, j = (np.clip(np.round(places[:, axis]), 0, shape[axis] - 1).astype(int) for axis in (0, 1))
    np.add.at(counts, (i, j), seconds)
    spread: FloatArray = ndimage.gaussian_filter(counts, max(sigma, 0.5), mode="constant", truncate=4)
    return spread


def _grown(image: Image, k: int, core: BoolArray, density: FloatArray, wanted: StillWanted) -> Single:
    """Chances on a slice: one in the core, a half at the radius of the area dwelt on, along the image."""
    picture = np.nan_to_num(image.array[..., k : k + 1].astype(np.float32))
    own = picture[:, core[..., np.newaxis]]
    scale = max(float(own.std(axis=1).mean()), 0.02 * float(np.ptp(picture)), 1e-6)
    spacing = (*image.grid.spacing_mm[:2], 1.0)
    pixel = float(np.sqrt(spacing[0] * spacing[1]))
    distances = geodesic_distances(picture / scale, [core[..., np.newaxis]], spacing, detour_mm=DETOUR * pixel, wanted=wanted)[0, ..., 0]
    area = float((density >= AREA * density.max()).sum()) * pixel**2
    radius = max(float(np.sqrt(area / np.pi)), pixel)
    grown: Single = np.exp2(-np.square(distances / radius)).astype(np.float32)
    return grown
