"""STAPLE: one mask from several when every annotator has a sensitivity and specificity, or a confusion matrix, of their own.

Each different pattern of labels is weighed once (`medloop.raters.stack`), so that hundreds of millions of voxels cost no more
than their patterns. Voxels far from any dispute would make everybody's specificity look perfect and the prior of foreground
tiny; so by default only a band counts: the disputed voxels, and of each label no more agreed voxels than there are disputed
ones in all. The prior of a label is its share among the annotations of the voxels that count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medloop.core.arrays import FloatArray, IntArray, MaskArray
from medloop.core.errors import SettingError, ShapeError
from medloop.raters.confusion import Prior, estimate, shares
from medloop.raters.fused_mask import FusedMask, fuse_mask
from medloop.raters.mask_skill import MaskSkill, pooled
from medloop.raters.stack import Stack, stack_masks, with_agreed
from medloop.raters.votes import NONE, Votes, weighted

PRIOR = Prior()

Region = Literal["band", "all"]


def staple(masks: Sequence[MaskArray], labels: Sequence[int], *, region: Region = "band", prior: Prior = PRIOR) -> FusedMask:
    """The most probable label of each voxel, and how often each annotator is right, each from the other.

    Args:
        masks: One per annotator, integer label values, equal shapes (I, J, K) or (I, J); 255 where a voxel is not annotated.
        labels: Foreground labels of the task; one makes it binary STAPLE.
        region: "band" counts disputed voxels and as many agreed ones at most; "all" counts every voxel, as the paper does.
        prior: Dirichlet counts of the confusion matrices, in voxels.

    Returns:
        Skills are held against the label probabilities, not against the mask.

    Raises:
        ShapeError: No mask, or masks on different grids.
        InputError: Masks of fractions or NaN.
        LabelError: A value outside the task.
        SettingError: An unknown region.

    Source: Warfield et al. 2004, doi:10.1109/TMI.2004.828354, section II; several labels: Rohlfing et al. 2004,
        doi:10.1109/TMI.2004.830803.
    """
    stack = stack_masks(masks, labels)
    votes, frequency = _counted(stack, region)
    found = estimate(votes, prior, frequency=frequency)
    beliefs = _certain(stack, found.beliefs[len(stack.labels) :])
    return fuse_mask("staple", stack, beliefs, judged=beliefs, note=_note(stack, found.converged))


@dataclass(frozen=True, eq=False)
class FusedCases:
    """Several cases fused together.

    Attributes:
        masks: One per case.
        skills: Annotator → skill over all their cases.
    """

    masks: tuple[FusedMask, ...]
    skills: dict[str, MaskSkill]


def staple_cases(
    cases: Sequence[Mapping[str, MaskArray]], labels: Sequence[int], *, region: Region = "band", prior: Prior = PRIOR
) -> FusedCases:
    """STAPLE over many cases, in which every annotator has one confusion matrix for all of them.

    A case with two or three masks cannot show who is wrong; what the annotators did elsewhere can. Each case keeps its own prior.

    Args:
        cases: For each case the masks by the annotator's name; grids may differ between cases.
        labels: Foreground labels of the task.
        region: As for `staple`.
        prior: Likewise.

    Raises:
        ShapeError: No case, or within a case no mask or masks on different grids.
        InputError, LabelError, SettingError: As for `staple`.

    Source: as for `staple`; missing annotators as in Dawid and Skene 1979.
    """
    if not cases:
        raise ShapeError("Masks of at least one case are needed, got none")
    names = sorted({name for case in cases for name in case})
    stacks = [stack_masks([case[name] for name in sorted(case)], labels) for case in cases]
    parts = [_counted(stack, region) for stack in stacks]
    table = [_in_columns(votes.table, sorted(case), names) for (votes, _), case in zip(parts, cases, strict=True)]
    frequency = np.concatenate([np.tile(share, (len(votes.table), 1)) for votes, share in parts])
    together = Votes(np.concatenate(table), len(stacks[0].labels), np.concatenate([votes.counts for votes, _ in parts]))
    found = estimate(together, prior, frequency=frequency)
    fused, start = [], 0
    for stack, (votes, _) in zip(stacks, parts, strict=True):
        beliefs = _certain(stack, found.beliefs[start + len(stack.labels) : start + len(votes.table)])
        fused.append(fuse_mask("staple_cases", stack, beliefs, judged=beliefs, note=_note(stack, found.converged)))
        start += len(votes.table)
    return FusedCases(tuple(fused), pool_skills(fused, [sorted(case) for case in cases]))


def pool_skills(fused: Sequence[FusedMask], annotators: Sequence[Sequence[str]]) -> dict[str, MaskSkill]:
    """Skill of each annotator over the cases that they annotated with others; for any method.

    Args:
        fused: One per case.
        annotators: For each case the names, in the order of its masks.

    Returns:
        Annotator → skill; annotators who share no case are left out.

    Raises:
        ShapeError: Not one name per mask of each case.
    """
    found: dict[str, list[MaskSkill]] = {}
    for case, names in zip(fused, annotators, strict=True):
        if len(names) != len(case.skills):
            raise ShapeError(f"One name per mask is needed, got {len(names)} names for {len(case.skills)} masks")
        for name, skill in zip(names, case.skills, strict=True):
            if len(names) > 1:
                found.setdefault(name, []).append(skill)
    return {name: pooled(skills) for name, skills in sorted(found.items())}


def _counted(stack: Stack, region: Region) -> tuple[Votes, FloatArray]:
    """The patterns that count, agreed ones first, and the prior of each class, shape (classes,)."""
    if region not in ("band", "all"):
        raise SettingError(f"region must be band or all, got {region!r}")
    votes = with_agreed(stack, stack.agreed.astype(np.float64))
    votes = weighted(votes, _in_band(votes)) if region == "band" else votes
    share = votes.counts @ shares(votes)
    return votes, share / share.sum() if share.sum() else np.full(votes.classes, 1.0 / votes.classes)


def _certain(stack: Stack, beliefs: FloatArray) -> FloatArray:
    """The beliefs, and certainty where two or more annotated and all of them agree: as where everybody did."""
    tally = stack.patterns.tally()
    agreed = (stack.patterns.given >= 2) & ((tally > 0).sum(axis=1) == 1)
    return np.where(agreed[:, None], (tally > 0).astype(np.float64), beliefs)


def _in_band(votes: Votes) -> FloatArray:
    """How much each pattern counts: of each class no more voxels that are not in dispute among those who annotated them than are."""
    tally = votes.tally() > 0
    settled = tally.sum(axis=1) < 2
    disputed = votes.counts[~settled].sum()
    of_class = (votes.counts * settled) @ tally
    share = np.minimum(1.0, disputed / np.maximum(of_class, 1.0))
    return np.where(settled, votes.counts * (tally @ share), votes.counts)


def _in_columns(table: IntArray, names: Sequence[str], every: Sequence[str]) -> IntArray:
    wide: IntArray = np.full((len(table), len(every)), NONE, dtype=np.int64)
    wide[:, [every.index(name) for name in names]] = table
    return wide


def _note(stack: Stack, converged: bool) -> str:
    two = "two annotators: nothing shows who is right where they differ" if len(stack.masks) == 2 else ""
    return "; ".join(filter(None, [two, "" if converged else "not converged"]))
