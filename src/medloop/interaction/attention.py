"""Where a person should look next: the places of a case at which a look mends most, best first.

A voxel's chance of being wrong is what the model says against the mask as it stands. A look at a slice (or box) mends the
wrong voxels in it, so the expected gain of a place is the sum of these chances over the voxels nobody has looked at yet.
Slices across several axes share voxels: once one is taken, the others gain less (greedy cover). Free of torch.

Source: Wang et al. 2020 (UGIR), doi:10.1007/978-3-030-59719-1_30: only the most uncertain slices are corrected.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, ImageArray, MaskArray, ProbabilitySamples
from medloop.core.errors import InputError, LabelError, SettingError, ShapeError
from medloop.core.geometry import Shape3, triple
from medloop.interaction.regions import slices_of
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.query.subvolume.units import checked_map, rank_patches, rank_slices, rank_superpixels

PlaceKind: TypeAlias = Literal["slice", "region"]

REGION_MM = 20.0
"""Edge of a region: about what is seen at once without moving."""

LEAST_GAIN = 0.5
"""A place where not even half a voxel is expected to be wrong is not worth opening."""


@dataclass(frozen=True)
class Place:
    """One slice or region worth a look.

    Attributes:
        kind: "slice" or "region".
        axis: The voxel axis a slice is perpendicular to; None for a region.
        start, stop: First voxel and one past the last along I, J, K; a slice is one voxel thick.
        voxel: Where in it the mask is most likely wrong: where to point.
        gain: Wrong voxels that a look is expected to find.
        seconds: Expected time of the look.
        reason: Why, in words.
    """

    kind: PlaceKind
    axis: int | None
    start: Shape3
    stop: Shape3
    voxel: Shape3
    gain: float
    seconds: float
    reason: str

    @property
    def index(self) -> int:
        """Number of the slice along its axis; a region's first slice along the last axis."""
        return self.start[2 if self.axis is None else self.axis]

    @property
    def gain_per_second(self) -> float:
        """What the order goes by."""
        return self.gain / self.seconds

    @property
    def voxels(self) -> tuple[slice, slice, slice]:
        """The place as an index of arrays (I, J, K)."""
        return slices_of((self.start, self.stop))


def error_chances(samples: ProbabilitySamples, mask: MaskArray, *, labels: Sequence[int] | None = None) -> FloatArray:
    """Chance that each voxel of a mask is wrong: what the model gives to all other labels.

    Args:
        samples: Shape (S, C, I, J, K).
        mask: Label values as they stand, shape (I, J, K).
        labels: Label values of the classes in order, background first; None when they are 0, 1, 2, ….

    Returns:
        Shape (I, J, K), 0..1.

    Raises:
        ShapeError: Shapes that do not fit.
        LabelError: The mask holds a label the model does not know.
    """
    if samples.ndim != 5 or samples.shape[2:] != mask.shape:
        raise ShapeError(f"Samples (S, C, I, J, K) must fit the mask {mask.shape}, got {samples.shape}")
    known = list(range(samples.shape[1]) if labels is None else labels)
    if unknown := sorted(set(np.unique(mask).tolist()) - set(known)):
        raise LabelError(f"A mask may hold the model's labels {known}, got {unknown[:8]}")
    column = np.zeros(256, dtype=np.intp)
    column[known] = np.arange(len(known))
    own = np.take_along_axis(samples.mean(axis=0), column[mask][None], axis=0)[0]
    chances: FloatArray = np.clip(1.0 - own, 0.0, 1.0)
    return chances


def chances_of_entropy(entropy: FloatArray, classes: int) -> FloatArray:
    """Least chance that the most likely class is wrong, from the entropy in nats: Fano's inequality, exact for two classes.

    Where only the doubt of a prediction was kept, this is what it says about errors.

    Args:
        entropy: Any shape, 0..ln(classes).
        classes: How many there are, at least 2.

    Raises:
        SettingError: Fewer than two classes.
        InputError: NaN or negative entropy.

    Source: Cover and Thomas 2006, Elements of Information Theory, theorem 2.10.1.
    """
    from scipy.special import entr

    if classes < 2:
        raise SettingError(f"A choice needs at least 2 classes, got {classes}")
    if not np.isfinite(entropy).all() or (entropy.size and entropy.min() < 0):
        raise InputError("Entropy must be finite and not negative", remedy="check the model's output")
    chance = np.linspace(0.0, 1.0 - 1.0 / classes, 1025)
    bound = entr(chance) + entr(1.0 - chance) + chance * math.log(classes - 1)
    return np.interp(entropy, bound, chance)


def rank_places(
    chances: FloatArray,
    *,
    kind: PlaceKind = "slice",
    axes: Sequence[int] = (2,),
    count: int = 50,
    image: ImageArray | None = None,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    effort: EffortModel | None = None,
) -> list[Place]:
    """The places with most expected gain per second, each given those before it; places without gain are left out.

    Args:
        chances: Chance that each voxel is wrong, shape (I, J, K); see `unreviewed` for where somebody has looked.
        kind: Whole slices, or boxes of `REGION_MM` that do not overlap, each viewed on all of its slices across the first axis.
        axes: Which axes slices may be perpendicular to.
        count: At most so many.
        image: Regions are the boxes around its superpixels on slices across the first axis, in place of boxes of one size; (C, I, J, K).
        spacing_mm: Of the voxels, for the size of regions.
        effort: What a look costs.

    Raises:
        ShapeError: Not three axes, an empty map, or an image of another shape.
        InputError: NaN.
        SettingError: A negative count, an axis outside 0..2, or chances outside 0..1.
    """
    left = checked_map(chances, count).astype(np.float64)
    if left.min() < 0 or left.max() > 1:
        raise SettingError(f"Chances lie in 0..1, got {left.min():g} to {left.max():g}")
    cost, total = effort or EffortModel(), float(left.sum())
    if kind == "region":
        box = [max(1, min(n, round(REGION_MM / mm))) for n, mm in zip(left.shape, spacing_mm, strict=True)]
        boxes = (
            rank_patches(left, count, box=box)
            if image is None
            else rank_superpixels(left, image, count, axis=axes[0], spacing_mm=spacing_mm)
        )
        found = list[Place]()
        for p in boxes:
            found.append(_place(left, None, p.start, p.stop, total, cost, viewed=p.stop[axes[0]] - p.start[axes[0]]))
            left[found[-1].voxels] = 0.0  # boxes around superpixels overlap
        worth = [p for p in found if p.gain >= LEAST_GAIN]
        return sorted(worth, key=lambda p: -p.gain_per_second)
    return _cover(left, axes, count, total, cost)


def unreviewed(chances: FloatArray, reviewed: BoolArray) -> FloatArray:
    """Chances, shape (I, J, K), that a look could still mend: 0 where somebody has looked or drawn since.

    Raises:
        ShapeError: Two shapes.
    """
    if reviewed.shape != chances.shape:
        raise ShapeError(f"Reviewed voxels must have the map's shape {chances.shape}, got {reviewed.shape}")
    return np.where(reviewed, 0.0, chances)


def look_seconds(gain: float, effort: EffortModel, *, slices: int = 1) -> float:
    """Expected seconds of a look that finds `gain` wrong voxels: seeing the slices of the place, and going round what is wrong."""
    return effort.slice_viewed * slices + effort.outline * gain


def _cover(left: FloatArray, axes: Sequence[int], count: int, total: float, cost: EffortModel) -> list[Place]:
    """Lazy greedy: a slice's gain only shrinks as others are taken, so a stale best one is looked at again first."""
    queue = [
        (-_rate(unit.score * left.size / left.shape[axis], cost), place, axis, unit.index)
        for place, axis in enumerate(axes)
        for unit in rank_slices(left, left.shape[axis] if axis in (0, 1, 2) else 0, axis=axis)
    ]
    heapq.heapify(queue)
    found: list[Place] = []
    while queue and len(found) < count:
        rate, order, axis, index = heapq.heappop(queue)
        slice_ = np.moveaxis(left, axis, 0)[index]
        now = -_rate(float(slice_.sum()), cost)
        if len(axes) > 1 and now > rate + 1e-12:
            heapq.heappush(queue, (now, order, axis, index))
            continue
        start, stop = [0, 0, 0], list(left.shape)
        start[axis], stop[axis] = index, index + 1
        place = _place(left, axis, triple(start), triple(stop), total, cost)
        if place.gain < LEAST_GAIN:
            break
        found.append(place)
        slice_[:] = 0.0
    return found


def _rate(gain: float, cost: EffortModel) -> float:
    """Expected voxels mended per second."""
    return gain / look_seconds(gain, cost)


def _place(left: FloatArray, axis: int | None, start: Shape3, stop: Shape3, total: float, cost: EffortModel, *, viewed: int = 1) -> Place:
    box = left[slices_of((start, stop))]
    gain = float(box.sum())
    peak = triple(np.add(start, np.unravel_index(int(np.argmax(box)), box.shape)))
    share = gain / total if total > 0 else 0.0
    reason = f"about {gain:.0f} voxels here are probably wrong, {share:.0%} of all that is"
    return Place("region" if axis is None else "slice", axis, start, stop, peak, gain, look_seconds(gain, cost, slices=viewed), reason)
