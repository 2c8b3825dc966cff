"""The part of an image that a refinement looks at, thinned out when it is large: cost does not grow with the volume."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray, MaskArray
from medloop.core.geometry import Grid, triple
from medloop.core.image import Image
from medloop.interaction.prompts import Box, ExtremePoints, Prompt, unanswered
from medloop.interaction.regions import VoxelBox, Voxels, finest_mm, grown, prompt_box, union
from medloop.interaction.solvers.geodesic import Single

SMOOTHING = 0.7
"""Standard deviation in seen voxels: below a structure's size, above a voxel's noise."""


@dataclass(frozen=True)
class Window:
    """A box of voxels, seen every so many voxels along each axis.

    Attributes:
        box: First voxel, and one past the last.
        stride: Along I, J, K; 1 sees every voxel.
    """

    box: VoxelBox
    stride: tuple[int, int, int]

    def slices(self, *, thinned: bool) -> tuple[EllipsisType | slice, ...]:
        """Index of the box in an array (…, I, J, K)."""
        steps = self.stride if thinned else (1, 1, 1)
        return (..., *(slice(a, z, s) for a, z, s in zip(*self.box, steps, strict=True)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the box along each axis, not thinned."""
        return triple(np.subtract(self.box[1], self.box[0]))

    def part(self, first: Sequence[int], last: Sequence[int]) -> "Window":
        """The window from one seen voxel to another, both counted along the seen voxels and included."""
        ends = zip(first, last, self.stride, self.box[0], self.box[1], strict=True)
        spans = [(a + low * s, z if a + (high + 1) * s >= z else a + high * s + 1) for low, high, s, a, z in ends]
        return Window((triple(a for a, _ in spans), triple(z for _, z in spans)), self.stride)

    def places(self, voxels: Voxels) -> Voxels:
        """The seen voxel nearest to each given one that lies in the box, shape (m, 3), each once."""
        inside = (voxels >= self.box[0]).all(axis=1) & (voxels < self.box[1]).all(axis=1)
        steps = np.array(self.stride)
        seen = (np.array(self.shape) - 1) // steps
        nearest = np.minimum((voxels[inside] - self.box[0] + steps // 2) // steps, seen)
        return np.unique(nearest, axis=0)

    def widened(self, values: Single) -> Single:
        """Values (…, i, j, k) at the seen voxels, linearly in between, shape (…, *self.shape)."""
        wide = values
        for axis, (step, length) in enumerate(zip(self.stride, self.shape, strict=True)):
            if step > 1:
                wide = interpolated(wide, axis - 3, np.arange(length) / step)
        return wide


def window_for(
    prompts: Sequence[Prompt], previous: MaskArray, grid: Grid, *, side_voxels: int, most_voxels: int, zoom: float = 1.0
) -> Window:
    """The window in which prompts, at least one, are answered on the mask before, shape (I, J, K); beyond `most_voxels` it is thinned out.

    A box or extreme points give their box and a quarter of its size around it; other prompts a cube around them of
    `side_voxels` finest voxels, times `zoom`. Only prompts count that the mask does not obey yet, and the last one.
    """
    margin_mm = zoom * side_voxels * finest_mm(grid.shape, grid.spacing_mm) / 2
    boxes = [_around(p, prompts, grid, margin_mm=margin_mm) for p in unanswered(prompts, previous)]
    return strided(union(boxes), grid, most_voxels)


def strided(box: VoxelBox, grid: Grid, most_voxels: int) -> Window:
    """A window on a box; it skips voxels along the axes that are finest in mm until few enough remain."""
    lengths = np.array(box[1]) - np.array(box[0])
    stride = np.ones(3, dtype=np.int64)
    while np.prod(-(-lengths // stride)) > most_voxels:
        reach = np.where(lengths > stride, stride * np.array(grid.spacing_mm), np.inf)
        stride[int(reach.argmin())] += 1
    return Window(box, triple(stride))


def seen(array: ImageArray | MaskArray, window: Window) -> ImageArray:
    """An array (…, I, J, K) as a window sees it; a view."""
    return array[window.slices(thinned=True)]


def picture(image: Image, window: Window) -> Single:
    """The window's intensities, each channel smoothed a little, with middle 0 and contrast 1."""
    from scipy import ndimage

    pictures: Single = np.nan_to_num(seen(image.array, window).astype(np.float32), posinf=0.0, neginf=0.0)
    for channel in pictures:
        ndimage.gaussian_filter(channel, [SMOOTHING if n > 1 else 0 for n in channel.shape], output=channel)
        low, middle, high = np.percentile(channel, (2, 50, 98))
        channel -= middle
        channel /= high - low if high > low else 1.0
    return pictures


def _around(prompt: Prompt, prompts: Sequence[Prompt], grid: Grid, *, margin_mm: float) -> VoxelBox:
    outline = [p for p in prompts if isinstance(p, Box | ExtremePoints) and p.label == prompt.label]
    own = prompt_box(prompt, grid.shape)
    if outline:
        own = union([own, *(prompt_box(p, grid.shape) for p in outline)])
        sides = [(z - a) * mm for a, z, mm in zip(*own, grid.spacing_mm, strict=True)]
        margin_mm = max(max(sides) / 4, 4 * finest_mm(grid.shape, grid.spacing_mm))
    wide = grown(own, margin_mm, spacing_mm=grid.spacing_mm, shape=grid.shape)
    return _within_slice(own, wide) if outline else wide


def _within_slice(own: VoxelBox, wide: VoxelBox) -> VoxelBox:
    """What was outlined on one slice is answered on that slice: seen as a volume, it would be all surface."""
    flat = [z - a == 1 for a, z in zip(*own, strict=True)]
    return triple(np.where(flat, own[0], wide[0])), triple(np.where(flat, own[1], wide[1]))


def interpolated(values: Single, axis: int, places: FloatArray) -> Single:
    """Linear interpolation along an axis, at places in steps of it; beyond its ends their values go on."""
    last = values.shape[axis] - 1
    places = np.clip(places, 0, last)
    low = places.astype(np.int64)
    share = (places - low).astype(np.float32).reshape([-1 if a == axis % values.ndim else 1 for a in range(values.ndim)])
    below: Single = np.take(values, low, axis=axis)
    above: Single = np.take(values, np.minimum(low + 1, last), axis=axis)
    above -= below
    above *= share
    above += below
    return above
