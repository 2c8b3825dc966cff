"""The value of each voxel of a fused mask where values stand for several labels at once: decided label by label.

Where labels lie inside others or overlap, the most probable value may lose what most annotators drew: one who drew the liver, one who drew
the tumour in it and one who drew nothing are three values, and two of three hold that the liver is there. So first it is decided which
group of labels that share voxels is there, by the sum of its values' probabilities; then among its values, and background, the one whose
labels agree best with the labels' own probabilities: with the fewest labels expected to be wrong. A label that shares voxels with none is
a group by itself. Where a value has more than half of the probability, it is taken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.raters.fused import choose
from medloop.raters.fused_mask import FusedMask


def decided_by_label(fused: FusedMask, held: Mapping[int, Collection[int]]) -> FusedMask:
    """The same with the disputed voxels decided label by label.

    Args:
        fused: Of values of masks.
        held: Value of a mask → the labels that such a voxel belongs to, with those that they lie inside of; background is left out.
    """
    if not len(fused.disputed):
        return fused
    chosen = _chosen(fused.rows.astype(np.float64), [frozenset(held.get(value, ())) for value in fused.labels])[fused.row_of]
    mask = fused.mask.copy()
    mask.reshape(-1)[fused.disputed] = np.array(fused.labels, dtype=np.uint8)[chosen]
    return replace(fused, mask=mask)


def _chosen(rows: FloatArray, of: Sequence[frozenset[int]]) -> IntArray:
    """The place of the value of each row, of values that stand for these labels, background first; shapes (rows, values) and (rows,)."""
    labels = sorted(frozenset().union(*of))
    belongs = np.array([[label in own for label in labels] for own in of], dtype=np.float64).reshape(len(of), len(labels))
    group_of = np.array(_groups(of))
    group = choose(rows @ np.eye(len(of))[group_of])
    agreement = (rows @ belongs - 0.5) @ belongs.T
    beside = group_of != group[:, None]
    beside[:, 0] &= (np.bincount(group_of)[group] == 1) & (group > 0)
    return choose(np.where(beside, -np.inf, agreement))


def _groups(of: Sequence[frozenset[int]]) -> list[int]:
    """For each value, the place of the first one that it shares labels with, directly or through others."""
    group = list(range(len(of)))
    for here, own in enumerate(of):
        for there in range(here):
            if own & of[there] and group[here] != group[there]:
                old, new = sorted((group[here], group[there]))[::-1]
                group = [new if one == old else one for one in group]
    return group
