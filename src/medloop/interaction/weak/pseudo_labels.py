"""Labels that marks make likely: inside boxes by the image's looks, around scribbles and points by a random walker.

What marks say always holds; what is guessed here beside it counts less in training (`models.foundation.weak_losses`), and is left out
where the guess is not sure. A box whose cut finds nothing, or fills it to the brim, falls back to what tight boxes are like: the middle is
the structure, the corners are not. Without that, training from boxes hung on luck: a box in which the cut had found no edge taught
nothing but background (benchmarks/results/weak_labels.md).

Sources: GrabCut, Rother et al. 2004, doi:10.1145/1015706.1015720; boxes as supervision, Dai et al. 2015, arXiv:1503.01640, and
Rajchl et al. 2016 (DeepCut), arXiv:1605.07866; random walks from scribbles, Grady 2006, doi:10.1109/TPAMI.2006.233.
"""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, FloatArray, MaskArray
from medloop.core.geometry import Grid, triple
from medloop.core.image import Image
from medloop.interaction.modelfree.seeds import UNSEEDED, Seeds
from medloop.interaction.modelfree.tools import likelihood_cut, walker
from medloop.interaction.modelfree.window import Window, picture, seen, strided
from medloop.interaction.regions import VoxelBox, grown, slices_of
from medloop.interaction.solvers.geodesic import Single
from medloop.interaction.weak.supervision import Supervision

MOST_SEEN, MOST_WALKED = 120_000, 40_000
"""Voxels that the cut of a box, and a random walker, look at; larger ones are seen thinned out."""

SURE = 0.75
"""Least share of a label that is guessed."""

FILLED = (0.15, 0.95)
"""Share of a tight box that a structure fills: less, or more, is a cut that found nothing. (An ellipse fills 0.79 of a flat box, 0.52 of a
deep one.)"""

CORE, CORNER = 0.5, 1.3
"""Of the fallback: up to so much of the ellipse within a box is the structure, beyond so much of it is not."""

MARGIN = 0.3
"""How far around a box its surroundings are looked at, in sides of the box."""


def pseudo_labels(image: Image, known: Supervision) -> MaskArray:
    """What marks say and make likely: values of masks, `UNKNOWN` where neither, shape (I, J, K).

    What two boxes of overlapping labels both make likely is of both. A random walker parts an image among labels, so that it says nothing
    of those that may share voxels: around their marks all is left unknown.
    """
    found = known.certain
    every = [(label, box) for label, boxes in known.boxes.items() for box in boxes]
    for label, box in sorted(every, key=lambda one: (_size(one[1]), one)):  # what lies within another structure comes first
        _fill_box(found, image, known, label, box)
    if any((known.labels == label).any() for label in known.spoken if label not in known.boxes):
        _spread(found, image, known)
    return found


def _fill_box(found: MaskArray, image: Image, known: Supervision, label: int, box: VoxelBox) -> None:
    """Guess the structure within a box; a plane of the box in which the guess has none of it stays unknown."""
    inside = slices_of(box)
    allowed = known.allows(label)[inside] & np.isin(found[inside], (UNKNOWN, label))
    joined = _joined(known, label)
    allowed |= np.isin(found[inside], [*joined])
    own = _shares_in_box(image, known, found, label, box)
    wish = (own >= SURE) & allowed
    low, high = FILLED
    if not low * allowed.sum() <= wish.sum() <= high * allowed.sum():
        own = _by_shape(box)
        wish = (own >= SURE) & allowed
    part, certain = found[inside], known.certain[inside]
    free = certain == UNKNOWN
    held = part.copy()
    part[free & wish & (held == UNKNOWN)] = label
    for one, both in joined.items():
        part[free & wish & (held == one) & known.allows(both)[inside]] = both
    others = known.possible[known.sets[inside]].sum(axis=-1) > 2  # another label may be there
    nothing = (own <= 1 - SURE) & free & ~others & (part == UNKNOWN)
    for axis in range(3):
        empty = ~np.isin(part, (label, *joined.values())).any(axis=tuple(a for a in range(3) if a != axis), keepdims=True)
        nothing &= ~empty
    part[nothing & known.allows(0)[inside]] = 0


def _joined(known: Supervision, label: int) -> dict[int, int]:
    """The other labels of boxes that overlap one → the value of voxels of both."""
    return {one: both for one in known.boxes if one != label and (both := known.both(one, label)) is not None}


def _size(box: VoxelBox) -> int:
    return int(np.prod(np.subtract(box[1], box[0])))


def _shares_in_box(image: Image, known: Supervision, found: MaskArray, label: int, box: VoxelBox) -> FloatArray:
    """How likely each voxel of a box has its label, shape of the box."""
    grid = image.grid
    sides = [(z - a) * mm for a, z, mm in zip(*box, grid.spacing_mm, strict=True) if z - a > 1]
    wide = grown(box, MARGIN * max(sides, default=1.0), spacing_mm=grid.spacing_mm, shape=grid.shape)
    flat = [z - a == 1 for a, z in zip(*box, strict=True)]
    wide = triple(np.where(flat, box[0], wide[0])), triple(np.where(flat, box[1], wide[1]))
    window = strided(wide, grid, MOST_SEEN)
    classes = np.where(seen(known.allows(label), window), np.int16(UNSEEDED), np.int16(0))
    outside = np.ones(grid.shape, dtype=bool)
    outside[slices_of(box)] = False
    classes[seen(outside, window)] = 0
    marked = seen(known.labels, window)
    classes[marked == label] = 1
    taken = seen(found, window)
    classes[~np.isin(taken, (label, UNKNOWN, *_joined(known, label)))] = 0
    outlined = () if (classes == 1).any() else (1,)
    seeds = Seeds(classes.astype(np.int16), marked != UNKNOWN, (label,), outlined)
    shares = likelihood_cut(picture(image, window), seeds, _spacing(grid, window), lambda: True)[1]
    at = tuple(slice(a - low, z - low) for a, z, low in zip(*box, window.box[0], strict=True))
    return np.asarray(window.widened(shares[None])[0][at], dtype=np.float64)


def _by_shape(box: VoxelBox) -> FloatArray:
    """1 in the middle of a box, 0 in its corners, one half between, by the ellipse within it; shape of the box."""
    along = [np.square((np.arange(z - a) + 0.5) * 2 / (z - a) - 1) if z - a > 1 else np.zeros(1) for a, z in zip(*box, strict=True)]
    radius = np.sqrt(along[0][:, None, None] + along[1][:, None] + along[2])
    return np.where(radius <= CORE, 1.0, np.where(radius >= CORNER, 0.0, 0.5))


def _spread(found: MaskArray, image: Image, known: Supervision) -> None:
    """Guess, by which mark a random walker reaches first, what lies around marks of labels without boxes."""
    grid, certain = image.grid, np.where(known.certain == UNKNOWN, known.labels, known.certain)
    parted = [label for label in known.held if known.held_apart(label)]
    for region in _regions(certain, grid):
        window = strided(region, grid, MOST_WALKED)
        labels = tuple(int(v) for v in np.unique(certain[slices_of(region)]) if v not in (0, UNKNOWN))
        if not labels:
            continue
        shares = _walked(image, certain, labels, window)
        wide = window.widened(shares)
        best = np.array((0, *labels), dtype=np.uint8)[wide.argmax(axis=0)]
        inside = slices_of(region)
        part, sets = found[inside], known.sets[inside]
        take = (part == UNKNOWN) & (wide.max(axis=0) >= SURE) & known.possible[sets, best] & np.isin(best, (0, *parted))
        part[take] = best[take]


def _walked(image: Image, certain: MaskArray, labels: Sequence[int], window: Window) -> Single:
    """Shares of background and labels in a window as seen."""
    thinned = np.full(seen(certain, window).shape, UNSEEDED, dtype=np.int16)
    for number, label in enumerate((0, *labels)):
        places = np.argwhere(certain == label)
        thinned[tuple(window.places(places).T)] = number
    if not (thinned == 0).any():
        _seed_rim(thinned)
    seeds = Seeds(thinned, thinned != UNSEEDED, tuple(labels))
    return walker(picture(image, window), seeds, _spacing(image.grid, window), lambda: True)


def _seed_rim(classes: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
    """Where no mark says background, the rim of the two longest axes is likely to be."""
    longest = np.argsort(classes.shape)[1:]
    rim: BoolArray = np.zeros(classes.shape, dtype=bool)
    for axis in longest:
        for end in (0, -1):
            rim[tuple(end if a == axis else slice(None) for a in range(3))] = True
    classes[rim & (classes == UNSEEDED)] = 0


def _regions(certain: MaskArray, grid: Grid) -> list[VoxelBox]:
    """Where marks are spread: each slice by itself where most slices are marked, for walks in thick slices go astray; else the whole."""
    shape = grid.shape
    whole: VoxelBox = ((0, 0, 0), shape)
    if min(shape) == 1:
        return [whole]
    axis = int(np.argmax(grid.spacing_mm))
    marked = ((certain != UNKNOWN) & (certain != 0)).any(axis=tuple(a for a in range(3) if a != axis))
    span = np.flatnonzero(marked)
    if len(span) < 2 or len(span) < 0.8 * (span[-1] - span[0] + 1):
        return [whole]
    found = []
    for index in span.tolist():
        start, stop = [0, 0, 0], list(shape)
        start[axis], stop[axis] = index, index + 1
        found.append((triple(start), triple(stop)))
    return found


def _spacing(grid: Grid, window: Window) -> list[float]:
    return [mm * step for mm, step in zip(grid.spacing_mm, window.stride, strict=True)]
