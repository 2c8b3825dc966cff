"""What is known of a model's quality follows its evaluation: predictions made before it are told their quality, too.

The first model sees the next choices before it is evaluated, and evaluation cases are annotated long after the pool was
predicted. A prediction is not made again for that: the same masks and scores supersede themselves, with the quality that
their signs speak of. It follows every evaluation after that; where evaluated patients no longer tell any, the quality is taken back.
"""

from collections.abc import Sequence
from dataclasses import replace

from medloop.core.records import Model, Prediction, new_id, now
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import quality_rule
from medloop.loop.judging.quality_signs import signs_of_prediction

AT_ONCE = 200
"""Predictions that are superseded in one transaction, so that nobody waits for long."""


SAME = 1e-6
"""Qualities closer than this are one: the last bits of a fit differ between processes."""


def qualify_again(workspace: Workspace, model: Model) -> int:
    """Let the predicted quality of the pool follow this model's evaluations, or take it back; returns how many changed.

    Cases that somebody has open are left alone: what their draft began with stays the newest prediction.
    """
    rule = quality_rule(workspace, model)
    with workspace.store.read() as tx:
        pool = {case.id for case in tx.unlabelled_cases(["train", "audit"])}
        predictions = [p for p in tx.latest_predictions(model.id) if p.case_id in pool]
    changed = []
    for prediction in predictions:
        found = rule(signs_of_prediction(prediction)) if rule.predictors else None
        known = (found.expected, found.low, found.high) if found else (None, None, None)
        if any(_differ(a, b) for a, b in zip(known, (prediction.quality, prediction.quality_low, prediction.quality_high), strict=True)):
            told = replace(prediction, quality=known[0], quality_low=known[1], quality_high=known[2])
            changed.append(replace(told, id=new_id("prediction"), created_at=now()))
    _store(workspace, changed)
    return len(changed)


def _differ(first: float | None, second: float | None) -> bool:
    return first != second if first is None or second is None else abs(first - second) > SAME


def _store(workspace: Workspace, predictions: Sequence[Prediction]) -> None:
    for start in range(0, len(predictions), AT_ONCE):
        with workspace.store.write("worker") as tx:
            for prediction in predictions[start : start + AT_ONCE]:
                tx.add(prediction, verb="predict")
