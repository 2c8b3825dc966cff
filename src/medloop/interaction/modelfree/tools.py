"""Classical ways from seeds to labels: each gives every voxel of a window the share in which it belongs to each class.

Libraries do the work (scikit-image, scikit-learn, the cut and the distances of this package); they are imported when
first used, because a server may name tools without running them.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, IntArray
from medloop.interaction.engine import StillWanted, require_wanted
from medloop.interaction.modelfree.likelihood import class_likelihood
from medloop.interaction.modelfree.seeds import UNSEEDED, Seeds
from medloop.interaction.prompts import PromptedVoxels
from medloop.interaction.solvers.geodesic import Single, geodesic_distances
from medloop.interaction.solvers.mincut import SMOOTHNESS, cut

Tool: TypeAlias = Callable[[Single, Seeds, Sequence[float], StillWanted], Single]
"""(image (C, i, j, k) with differences in units of its contrast, seeds, spacing in mm, wanted) to shares (classes, i, j, k)."""

DETOUR_VOXELS = 100.0
"""Voxels that a difference as large as the image's contrast is worth to the geodesic tool."""

WALKER_BETA = 1000.0
"""How much a random walker shuns differences: far more than usual, because single clicks stand against a whole rim."""

ROUNDS, ROUNDS_2D = 4, 2
"""How often looks are learned from a cut again when nothing but a box is known. In volumes the third and fourth time help (phantoms: Dice
0.76, else 0.75); in pictures they help some (nuclei 0.90, else 0.89), hurt others (fetal heads 0.70, else 0.73), and take as long again."""

FLOODED = 0.8
"""Share of the class that floods a voxel: the watershed tells no doubt, but should not silence a proposal."""

ITERATIONS, TIMES = 60, 4
"""Of a cut at a time, and how often it goes on where it is not yet the cheapest within one face."""


def geodesic(image: Single, seeds: Seeds, spacing_mm: Sequence[float], wanted: StillWanted) -> Single:
    """Nearest seed along paths that avoid edges; shares fall with the distance's inverse, and are even where no seed reaches."""
    sets = [seeds.classes == n for n in range(len(seeds.labels) + 1)]
    detour_mm = DETOUR_VOXELS * float(min(spacing_mm))
    distances = geodesic_distances(image, sets, spacing_mm, detour_mm=detour_mm, wanted=wanted)
    distances += np.float32(1e-3 * min(spacing_mm))
    nearness: Single = np.reciprocal(distances, out=distances)
    nearness[:, ~nearness.any(axis=0)] = 1
    nearness /= nearness.sum(axis=0)
    return nearness


def walker(image: Single, seeds: Seeds, spacing_mm: Sequence[float], wanted: StillWanted) -> Single:
    """Which seed a random walker reaches first.

    Source: Grady 2006, doi:10.1109/TPAMI.2006.233, as in scikit-image.
    """
    from skimage.segmentation import random_walker

    present = [n for n in range(len(seeds.labels) + 1) if (seeds.classes == n).any()]
    if len(present) < 2 or not (seeds.classes == UNSEEDED).any():
        return _given(seeds, present)
    require_wanted(wanted)
    numbers = np.zeros(len(seeds.labels) + 2, dtype=np.int32)
    numbers[present] = np.arange(1, len(present) + 1)
    marks = numbers[seeds.classes]  # unknown is the last entry: 0
    pictures, spacing = np.moveaxis(image, 0, -1), np.array(spacing_mm) / min(spacing_mm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of isolated voxels and of rounding, both harmless here
        found = random_walker(
            pictures, marks, beta=WALKER_BETA, mode="cg_j", tol=1e-3, spacing=spacing, return_full_prob=True, channel_axis=-1
        )
    shares: Single = np.zeros((len(seeds.labels) + 1, *seeds.classes.shape), dtype=np.float32)
    shares[present] = np.clip(np.nan_to_num(found), 1e-4, 1)
    shares /= shares.sum(axis=0)
    return shares


def watershed(image: Single, seeds: Seeds, spacing_mm: Sequence[float], wanted: StillWanted) -> Single:
    """Flood the gradient from the seeds; shares are even where there is none to flood from."""
    from skimage.segmentation import watershed as flood

    require_wanted(wanted)
    steps = [np.gradient(image, mm, axis=1 + a) for a, mm in enumerate(spacing_mm) if image.shape[1 + a] > 1]
    slope = np.sqrt(sum((np.square(s).sum(axis=0) for s in steps), np.zeros(image.shape[1:], dtype=np.float32)))
    flooded: IntArray = flood(slope, markers=seeds.classes.astype(np.int32) + 1)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    sure = _one_hot(flooded - 1, len(seeds.labels) + 1)
    shares: Single = sure * np.float32(FLOODED) + (1 - sure) * np.float32((1 - FLOODED) / max(len(seeds.labels), 1))
    shares[:, flooded == 0] = 1 / len(shares)
    return shares


def likelihood_cut(
    image: Single, seeds: Seeds, spacing_mm: Sequence[float], wanted: StillWanted, tell: Callable[[str], None] = lambda _note: None
) -> Single:
    """Learn how each class looks from its seeds, then cut; with boxes only, learn again from the cut (as GrabCut does).

    Arguments as of `Tool`; `tell` is told, in words, of a last cut that ran out of iterations.

    Source: Boykov and Jolly 2001, doi:10.1109/ICCV.2001.937505; Rother et al. 2004, doi:10.1145/1015706.1015720.
    """
    known = seeds.classes
    taught = known.copy()
    missing = [n for n in range(1, len(seeds.labels) + 1) if n in seeds.outlined or not (known == n).any()]
    if missing:
        taught[known == missing[0]] = UNSEEDED  # outermost points lie on the border: half of what is around them is not the structure
        taught[_middle(known == UNSEEDED)] = missing[0]  # the middle of a box mostly is what it was drawn for
    shares, gap = _given(seeds, [0]), 0.0
    rounds = ROUNDS_2D if 1 in known.shape else ROUNDS
    for _ in range(rounds if missing else 1):
        require_wanted(wanted)
        shares, gap = _cut_each(class_likelihood(image, taught, len(seeds.labels) + 1), image, seeds, spacing_mm, wanted)
        again = shares.argmax(axis=0).astype(np.int16)
        if (again[known == UNSEEDED] == 0).all():
            break
        taught = np.where(known == UNSEEDED, again, known)
    if gap > SMOOTHNESS:
        faces, most = gap / SMOOTHNESS, ITERATIONS * TIMES
        tell(f"The cut stopped after {most} iterations; it may cost {faces:.0f} voxel faces more than the cheapest")
    return shares


def _cut_each(likelihood: Single, image: Single, seeds: Seeds, spacing_mm: Sequence[float], wanted: StillWanted) -> tuple[Single, float]:
    """The shares, and what the dearest of the cuts may cost above the cheapest."""
    shares, gap = np.zeros_like(likelihood), 0.0
    for n in range(1, len(likelihood)):
        hints = PromptedVoxels(np.argwhere(seeds.classes == n), np.argwhere((seeds.classes != n) & (seeds.classes != UNSEEDED)))
        solved = cut(likelihood[n], image, hints, spacing_mm, iterations=TIMES * ITERATIONS, wanted=wanted)
        gap = max(gap, solved.gap)
        shares[n] = 0.98 * _reached(solved.answers, seeds.classes == n) + 0.02 * likelihood[n]
    total = shares[1:].sum(axis=0)
    shares[1:] /= np.maximum(total, 1)
    shares[0] = 1 - np.minimum(total, 1)
    return shares, gap


def _reached(answers: Single, planted: BoolArray) -> Single:
    """Without the pieces that hold no seed: what merely looks alike elsewhere was not asked for."""
    from scipy import ndimage

    if not planted.any():
        return answers
    pieces, count = ndimage.label(answers >= 0.5, structure=np.ones((3, 3, 3)))
    asked = np.zeros(count + 1, dtype=np.float32)
    asked[np.unique(pieces[planted])] = 1
    asked[0] = 0.5  # answers below one half stay below it
    reached: Single = answers * asked[pieces]
    return reached


def _middle(where: BoolArray) -> BoolArray:
    """The middle half, along every axis, of the box that voxels span."""
    middle = np.zeros_like(where)
    places = np.argwhere(where)
    if len(places):
        low, high = places.min(axis=0), places.max(axis=0) + 1
        inset = (high - low) // 4
        middle[tuple(slice(a, z) for a, z in zip(low + inset, high - inset, strict=True))] = True
    return middle & where


def _given(seeds: Seeds, present: Sequence[int]) -> Single:
    """Shares where there is nothing to work out: seeds as they are, the rest to the only class present."""
    only = present[0] if len(present) == 1 else 0
    return _one_hot(np.where(seeds.classes == UNSEEDED, only, seeds.classes), len(seeds.labels) + 1)


def _one_hot(classes: IntArray, count: int) -> Single:
    return np.stack([(classes == n) for n in range(count)]).astype(np.float32)


TOOLS: Mapping[str, Tool] = {"walker": walker, "geodesic": geodesic, "cut": likelihood_cut, "watershed": watershed}
"""Every tool by name."""
