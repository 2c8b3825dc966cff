"""What would change the mask most: the voxels worth a prompt, and the prompts that matter.

If a person said what one voxel is, samples that disagree would fall away and the mask of the others would remain. The
expected change is therefore known before anybody answers: it needs samples only, no network. And the other way round: a
hint that can be removed without the mask changing was not needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray, IntArray, MaskArray, ProbabilitySamples
from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid

CANDIDATES = 256
"""Voxels that are tried; the most disputed ones, apart from each other."""

Gain: TypeAlias = Literal["information", "change"]
"""Nats that an answer gives about which sample is right, or 1 − Dice by which the mask is expected to change."""


@dataclass(frozen=True)
class SuggestedPrompt:
    """A voxel worth a hint.

    Attributes:
        voxel: Where, (i, j, k).
        information: Mutual information of its label and the sample, in nats: how much the answer settles.
        change: Expected 1 - Dice between the mask now and the mask once the voxel is known.
        shares: What the samples say of it: label value → share.
    """

    voxel: tuple[int, int, int]
    information: float
    change: float
    shares: dict[int, float]


@dataclass(frozen=True)
class PromptEffect:
    """What one prompt does to a mask.

    Attributes:
        index: Which prompt.
        changed: Voxels that differ without it.
        change: 1 - mean Dice over labels between the mask with all prompts and without this one.
    """

    index: int
    changed: int
    change: float


def suggest_prompts(
    samples: ProbabilitySamples, grid: Grid, *, count: int = 5, by: Gain = "change", apart_mm: float = 5.0
) -> list[SuggestedPrompt]:
    """The voxels whose label would change the mask most, best first.

    Args:
        samples: Shape (samples, classes, I, J, K).
        grid: Of the image.
        count: At most so many places.
        by: What to rank by; "change" asks how much of the mask moves, "information" how many samples fall away.
        apart_mm: Least distance between two places.

    Returns:
        Places where the samples disagree; none where they all say the same.

    Raises:
        ShapeError: Samples that do not lie on the grid.
        SettingError: A count below 1, or an unknown ranking.

    Source: expected information gain, Lindley 1956, doi:10.1214/aoms/1177728069, over the samples as hypotheses; each
        sample counts by how likely it finds the answer.
    """
    if samples.ndim != 5 or samples.shape[2:] != grid.shape:
        raise ShapeError(f"Samples must have shape (samples, classes, {grid.shape}), got {samples.shape}")
    if count < 1 or by not in ("information", "change"):
        raise SettingError(f"Request at least one place by information or change, got {count} by {by!r}")
    answers: MaskArray = samples.argmax(axis=1).astype(np.uint8)
    voxels = _candidates(answers, samples.shape[1], grid, apart_mm)
    places = [_place(samples, answers, voxel) for voxel in voxels]
    places = [p for p in places if p.change > 0 or p.information > 0]
    return sorted(places, key=lambda p: (-getattr(p, by), p.voxel))[:count]


def prompt_effects(refine: Callable[[Sequence[int]], MaskArray], prompts: int, *, labels: Sequence[int]) -> list[PromptEffect]:
    """What each prompt contributes: leave it out, refine again, and compare.

    Args:
        refine: The mask of the prompts with these numbers, for example an engine's `refine` with an embedding bound to it.
        prompts: How many prompts there are.
        labels: The task's label values.

    Returns:
        One effect per prompt, in order. A prompt that changes nothing can be removed.
    """
    everything = list(range(prompts))
    whole = refine(everything)
    found = []
    for index in everything:
        without = refine([n for n in everything if n != index])
        found.append(PromptEffect(index, int(np.count_nonzero(whole != without)), _dice_loss(whole, without, labels)))
    return found


def _candidates(answers: MaskArray, classes: int, grid: Grid, apart_mm: float) -> list[tuple[int, int, int]]:
    """The most disputed voxels, each at least so far from the ones before."""
    shares = np.stack([(answers == label).mean(axis=0, dtype=np.float32) for label in range(classes)])
    disputed = -np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-12)), 0).sum(axis=0)
    voxels = np.argwhere(disputed > 0)
    order = np.argsort(-disputed[tuple(voxels.T)], kind="stable")
    remaining, places = voxels[order], grid.to_mm(voxels[order])
    chosen: list[tuple[int, int, int]] = []
    while len(remaining) and len(chosen) < CANDIDATES:
        i, j, k = remaining[0].tolist()
        chosen.append((i, j, k))
        far = np.linalg.norm(places - places[0], axis=1) >= apart_mm
        far[0] = False
        remaining, places = remaining[far], places[far]
    return chosen


def _place(samples: ProbabilitySamples, answers: MaskArray, voxel: tuple[int, int, int]) -> SuggestedPrompt:
    from scipy.special import entr

    likelihoods = np.clip(samples[:, :, *voxel].astype(np.float64), 1e-6, None)
    likelihoods /= likelihoods.sum(axis=1, keepdims=True)
    expected = likelihoods.mean(axis=0)
    information = float(entr(expected).sum() - entr(likelihoods).sum(axis=1).mean())
    now = _mean_mask(samples, np.full(len(samples), 1 / len(samples)))
    change = 0.0
    for label, share in enumerate(expected):
        if share > 1e-3:
            then = _mean_mask(samples, likelihoods[:, label] / likelihoods[:, label].sum())
            change += share * _dice_loss(now, then, range(1, samples.shape[1]))
    said, counts = np.unique(answers[:, *voxel], return_counts=True)
    shares = {int(label): float(n / len(answers)) for label, n in zip(said, counts, strict=True)}
    return SuggestedPrompt(voxel, max(0.0, information), change, shares)


def _mean_mask(samples: ProbabilitySamples, weights: FloatArray) -> IntArray:
    mask: IntArray = np.tensordot(weights.astype(np.float32), samples, axes=1).argmax(axis=0)
    return mask


def _dice_loss(a: IntArray, b: IntArray, labels: Sequence[int]) -> float:
    """1 - mean Dice over the labels that either mask has; 0 when neither has any."""
    scores = []
    for label in labels:
        in_a, in_b = a == label, b == label
        total = np.count_nonzero(in_a) + np.count_nonzero(in_b)
        if total:
            scores.append(2.0 * np.count_nonzero(in_a & in_b) / total)
    return 1.0 - float(np.mean(scores)) if scores else 0.0
