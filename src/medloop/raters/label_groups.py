"""One mask of readings that do not all annotate the same labels: each label is fused over those who annotated it.

Labels that the same readers annotated are fused together, group by group; then the groups are laid over each other. Where two groups
claim a voxel, the likelier label has it, and probabilities that add up to more than 1 are scaled down.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.raters.fused_mask import FusedMask
from medloop.raters.mask_skill import LabelSkill, MaskSkill


@dataclass(frozen=True)
class LabelGroup:
    """Labels, and the readers, by index, who annotated them."""

    labels: tuple[int, ...]
    readers: tuple[int, ...]


def label_groups(annotated: Sequence[Collection[int]]) -> list[LabelGroup]:
    """The labels that several readers annotate together, grouped by who did; `annotated` holds each reader's labels."""
    found: dict[tuple[int, ...], list[int]] = {}
    for label in sorted(set().union(*annotated)):
        found.setdefault(tuple(n for n, own in enumerate(annotated) if label in own), []).append(label)
    return [LabelGroup(tuple(labels), readers) for readers, labels in found.items()]


def lay_together(groups: Mapping[LabelGroup, FusedMask], *, readers: int) -> FusedMask:
    """One fused mask of several, each of its own labels; with one group, that is it.

    Args:
        groups: What was fused of each group.
        readers: How many there are in all.
    """
    parts = list(groups.values())
    if len(parts) == 1:
        return parts[0]
    labels = (0, *sorted(label for group in groups for label in group.labels))
    claims = np.sum([part.mask != 0 for part in parts], axis=0)
    places = np.union1d(np.flatnonzero(claims > 1), np.concatenate([part.disputed for part in parts])).astype(np.int64)
    rows = _chances(parts, labels, places)
    mask = np.max([part.mask for part in parts], axis=0)
    chosen = np.array(labels, dtype=np.uint8)[_claimed(parts, labels, places, rows)]
    mask.reshape(-1)[places] = np.where(claims.reshape(-1)[places] > 0, chosen, 0)
    skills = tuple(_skill(groups, reader, labels) for reader in range(readers))
    notes = "; ".join(dict.fromkeys(part.note for part in parts if part.note))
    return FusedMask(parts[0].method, mask, labels, skills, places, rows, np.arange(len(places)), notes)


def _chances(parts: Sequence[FusedMask], labels: tuple[int, ...], places: IntArray) -> FloatArray:
    """Label probabilities at some voxels, shape (places, labels), float32."""
    rows = np.zeros((len(places), len(labels)), dtype=np.float32)
    for part in parts:
        for label in part.labels[1:]:
            rows[:, labels.index(label)] = part.soft(label).reshape(-1)[places]
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1.0)
    rows[:, 0] = 1.0 - rows[:, 1:].sum(axis=1)
    return rows


def _claimed(parts: Sequence[FusedMask], labels: tuple[int, ...], places: IntArray, rows: FloatArray) -> IntArray:
    """Of the labels that some part gives a voxel the likeliest, as an index of `labels`."""
    given = np.zeros(rows.shape, dtype=bool)
    index = np.zeros(256, dtype=np.int64)
    index[list(labels)] = np.arange(len(labels))
    for part in parts:
        own = index[part.mask.reshape(-1)[places]]
        given[np.arange(len(places)), own] |= own > 0
    claimed: IntArray = np.where(given, rows, -1.0).argmax(axis=1)
    return claimed


def _skill(groups: Mapping[LabelGroup, FusedMask], reader: int, labels: tuple[int, ...]) -> MaskSkill:
    """One reader's rates over the labels that they annotated."""
    rates, joint = dict[int, LabelSkill](), np.zeros((len(labels), len(labels)))
    for group, part in groups.items():
        if reader in group.readers:
            own = part.skills[group.readers.index(reader)]
            at = [labels.index(label) for label in part.labels]
            rates |= own.labels
            joint[np.ix_(at, at)] += own.joint
    return MaskSkill(rates, joint)
