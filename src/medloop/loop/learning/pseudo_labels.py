"""Pseudo-labels of a training run: confident predictions of unanswered training cases.

They are no annotations: nothing here is stored as an answer, so consensus, evaluation, export and every count of answers
stay as people made them. A training notes which predictions it used, goes on with the same ones when resumed, and
keeps their number in the model's metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import Case, Json, Prediction, Round, Task
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.disposed import accepted_cases
from medloop.loop.foundation.label_versions import has_every_output, knows_every_label
from medloop.loop.foundation.workspace import Workspace
from medloop.query.budget.pseudo import Threshold, confident_cases, pseudo_weights, threshold_at
from medloop.store.reader import Reader


@dataclass(frozen=True)
class PseudoAnnotation:
    """A prediction that a training takes for an answer; it weighs above 0 and at most 1 beside a person's."""

    case_id: str
    prediction_id: str
    weight: float
    origin: Literal["pseudo"] = "pseudo"

    def to_json(self) -> Json:
        """For the training's note and the model's metrics."""
        return {"case_id": self.case_id, "prediction_id": self.prediction_id, "weight": self.weight, "origin": self.origin}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PseudoAnnotation":
        """Inverse of `to_json`."""
        return cls(str(value["case_id"]), str(value["prediction_id"]), float(value["weight"]))


def pseudo_annotations(workspace: Workspace, *, answers: int, threshold: Threshold | None = None) -> list[PseudoAnnotation]:
    """The newest model's confident predictions, surest first, never more than there are answers; none without a model or the setting.

    Only unanswered cases of the training split; what a case lacks that is annotated for some labels is not filled in. A mask without any
    foreground is left out, however sure: a structure that is missed altogether looks just as sure. So is a case of which somebody has
    rejected a proposal, whatever a later model makes of it, until it is annotated.
    """
    if workspace.settings.unlabelled != "pseudo-labels":
        return []
    with workspace.store.read() as tx:
        predictions = _believable(tx, workspace.task)
        rounds = max(1, tx.count(Round))
    if not predictions:
        return []
    entropy = np.array([max(0.0, float(p.scores["entropy"])) for p in predictions])
    classes, limit = workspace.task.classes, threshold_at(threshold or Threshold(), rounds)
    weights = pseudo_weights(entropy, classes=classes, limit=limit)
    chosen = confident_cases(entropy, classes=classes, limit=limit, at_most=answers)
    return [PseudoAnnotation(predictions[n].case_id, predictions[n].id, float(weights[n])) for n in chosen]


def load_pseudo(workspace: Workspace, pseudo: PseudoAnnotation) -> tuple[Case, Mask | int]:
    """The case and the predicted mask on its grid, or the value of the predicted label."""
    with workspace.store.read() as tx:
        case, prediction = tx.get(Case, pseudo.case_id), tx.get(Prediction, pseudo.prediction_id)
    if prediction.mask is None:
        return case, workspace.task.label_values[int(np.argmax(prediction.probabilities))]
    return case, Mask(load_proposal(workspace.store.blobs, prediction, case), case.grid)


def _believable(tx: Reader, task: Task) -> list[Prediction]:
    """Predictions of the live model for unanswered training cases, by case name.

    None of one that lacks a label of the task, or what labels share that overlap by now.
    """
    model = tx.live_model()
    if model is None or not knows_every_label(model, task) or not has_every_output(model, task):
        return []
    rejected = {one.case_id for one in tx.rejections(splits=["train"])} | accepted_cases(tx)
    names = {c.id: c.name for c in tx.unlabelled_cases(["train"], exclude_open=False) if c.id not in rejected}
    found = [p for p in tx.latest_predictions(model.id) if p.case_id in names and "entropy" in p.scores]
    holding = [p for p in found if p.mask is None or float(p.scores.get("foreground", 0.0)) > 0]
    return sorted(holding, key=lambda p: names[p.case_id])
