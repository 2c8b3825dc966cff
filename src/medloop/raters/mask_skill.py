"""How good each annotator's masks are, held against the fused ones: sensitivity, specificity and Dice per label.

Voxels are not independent: an error is a region. So the box that holds all foreground is cut into blocks (`BLOCKS` along each
axis), and intervals come from weighting the blocks at random (Bayesian bootstrap). Over several cases, the case is the unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.raters.fused import CONFIDENCE
from medloop.raters.stack import Stack, ranked

BLOCKS = 4
"""Along each axis: an error seldom spans more than a quarter of an object."""

FEWEST_BLOCKS = 10
"""With fewer blocks that somebody drew in there is no interval."""

DRAWS = 400

WIDER = 1.4
"""Intervals within one case are wider than drawn by this, because neighbouring blocks err alike: by simulation of borders with
three to eight waves, the least at which nine of ten intervals hold the Dice of another reading by the same annotator."""


@dataclass(frozen=True)
class Rate:
    """A share with its 90 % interval.

    Attributes:
        value: 0..1; None where it is not defined, such as the sensitivity for a label that the fused mask lacks.
        low, high: None where there is too little for an interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LabelSkill:
    """One annotator and one label, against the fused mask; specificity counts all voxels of the grid."""

    sensitivity: Rate
    specificity: Rate
    dice: Rate


@dataclass(frozen=True, eq=False)
class MaskSkill:
    """One annotator's masks.

    Attributes:
        labels: Foreground label → rates.
        joint: Voxels by fused label (row) and label given (column), shape (labels, labels), background first.
    """

    labels: dict[int, LabelSkill]
    joint: FloatArray

    @property
    def confusion(self) -> FloatArray:
        """Row: fused label, column: label given; rows sum to 1, rows of labels that do not occur are NaN."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.joint / self.joint.sum(axis=1, keepdims=True))

    @property
    def dice(self) -> float:
        """Mean Dice over the foreground labels that occur; 1 where none does."""
        found = [rates.dice.value for rates in self.labels.values() if rates.dice.value is not None]
        return float(np.mean(found)) if found else 1.0


def judge_annotators(stack: Stack, chosen: IntArray, judged: FloatArray | None) -> tuple[MaskSkill, ...]:
    """Skill of each annotator.

    Args:
        stack: The masks.
        chosen: Fused class of each disputed voxel, shape (disputed,).
        judged: Probability of each class, shape (patterns, classes), in place of the chosen class.
    """
    classes, table, kinds = len(stack.labels), stack.patterns.table, stack.pattern_of
    truth: FloatArray
    if judged is None:
        used, kinds = ranked(kinds * classes + chosen, len(table) * classes)
        table, truth = table[used // classes], np.eye(classes)[used % classes]
    else:
        truth = judged
    marks = np.eye(classes + 1)[table][..., :classes]  # -1 takes the last row: no class
    each = np.einsum("kt,kav->katv", truth, marks)  # what a voxel of a kind adds: annotator, truth, label given
    blocks, agreed = _blocks(stack)
    counts = np.bincount(blocks * len(table) + kinds, minlength=len(agreed) * len(table)).reshape(len(agreed), -1)
    joint = np.tensordot(counts.astype(np.float64), each, axes=1)
    every = np.arange(classes)
    joint[:, :, every, every] += agreed[:, None, :]
    outside = stack.agreed - agreed.sum(axis=0)
    occurs = (stack.agreed > 0) | (np.bincount(chosen, minlength=classes) > 0) | (stack.patterns.tally().sum(axis=0) > 0)
    weights = _weights(int((joint.sum(axis=1)[:, 1:, 1:].sum(axis=(1, 2)) > 0).sum()), joint)
    return tuple(_skill(joint[:, a], outside, weights, stack.labels, occurs) for a in range(len(stack.masks)))


def _blocks(stack: Stack) -> tuple[IntArray, FloatArray]:
    """The block of each disputed voxel, and the agreed voxels of each class in each block, shape (blocks, classes)."""
    box = stack.box
    lengths = [s.stop - s.start for s in box]
    if not all(lengths):
        return np.zeros(0, dtype=np.int64), np.zeros((1, len(stack.labels)))
    edges = [np.unique(np.arange(BLOCKS) * n // BLOCKS) for n in lengths]
    sizes = tuple(len(e) for e in edges)
    places = np.unravel_index(stack.disputed, stack.shape)
    of_axis = [np.repeat(np.arange(len(e)), np.diff([*e, n])) for e, n in zip(edges, lengths, strict=True)]
    indices = tuple(axis[place - s.start] for axis, place, s in zip(of_axis, places, box, strict=True))
    agreed = np.empty((int(np.prod(sizes)), len(stack.labels)))
    for n, label in enumerate(stack.labels):
        found = stack.unanimous(label)[box].astype(np.int32)
        for axis in reversed(range(len(sizes))):
            found = np.add.reduceat(found, edges[axis], axis=axis)
        agreed[:, n] = found.reshape(-1)
    return np.ravel_multi_index(indices, sizes), agreed


def _weights(used: int, joint: FloatArray) -> FloatArray | None:
    """Random weights of blocks with mean 1, shape (draws, blocks); always the same ones, so that a result can be repeated."""
    if used < FEWEST_BLOCKS:
        return None
    drawn = np.random.default_rng(0).standard_exponential((DRAWS, len(joint)))
    return np.asarray(drawn / drawn.mean(axis=1, keepdims=True))


def _skill(joint: FloatArray, outside: FloatArray, weights: FloatArray | None, labels: tuple[int, ...], occurs: BoolArray) -> MaskSkill:
    every = np.arange(len(labels))

    def with_outside(found: FloatArray) -> FloatArray:
        found[..., every, every] += outside
        return found

    whole = with_outside(joint.sum(axis=0))
    drawn = None if weights is None else with_outside(np.tensordot(weights, joint, axes=1))
    return MaskSkill({label: _label_skill(n, whole, drawn, bool(occurs[n])) for n, label in enumerate(labels) if n}, whole)


def _label_skill(n: int, whole: FloatArray, drawn: FloatArray | None, occurs: bool) -> LabelSkill:
    """Without Dice and sensitivity where the label is in no mask: a trace of belief in it is no truth that everybody missed."""
    values = label_rates(whole, n)
    draws = label_rates(drawn, n) if drawn is not None else None
    sensitivity, specificity, dice = (_rate(float(v), None if draws is None else draws[m]) for m, v in enumerate(values))
    return LabelSkill(sensitivity, specificity, dice) if occurs else LabelSkill(Rate(None), specificity, Rate(None))


def label_rates(joint: FloatArray, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sensitivity, specificity and Dice of class n.

    Args:
        joint: Voxels by truth and label given, shape (…, classes, classes).
        n: The class.

    Returns:
        Three arrays of shape (…); NaN where not defined.
    """
    both, truth, given = joint[..., n, n], joint[..., n, :].sum(axis=-1), joint[..., :, n].sum(axis=-1)
    rest = joint.sum(axis=(-2, -1)) - truth
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / truth, (rest - given + both) / rest, 2.0 * both / (truth + given)


def _rate(value: float, draws: FloatArray | None) -> Rate:
    if np.isnan(value):
        return Rate(None)
    if draws is None or np.isnan(draws).any():
        return Rate(value)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = value + WIDER * (np.quantile(draws, [tail, 1.0 - tail]) - value)
    return Rate(value, max(min(float(low), value), 0.0), min(max(float(high), value), 1.0))


def pooled(skills: Sequence[MaskSkill]) -> MaskSkill:
    """One annotator's skill over several cases: means over the cases, intervals over cases.

    Args:
        skills: Of one annotator, one per case, at least one; for the same labels.

    Returns:
        Rates are means over the cases in which they are defined; 90 % intervals from five cases on. `joint` adds up the cases.
    """
    labels = {label: LabelSkill(*(_mean_rate(skills, label, name) for name in RATES)) for label in skills[0].labels}
    return MaskSkill(labels, np.sum([skill.joint for skill in skills], axis=0))


RATES = ("sensitivity", "specificity", "dice")


def _mean_rate(skills: Sequence[MaskSkill], label: int, name: str) -> Rate:
    from medloop.metrics.intervals import mean_over_cases

    values = [rate.value for s in skills if (rate := getattr(s.labels[label], name)).value is not None]
    if not values:
        return Rate(None)
    found = mean_over_cases(values, confidence=CONFIDENCE)
    return Rate(found.mean, found.low, found.high)
