"""How good one prediction is against one annotation, by label."""

from collections.abc import Sequence

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Annotation, Case, Label, Prediction
from medloop.loop.foundation.arrays import load_annotation, load_proposal
from medloop.loop.foundation.nested import region_dice
from medloop.loop.foundation.workspace import Workspace


def score_case(workspace: Workspace, truth: Annotation, case: Case, prediction: Prediction, labels: Sequence[Label]) -> dict[str, float]:
    """Label name → Dice, or {"correct": 0 or 1} for a classification.

    Raises:
        BlobError: The annotation or the prediction cannot be read.
    """
    given = load_annotation(workspace.store.blobs, truth, case)
    if not isinstance(given, Mask):
        return {"correct": float(int(np.argmax(prediction.probabilities)) == given)}
    proposed = load_proposal(workspace.store.blobs, prediction, case)
    by_value = region_dice(proposed, given.array, workspace.task.labels, [label.value for label in labels])
    return {label.name: float(by_value[label.value]) for label in labels}
