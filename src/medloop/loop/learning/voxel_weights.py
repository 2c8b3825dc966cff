"""How much a voxel counts in a training: one of a person's own making against one that was accepted, or filled in between slices.

Slices filled in between drawn ones are good guesses, the drawn ones are knowledge: with the drawn ones counting `DRAWN_WEIGHT`
times as much, a simulated expert reaches the same model in less time (benchmarks/results/expert_minutes.md). What else is
merely accepted counts less only where the setting `correction_weight` asks for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import BoolArray
from medloop.core.records import Annotation, Case
from medloop.loop.annotating.corrections import touched_of
from medloop.loop.annotating.open_edit import NOT_DRAWN
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.recipes import MOST_MARKED_CLASSES

DRAWN_WEIGHT = 4.0


@dataclass(frozen=True)
class Weighing:
    """What counts how much in one training.

    Attributes:
        weight: Of a voxel of a person's own making; 1 makes no difference.
        by_setting: Whether the project asks for it; then what was accepted as proposed counts less, too.
        filled: Ids of the answers of which slices were filled in between others.
    """

    weight: float
    by_setting: bool
    filled: frozenset[str]

    def own(self, workspace: Workspace, answers: Sequence[Annotation], case: Case) -> Callable[[], BoolArray] | None:
        """Gives the voxels of a case that weigh more, shape (I, J, K); None where all count alike."""
        if self.weight == 1:
            return None
        if self.by_setting or any(answer.id in self.filled for answer in answers):
            return lambda: touched_of(workspace, answers, case)
        return lambda: np.ones(case.grid.shape, dtype=np.bool_)


def weighing_of(workspace: Workspace, answers: Sequence[Annotation]) -> Weighing:
    """How the voxels of these answers count."""
    if workspace.task.kind != "segmentation":
        return Weighing(1.0, by_setting=False, filled=frozenset())
    with workspace.store.read() as tx:
        assignments = tx.assignments_patched(NOT_DRAWN)
    filled = frozenset(answer.id for answer in answers if answer.assignment_id in assignments)
    asked = workspace.settings.correction_weight
    if asked > 1 or not filled or workspace.task.classes > MOST_MARKED_CLASSES:
        return Weighing(asked, by_setting=asked > 1, filled=filled)
    return Weighing(DRAWN_WEIGHT, by_setting=False, filled=filled)
