"""One mask from several: the value, and how it is put together from what a method says about the disputed voxels."""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, FloatArray, IntArray, MaskArray
from medloop.core.errors import LabelError
from medloop.core.names import counted
from medloop.raters.fused import DECIDED, choose, row_entropy
from medloop.raters.mask_skill import MaskSkill, judge_annotators
from medloop.raters.stack import Stack


@dataclass(frozen=True, eq=False)
class FusedMask:
    """One mask from several.

    Attributes:
        method: Name of the function that made it.
        mask: The most probable label of each voxel, the lowest of several; 255 where nobody annotated. Shape of the masks.
        labels: Label values, background first.
        skills: One per annotator, in the order of the masks.
        disputed: Flat positions of the voxels on which not all agreed, shape (disputed,).
        rows: Different rows of label probabilities, shape (rows, labels).
        row_of: The row of each disputed voxel, shape (disputed,).
        note: What fell back, or could not be known, in words; "" otherwise.
    """

    method: str
    mask: MaskArray
    labels: tuple[int, ...]
    skills: tuple[MaskSkill, ...]
    disputed: IntArray
    rows: FloatArray
    row_of: IntArray
    note: str = ""

    def soft(self, label: int) -> FloatArray:
        """Probability of a label at each voxel, float32, shape of the mask; NaN where nobody annotated.

        Raises:
            LabelError: A label that the masks were not fused for.
        """
        if label not in self.labels:
            raise LabelError(f"The masks were fused for labels {list(self.labels)}, got {label}")
        soft = np.where(self.mask == UNKNOWN, np.float32(np.nan), (self.mask == label).astype(np.float32))
        soft.reshape(-1)[self.disputed] = self.rows[self.row_of, self.labels.index(label)]
        return soft

    @property
    def uncertainty(self) -> FloatArray:
        """Entropy of each voxel in nats, float32; 0 where all agreed."""
        entropy = np.zeros(self.mask.shape, dtype=np.float32)
        entropy.reshape(-1)[self.disputed] = row_entropy(self.rows)[self.row_of]
        return entropy

    @property
    def undecided(self) -> BoolArray:
        """Voxels at which no label reaches a probability of `DECIDED`."""
        undecided = np.zeros(self.mask.shape, dtype=bool)
        undecided.reshape(-1)[self.disputed] = (self.rows.max(axis=1, initial=0.0) < DECIDED)[self.row_of]
        return undecided

    @property
    def expected_error(self) -> float:
        """1 minus the Dice that the mask probably has with the truth, of the label with the lowest, 0..1: what one more reading may change.

        The expected Dice is taken for twice the expected overlap over the expected sizes; 0 where no label can be there.
        """
        flat, voxels = self.mask.reshape(-1), np.bincount(self.row_of, minlength=len(self.rows)).astype(np.float64)
        own, class_of = np.zeros((len(self.rows), len(self.labels))), np.zeros(256, dtype=np.int64)
        class_of[list(self.labels)] = np.arange(len(self.labels))
        np.add.at(own, (self.row_of, class_of[flat[self.disputed]]), 1.0)  # disputed voxels by row and fused class
        sizes = np.array([np.count_nonzero(flat == label) for label in self.labels], dtype=np.float64)
        agreed = sizes - own.sum(axis=0)
        overlap, truth = agreed + (own * self.rows).sum(axis=0), agreed + voxels @ self.rows
        errors = [1.0 - 2.0 * o / (s + t) for o, s, t in zip(overlap[1:], sizes[1:], truth[1:], strict=True) if s + t > 0]
        return float(np.clip(max(errors, default=0.0), 0.0, 1.0))


def fuse_mask(
    method: str,
    stack: Stack,
    beliefs: FloatArray,
    *,
    row_of: IntArray | None = None,
    judged: FloatArray | None = None,
    note: str = "",
) -> FusedMask:
    """Put a result together.

    Args:
        method: Its name.
        stack: The masks.
        beliefs: Label probabilities, shape (rows, labels).
        row_of: The row of each disputed voxel, shape (disputed,); by default rows are the patterns.
        judged: The truth that annotators are held against, label probabilities of each pattern; the chosen label by default.
        note: What the method itself has to say.
    """
    rows = stack.pattern_of if row_of is None else row_of
    chosen = choose(beliefs)[rows]
    mask = stack.masks[0].copy()
    mask.reshape(-1)[stack.disputed] = np.array(stack.labels, dtype=np.uint8)[chosen]
    skills = judge_annotators(stack, chosen, judged)
    notes = "; ".join(filter(None, [note, *_notes(stack, mask)]))
    return FusedMask(method, mask, stack.labels, skills, stack.disputed, beliefs.astype(np.float32), rows, notes)


def _notes(stack: Stack, mask: MaskArray) -> list[str]:
    notes = []
    if len(stack.masks) == 1:
        notes.append("one annotator: the mask is theirs, skill is not known")
    drawn = [bool((m != 0).any()) for m in stack.masks]
    if not any(drawn):
        notes.append("all masks are background")
    elif not ((mask != 0) & (mask != UNKNOWN)).any():
        notes.append(f"the fused mask is empty although {counted(sum(drawn), 'annotator')} drew foreground")
    elif copies := _copies(stack):
        notes.append(f"equal masks of annotators {copies}: if copies, they count twice")
    return notes


def _copies(stack: Stack) -> str:
    """Pairs whose masks are equal voxel by voxel although others differ."""
    table = stack.patterns.table
    columns = [table[:, a].tobytes() for a in range(len(stack.masks))]
    pairs = [(columns.index(c), a) for a, c in enumerate(columns) if columns.index(c) != a]
    everyone_alike = len(set(columns)) == 1 and len(columns) > 1
    return "0 and the others" if everyone_alike else ", ".join(f"{a} and {b}" for a, b in pairs)
