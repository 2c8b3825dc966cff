"""The cheapest boundary: a binary min-cut by its total-variation relaxation, in NumPy alone.

A voxel pays `log((1 - p) / p)` for being foreground and every pair of face neighbours with different answers pays an
edge weight: less where the image changes, less across thick slices. The relaxation lets answers lie between 0 and 1;
its minimum is the exact cut's, and any threshold of that minimum is a cheapest cut. What is returned comes near it: how near is
proven and told (`Solution.gap`). Hints cost more than anything else may save.
"""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, ImageArray, MaskArray
from medloop.core.errors import ShapeError
from medloop.interaction.engine import StillWanted
from medloop.interaction.prompts import PromptedVoxels
from medloop.interaction.solvers.cut_energy import edge_weights, unary_cost
from medloop.interaction.solvers.primal_dual import Single, Solution, minimise

Box3: TypeAlias = tuple[slice, slice, slice]

SMOOTHNESS = 2.0
"""Price of one voxel face where the image is flat, in log odds: two faces outweigh odds of 50 to 1. Not tuned on any data."""

ITERATIONS = 120
SMALL = 20_000
"""Voxels below which more iterations cost little: these grids are solved to the end."""


def cut(
    probability: FloatArray,
    image: ImageArray,
    hints: PromptedVoxels,
    spacing_mm: Sequence[float],
    *,
    smoothness: float = SMOOTHNESS,
    iterations: int | None = None,
    wanted: StillWanted = lambda: True,
) -> Solution:
    """The cheapest foreground under a probability map, an image and hints.

    Args:
        probability: Of foreground, shape (I, J, K), 0..1.
        image: Intensities that edges follow, shape (C, I, J, K).
        hints: Voxels whose answer is given; obeyed whatever they cost.
        spacing_mm: Voxel size along I, J, K.
        smoothness: Price of a voxel face in flat image, in log odds; 0 thresholds the map.
        iterations: At most so many; None is `ITERATIONS`, in grids below `SMALL` voxels up to 20 times as many for the same work. It
            stops earlier once the cut at one half is provably at most one face dearer than the cheapest, in small grids a
            hundredth of one.
        wanted: Whether the answer is still wanted.

    Returns:
        Its `answers`, shape (I, J, K), lie within 0..1, nearly all at the ends: foreground is >= 0.5. Its `gap` is what that cut may
        cost above the cheapest one: more than one face where the iterations ran out.

    Raises:
        ShapeError: Arrays that do not fit each other.
        CancelledError: It is no longer wanted.

    Source: Chambolle and Pock 2011, doi:10.1007/s10851-010-0251-1, algorithm 1, with the steps of Pock and Chambolle
        2011, doi:10.1109/ICCV.2011.6126441; exactness by Chan, Esedoglu and Nikolova 2006, doi:10.1137/040615286.
    """
    if probability.ndim != 3 or image.shape[1:] != probability.shape:
        raise ShapeError(f"A cut needs an image (C, I, J, K) on the map's grid, got {image.shape} for {probability.shape}")
    cost = unary_cost(probability, hints)
    weights = edge_weights(image, spacing_mm, smoothness=smoothness)
    answers = (cost <= 0).astype(np.float32)
    box = _undecided_box(cost, weights)
    if box is None:
        return Solution(answers)
    inner = [w[tuple(slice(s.start, s.stop - (a == axis)) for a, s in enumerate(box))] for axis, w in enumerate(weights)]
    times = int(np.clip(SMALL // max(cost[box].size, 1), 1, 20))
    gap = smoothness if times == 1 else smoothness / 100
    most = ITERATIONS * times if iterations is None else iterations
    found = minimise(cost[box], inner, answers[box], gap=gap, iterations=most, wanted=wanted)
    answers[box] = found.answers
    return Solution(answers, found.gap)


def relax_labels(
    probabilities: FloatArray,
    image: ImageArray,
    hints: Sequence[PromptedVoxels],
    spacing_mm: Sequence[float],
    *,
    smoothness: float = SMOOTHNESS,
    wanted: StillWanted = lambda: True,
) -> Single:
    """Cut each label against all others; `settle_labels` then gives every voxel one of them.

    Arguments as of `cut`, but probabilities of background and each label, shape (1 + labels, I, J, K), and hints for each label.

    Returns:
        The cuts' answers, shape (labels, I, J, K), 0..1, to be settled here or on another grid.

    Raises:
        ShapeError: Arrays that do not fit each other.
        CancelledError: It is no longer wanted.
    """
    if len(hints) != len(probabilities) - 1:
        raise ShapeError(f"Every label needs its prompts, got {len(hints)} for {len(probabilities) - 1} labels")
    each = partial(cut, smoothness=smoothness, wanted=wanted)
    return np.stack([each(p, image, h, spacing_mm).answers for p, h in zip(probabilities[1:], hints, strict=True)])


def settle_labels(answers: Single, probabilities: FloatArray, hints: Sequence[PromptedVoxels]) -> MaskArray:
    """Give every voxel the label whose cut claims it, of several the likeliest, and the hints theirs.

    Args:
        answers: From `relax_labels`, shape (labels, I, J, K).
        probabilities: Of background and each label, shape (1 + labels, I, J, K).
        hints: One for each label.

    Returns:
        Number of the label, 0 for background, shape (I, J, K); every hint obeyed.
    """
    chosen = np.zeros(answers.shape[1:], dtype=np.uint8)
    best = np.full(answers.shape[1:], 0.5, dtype=np.float32)
    for number, (answer, probability) in enumerate(zip(answers, probabilities[1:], strict=True), start=1):
        claim = answer + np.float32(1e-3) * probability.astype(np.float32) * (answer >= 0.5)
        stronger = claim > best
        best[stronger], chosen[stronger] = claim[stronger], number
    for number, hint in enumerate(hints, start=1):
        chosen[tuple(hint.positive.T)] = number
        negative = tuple(hint.negative.T)
        chosen[negative] = np.where(chosen[negative] == number, 0, chosen[negative])
    return chosen


def _undecided_box(cost: Single, weights: Sequence[Single]) -> Box3 | None:
    """Box, one voxel wider, of the voxels that their neighbours could talk round; None when there are none.

    A voxel surer than all its faces together keeps its own answer in every cheapest cut.
    """
    faces = np.zeros_like(cost)
    for axis, weight in enumerate(weights):
        along, price = np.moveaxis(faces, axis, 0), np.moveaxis(weight, axis, 0)
        along[:-1] += price
        along[1:] += price
    undecided: BoolArray = np.abs(cost) < faces
    if not undecided.any():
        return None
    along_axes = (np.flatnonzero(undecided.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    i, j, k = (slice(max(int(p[0]) - 1, 0), min(int(p[-1]) + 2, n)) for p, n in zip(along_axes, cost.shape, strict=True))
    return i, j, k
