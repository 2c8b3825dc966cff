"""Labels carried from the frames of a film that somebody annotated to the frames between and beyond, by how the picture moves.

Between two frames the motion is a dense optical flow. A label goes along as the signed distance to its outline; between two annotated
frames the one carried forwards and the one carried backwards are mixed in proportion, as shape-based interpolation mixes slices.

Source: Zach, Pock and Bischof 2007, doi:10.1007/978-3-540-74936-3_22 (TV-L1 optical flow); Raya and Udupa 1990, doi:10.1109/42.52980.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, ImageArray, MaskArray
from medloop.core.errors import InputError, ShapeError
from medloop.interaction.engine import StillWanted, require_wanted
from medloop.interaction.interpolate import check_slices, signed_distance
from medloop.interaction.solvers.geodesic import Single

FLOW_PIXELS = 112
"""Longest side of the picture that motion is looked for in; larger ones are made smaller, since outlines move smoothly."""

MARGIN = 0.6
"""Share of a structure's longer side by which the picture reaches beyond it, for where it moves to."""

_LEAST_MARGIN = 12
_JUMP = 0.4
"""Share of a structure's longer side that it may move by from frame to frame."""

_BAND = 3
"""Pixels beyond an outline where it may be drawn to."""

_FLAT = 0.02
_NO_BETTER = 0.01
_ATTACHMENT = 12.0
"""How much the flow trusts the picture against smoothness; skimage's own default is 15 for intensities of 0 to 1."""


@dataclass(frozen=True, eq=False)
class Propagated:
    """What came of it.

    Attributes:
        mask: Label values, shape (I, J, K).
        reached: Frames that were made anew, ascending.
        agreement: Frame between annotated ones → Dice of what came to it from before and from behind, 0..1, of the worst label.
    """

    mask: MaskArray
    reached: tuple[int, ...]
    agreement: Mapping[int, float]


def propagate_frames(
    pictures: ImageArray,
    mask: MaskArray,
    *,
    known: Mapping[int, Sequence[int]],
    reach: int,
    wanted: StillWanted = lambda: True,
) -> Propagated:
    """Carry labels through the frames of a film.

    Args:
        pictures: Intensities, shape (C, I, J, K), K frames.
        mask: Label values, shape (I, J, K).
        known: For each label, the frames where it is right as it is; it may be absent there.
        reach: How many frames from such a frame it is carried at most.
        wanted: Whether the result is still wanted.

    Returns:
        The mask with these labels made anew on all frames within reach; known frames, and voxels of other labels, stay.

    Raises:
        ShapeError: A mask that does not fit the pictures.
        InputError: No known frame, one outside the film, a reach below 1, or labels that are on none of their frames.
        CancelledError: The result is no longer wanted.
    """
    if pictures.shape[1:] != mask.shape:
        raise ShapeError(f"A mask must have the voxels of its pictures, {pictures.shape[1:]}, got {mask.shape}")
    if reach < 1:
        raise InputError(f"Labels are carried 1 frame or more, got {reach}")
    frames = {label: check_slices(mask.shape, 2, numbers, fewest=1) for label, numbers in known.items()}
    drawn = {label: mask[..., numbers] == label for label, numbers in frames.items()}
    anywhere = np.logical_or.reduce([found.any(axis=2) for found in drawn.values()]) if drawn else np.zeros(mask.shape[:2], dtype=np.bool_)
    if not anywhere.any():
        raise InputError("Propagation needs a label on one of the annotated frames", remedy="draw it on a frame first")
    near = _around(anywhere)
    film = _Film.of(pictures[(slice(None), *near)], wanted)
    made = {label: _carried(film, mask[near] == label, numbers, reach) for label, numbers in frames.items()}
    return _put_together(mask, near, frames, made)


def _put_together(
    mask: MaskArray, near: tuple[slice, slice], frames: Mapping[int, Sequence[int]], made: Mapping[int, Mapping[int, "_Found"]]
) -> Propagated:
    after = mask.copy(order="K")
    labels = np.array([0, *frames], dtype=mask.dtype)
    reached = sorted(set().union(*(found.keys() for found in made.values())))
    for n in reached:
        # A label that is known here, or not within reach, keeps what it has; only voxels of the labels carried here are free.
        here = [label for label in frames if n in made[label]]
        plane = after[..., n]
        plane[np.isin(plane, here)] = 0
        part = plane[near]
        fields = [np.zeros(part.shape, dtype=np.float32), *(made[one][n].field if n in made[one] else np.inf + part for one in frames)]
        chosen = labels[np.argmin(fields, axis=0)]
        part[part == 0] = chosen[part == 0]
    pairs = [(n, found.agreement) for by_frame in made.values() for n, found in by_frame.items() if found.agreement is not None]
    worst = {n: min(value for m, value in pairs if m == n) for n in dict.fromkeys(n for n, _ in pairs)}
    return Propagated(after, tuple(reached), dict(sorted(worst.items())))


@dataclass(frozen=True, eq=False)
class _Found:
    """Signed distance to a label's outline on a frame, and how far the two directions agree; None where only one led there."""

    field: Single
    agreement: float | None = None


def _carried(film: "_Film", inside: BoolArray, numbers: Sequence[int], reach: int) -> dict[int, _Found]:
    """A label on the frames within reach of those where it is known, these left out."""
    fields = {n: signed_distance(inside[..., n], (1.0, 1.0)) for n in numbers}
    before, beyond = -1, inside.shape[2]
    found: dict[int, _Found] = {}
    for low, high in pairwise([before, *numbers, beyond]):
        ahead = {} if low == before else dict(film.walk(fields[low], low, min(low + reach, high - 1)))
        behind = {} if high == beyond else dict(film.walk(fields[high], high, max(high - reach, low + 1)))
        for n in sorted(ahead.keys() | behind.keys()):
            both = n in ahead and n in behind
            found[n] = _mixed(ahead[n], behind[n], (n - low) / (high - low)) if both else _Found(ahead[n] if n in ahead else behind[n])
    return found


def _mixed(before: Single, behind: Single, share: float) -> _Found:
    one, other = before < 0, behind < 0
    if one.any() != other.any():  # absent at one end: as far outside there as it is deep at the other, so it ends halfway
        before = before if one.any() else np.full_like(before, -float(behind.min()))
        behind = behind if other.any() else np.full_like(behind, -float(before.min()))
    together = int(one.sum()) + int(other.sum())
    return _Found((1 - share) * before + share * behind, 2 * int((one & other).sum()) / together if together else 1.0)


@dataclass(frozen=True, eq=False)
class _Film:
    """Pictures in grey at the size that motion is looked for in, shape (K, X, Y), within 0..1, and the whole size (I, J)."""

    pictures: Single
    shape: tuple[int, int]
    wanted: StillWanted

    @classmethod
    def of(cls, pictures: ImageArray, wanted: StillWanted) -> "_Film":
        from skimage.transform import resize

        grey = np.nan_to_num(pictures.astype(np.float32)).mean(axis=0)
        low, high = np.percentile(grey, (1, 99))
        grey = np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1)
        i, j, _ = grey.shape
        scale = min(1.0, FLOW_PIXELS / max(i, j))
        small = (max(2, round(i * scale)), max(2, round(j * scale)))
        frames = np.moveaxis(grey, 2, 0)
        if small != (i, j):
            frames = np.stack([resize(frame, small, order=1, anti_aliasing=True) for frame in frames])  # type: ignore[no-untyped-call]  # skimage
        return cls(frames.astype(np.float32), (i, j), wanted)

    def walk(self, field: Single, start: int, end: int) -> Iterator[tuple[int, Single]]:
        """A field carried frame by frame from `start`, left out, to `end`."""
        from scipy import ndimage

        step = 1 if end > start else -1
        places = np.indices(self.shape, dtype=np.float32)
        for n in range(start + step, end + step, step) if end != start else ():
            require_wanted(self.wanted)
            field = ndimage.map_coordinates(field, places + self._flow(n - step, n, field < 0), order=1, mode="nearest")
            yield n, field

    def _flow(self, source: int, target: int, inside: BoolArray) -> npt.NDArray[np.float32]:
        """Where each pixel of a frame came from on a neighbouring one, in pixels, shape (2, I, J).

        The structure as a whole is looked for first: what it jumps by is more than a flow follows. Around it the frame is compared with
        itself, so that surroundings that stay do not hold its outline back.
        """
        from scipy import ndimage
        from skimage.registration import optical_flow_tvl1

        before, after = self.pictures[source], self.pictures[target]
        if np.array_equal(before, after):
            return np.zeros((2, *self.shape), dtype=np.float32)
        zoom = np.array(self.shape) / before.shape
        jump = _jump(before, after, inside, zoom)
        around = ndimage.shift(_small(inside, before.shape), jump, order=0, mode="constant")
        near = ndimage.binary_dilation(around, iterations=_BAND)
        moved = np.where(near, ndimage.shift(before, jump, order=1, mode="nearest"), after)
        found = optical_flow_tvl1(after, moved, attachment=_ATTACHMENT, num_warp=5, num_iter=10)  # type: ignore[no-untyped-call]  # skimage
        flow = found - np.array(jump)[:, None, None]
        if (zoom == 1).all():
            return np.asarray(flow, dtype=np.float32)
        larger = [ndimage.zoom(part * by, zoom, order=1, grid_mode=True, mode="nearest") for part, by in zip(flow, zoom, strict=True)]
        return np.stack(larger).astype(np.float32)


def _small(inside: BoolArray, shape: Sequence[int]) -> BoolArray:
    """A mask at the size of the small pictures."""
    from scipy import ndimage

    share = [small / whole for small, whole in zip(shape, inside.shape, strict=True)]
    smaller: BoolArray = ndimage.zoom(inside.astype(np.float32), share, order=1, grid_mode=True, mode="nearest") >= 0.5
    return smaller


def _jump(before: Single, after: Single, inside: BoolArray, zoom: FloatArray) -> tuple[int, int]:
    """How far a structure moved, in whole pixels of these small pictures, by cross-correlation; (0, 0) where that is no better."""
    from skimage.feature import match_template

    if not inside.any():
        return 0, 0
    spans = [np.flatnonzero(inside.any(axis=1 - axis)) / zoom[axis] for axis in (0, 1)]
    low = [max(0, int(span[0]) - 2) for span in spans]
    high = [min(side, int(span[-1]) + 4) for span, side in zip(spans, before.shape, strict=True)]
    reach = max(4, round(_JUMP * max(b - a for a, b in zip(low, high, strict=True))))
    first = [max(0, a - reach) for a in low]
    template = before[low[0] : high[0], low[1] : high[1]]
    area = after[first[0] : high[0] + reach, first[1] : high[1] + reach]
    if float(np.ptp(template)) < _FLAT or float(np.ptp(area)) < _FLAT:
        return 0, 0
    alike = match_template(area, template)  # type: ignore[no-untyped-call]  # skimage
    still = (low[0] - first[0], low[1] - first[1])
    i, j = (int(n) for n in np.unravel_index(np.argmax(alike), alike.shape))
    return (0, 0) if alike[i, j] <= alike[still] + _NO_BETTER else (i - still[0], j - still[1])


def _around(somewhere: BoolArray) -> tuple[slice, slice]:
    """The box around a structure within the frames, wider by a share of it on every side."""
    spans = [np.flatnonzero(somewhere.any(axis=1 - axis)) for axis in (0, 1)]
    more = max(_LEAST_MARGIN, round(MARGIN * max(int(span[-1] - span[0]) + 1 for span in spans)))
    i, j = (slice(max(0, int(span[0]) - more), int(span[-1]) + 1 + more) for span in spans)
    return i, j
