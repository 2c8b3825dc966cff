"""Marks as kinds of annotation that a query may choose: which one an annotation is of, what it sets right, and what it takes unlearned.

What scribbles and boxes set right was measured on cardiac MR: precision times recall of what they make likely
(benchmarks/results/weak_labels.md). Until their times are learned they count as taking a little more than that share of annotating
everything, or their stated seconds where these are more: no training has shown marks ahead of masks, so that a guess makes no query for
them; times that were recorded here do. A tag sets right what is wrong because a label is missed altogether, or found where it is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.records import EVALUATION_SPLITS, Model, QueryKind
from medloop.interaction.prompts import Box, ExtremePoints, Scribble
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.weak.marks import Mark, Tag
from medloop.interaction.weak.simulated import SCRIBBLE_SECONDS, TAG_SECONDS
from medloop.store.reader import Reader

STATED = EffortModel()


@dataclass(frozen=True)
class MarkPrior:
    """What is assumed of a kind of marks until the log of work says more.

    Attributes:
        sets_right: Share of what is wrong that it sets right.
        per_slice: Seconds on each slice: one for each label, those beside it.
        beside: Seconds on each slice besides.
        once: Seconds for each label of the image.
        least: Share of the minutes of annotating everything that it takes at least.
    """

    sets_right: float
    per_slice: float = 0.0
    beside: float = 0.0
    once: float = 0.0
    least: float = 0.0

    def minutes(self, whole: float, *, slices: int, labels: int) -> float:
        """Unlearned minutes of such marks on so many slices of a case of which annotating all takes `whole` minutes."""
        each = STATED.slice_viewed + self.beside + self.per_slice * labels
        return max((each * slices + self.once * labels) / 60, self.least * whole)


PRIORS: Mapping[QueryKind, MarkPrior] = {
    "scribbles": MarkPrior(0.6, per_slice=SCRIBBLE_SECONDS, beside=SCRIBBLE_SECONDS, least=0.62),
    "boxes": MarkPrior(0.3, per_slice=STATED.box, least=0.32),
    "tags": MarkPrior(1.0, once=TAG_SECONDS),
}
"""By kind. Of tags the share is `presence_errors`."""


def kind_of_marks(marks: Sequence[Mark]) -> QueryKind | None:
    """Which kind of query marks are the answer to: tags alone, strokes, or boxes without strokes; None for points and superpixels alone."""
    if all(isinstance(mark, Tag) for mark in marks):
        return "tags"
    if any(isinstance(mark, Scribble) for mark in marks):
        return "scribbles"
    return "boxes" if any(isinstance(mark, Box | ExtremePoints) for mark in marks) else None


def presence_errors(tx: Reader, model: Model | None) -> float:
    """Share of labels of evaluated cases that a model misses altogether, or finds where there are none; two imagined ones are right.

    So no tag is expected to say anything until a model was seen to be wrong about what is there at all.
    """
    if model is None:
        return 0.0
    judged = [one for split in EVALUATION_SPLITS for one in tx.current_evaluations(model_id=model.id, split=split)]
    scores = np.array([score for one in judged for labels in one.per_case.values() for score in labels.values()], dtype=np.float64)
    return float(np.count_nonzero(scores == 0) / (len(scores) + 2))
