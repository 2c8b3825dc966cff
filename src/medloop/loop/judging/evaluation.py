"""The job that judges a model on cases it never learned from: one point of the learning curve per split."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from medloop.core import records
from medloop.core.arrays import MaskArray
from medloop.core.labels import gathered
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Evaluation, Json, Label, Model, Split, new_id, now
from medloop.core.seeds import generator
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_mask, load_proposal
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.follow_up import (
    damaged_ids,
    digest_without,
    is_outdated,
    request_evaluation_of,
    request_query,
    request_unpredicted,
)
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Evaluate
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.leaning import leaning_words, leans_on_proposal
from medloop.loop.foundation.round_moves import advance, close_evaluated
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.case_scores import score_case
from medloop.loop.judging.drawn import drawn_estimates
from medloop.loop.judging.evaluation_cases import shown_interval, surface_words
from medloop.loop.judging.live_models import choose_live
from medloop.loop.judging.mask_figures import is_sized
from medloop.loop.judging.pool_predictions import predict_cases
from medloop.loop.judging.predicted_quality import qualify_again
from medloop.loop.judging.releasing import unjudged_candidate
from medloop.metrics.intervals import bootstrap_mean, interval_words
from medloop.metrics.surface import hd95_mm, surface_dice

ScoresByCase = dict[str, dict[str, float]]
Surfaces = dict[str, dict[str, list[float | None]]]
PredictCases = Callable[[Sequence[Case]], LeftOut]
"""Lets a model see cases; what cannot be read is in the answer."""


def run_evaluation(workspace: Workspace, control: JobControl) -> Json:
    """Judge one model on every split that has answers, and close the rounds that waited for it."""
    with workspace.store.read() as tx:
        model, live = tx.get(Model, Evaluate(**control.job.payload).model_id), tx.live_model()
    left_out = LeftOut(workspace, control.log)
    result = bring_up_to_date(workspace, model, control.log, _predicting(workspace, model, control), left_out)
    if live is not None and live.id != model.id:
        bring_up_to_date(
            workspace, live, control.log, _predicting(workspace, live, control), left_out
        )  # both are compared on the same annotations
    choice = choose_live(workspace, model, control.log)
    if choice is not None:
        control.log(choice.reason)
    if result and live is not None and live.id == model.id:
        _judge_waiting(workspace)
    if live is not None and workspace.settings.stream_risk > 0:
        request_query(workspace, live)  # arrivals may have waited for this evaluation, and the audit of the accepted goes on
    _tell_quality(workspace, control)
    request_unpredicted(workspace)  # a worker that was killed between its decision and this asks again
    close_evaluated(workspace, model.id)
    advance(workspace)
    drawn_estimates(workspace, most=None)  # last, whatever it meets: its comparisons of masks are kept, so that a page need not make them
    return {**result, **left_out.result()}


def _judge_waiting(workspace: Workspace) -> None:
    """Hold a candidate that waits for evaluation patients against the model in use: there are more of them now."""
    with workspace.store.read() as tx:
        waiting = unjudged_candidate(tx)
    if waiting is not None:
        request_evaluation_of(workspace, waiting)


def _tell_quality(workspace: Workspace, control: JobControl) -> None:
    """What the model in use predicted before its evaluation is told its quality, too."""
    with workspace.store.read() as tx:
        live = tx.live_model()
    if live is not None and (changed := qualify_again(workspace, live)):
        control.log(f"the expected quality of {counted(changed, 'prediction')} of model {live.index} follows its evaluation")


def _predicting(workspace: Workspace, model: Model, control: JobControl) -> PredictCases:
    return lambda cases: predict_cases(workspace, model, cases, control)


def bring_up_to_date(
    workspace: Workspace, model: Model, log: Callable[[str], None], predict: PredictCases, left_out: LeftOut
) -> dict[str, float]:
    """Judge a model on every split whose annotations it was not yet held against; the new means by split.

    An evaluation whose annotations have changed since is superseded, and one whose annotations are gone no longer counts. `predict` lets
    the model see the cases that it has not seen; `log` receives a line for each figure.
    """
    result: dict[str, float] = {}
    for split in EVALUATION_SPLITS:
        damaged = damaged_ids(workspace)
        with workspace.store.read() as tx:
            ids, due = tx.current_annotation_ids([split]), is_outdated(tx, model, split, damaged)
        if not due:
            continue
        evaluation = evaluate(workspace, model, split, predict, left_out)
        damaged = damaged_ids(workspace)  # also those that were found just now; once they are restored, the figure is made anew
        with workspace.store.write("worker") as tx:
            digest = digest_without(tx, ids, split, damaged)
            tx.add(_truth(model, split, evaluation, digest), verb="hold")
        if evaluation is not None:
            result[split] = evaluation.mean
            log(f"{split}: {evaluation.metric} {evaluation.mean:.3f} ({_interval(workspace, evaluation)})")
            if words := counted_classes(evaluation):
                log(f"{split}: {words}")
            if words := surface_words(evaluation):
                log(f"{split}: {words}")
            if evaluation.leaning:
                log(f"{split}: {leaning_words(len(evaluation.leaning), len(evaluation.per_case))}")
    return result


def counted_classes(evaluation: Evaluation) -> str:
    """In how many cases each label counts, where not every label counts in all; "" else."""
    found = Counter(name for scores in evaluation.per_case.values() for name in scores)
    if len(set(found.values())) < 2 and all(count == len(evaluation.per_case) for count in found.values()):
        return ""
    return "annotated cases by label: " + ", ".join(f"{name} {count} of {len(evaluation.per_case)}" for name, count in found.items())


def _interval(workspace: Workspace, evaluation: Evaluation) -> str:
    with workspace.store.read() as tx:
        return interval_words(shown_interval(tx, evaluation))


def _truth(model: Model, split: Split, evaluation: Evaluation | None, digest: str) -> records.EvaluationTruth:
    return records.EvaluationTruth(
        id=new_id("truth"),
        model_id=model.id,
        split=split,
        evaluation_id=evaluation.id if evaluation else None,
        digest=digest,
        created_at=now(),
    )


def evaluate(workspace: Workspace, model: Model, split: Split, predict: PredictCases, left_out: LeftOut) -> Evaluation | None:
    """Judge a model on one split; None when the split has no answers that can be read.

    The interval is over patients, since cases of one patient are not independent; few patients have none.
    """
    with workspace.store.read() as tx:
        answers = consensus_annotations(tx, split)
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        snapshot = tx.get(records.Snapshot, model.snapshot_id)
        learned = [tx.get(Annotation, i) for i in snapshot.annotation_ids]
        leaning = {a.case_id for a in answers if leans_on_proposal(tx, a)}
    sound = sound_annotations(answers, cases, left_out)
    if not sound:
        return None
    left_out.take(predict(sorted((cases[a.case_id] for a in sound), key=lambda c: c.name)))
    per_case = score_annotations(workspace, model, sound, cases, left_out)
    if not per_case:
        return None
    ordered = sorted(per_case, key=lambda i: cases[i].name)
    values = np.array([np.mean(list(per_case[i].values())) for i in ordered])
    patients = [cases[i].patient for i in ordered]
    interval = bootstrap_mean(values, patients, generator(workspace.settings.seed, "bootstrap", split, model.index))
    evaluation = Evaluation(
        id=new_id("evaluation"),
        model_id=model.id,
        split=split,
        metric="dice" if workspace.task.kind == "segmentation" else "accuracy",
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        labelled_cases=len({a.case_id for a in learned}),
        effort_minutes=sum(a.effort_seconds for a in learned) / 60.0,
        per_case=per_case,
        selected=split == "validation",
        created_at=now(),
        leaning=tuple(i for i in ordered if i in leaning),
        surfaces=_surfaces(workspace, model, sound, cases, per_case) if workspace.task.kind == "segmentation" else None,
    )
    with workspace.store.write("worker") as tx:
        tx.add(evaluation, verb="evaluate")
    return evaluation


def _surfaces(workspace: Workspace, model: Model, answers: Sequence[Annotation], cases: dict[str, Case], scored: ScoresByCase) -> Surfaces:
    """Case id → {label name: [surface Dice, HD95 in mm or None]} of the scored cases whose voxels have a known size."""
    blobs, found = workspace.store.blobs, Surfaces()
    values = {label.name: label.value for label in workspace.task.labels}
    with workspace.store.read() as tx:
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id, among=list(scored))}
    for answer in answers:
        case, names = cases[answer.case_id], scored.get(answer.case_id, {})
        if not names or not is_sized(case) or not answer.is_whole:
            continue
        truth, proposed = load_mask(blobs, answer, case).array, load_proposal(blobs, predictions[case.id], case)
        voxel = max(mm for mm, n in zip(case.grid.spacing_mm, case.grid.shape, strict=True) if n > 1 or case.grid.voxels == 1)
        found[case.id] = {name: _distances(workspace.task.labels, (proposed, truth), case, values[name], voxel) for name in names}
    return found


def _distances(
    labels: Sequence[Label], masks: tuple[MaskArray, MaskArray], case: Case, value: int, tolerance_mm: float
) -> list[float | None]:
    proposed, truth = (gathered(labels, mask, value) for mask in masks)
    return [
        surface_dice(proposed, truth, case.grid, value, tolerance_mm=tolerance_mm),
        _finite(hd95_mm(proposed, truth, case.grid, value)),
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def score_annotations(
    workspace: Workspace, model: Model, answers: list[Annotation], cases: dict[str, Case], left_out: LeftOut | None = None
) -> ScoresByCase:
    """Case id → {label name: Dice}, or {"correct": 0 or 1} for a classification.

    Labels that the annotation does not annotate, or the model has not learned, are left out, and cases where none is left.
    """
    scores: ScoresByCase = {}
    with workspace.store.read() as tx:
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id, among=[answer.case_id for answer in answers])}
        scope = annotated_labels(tx, workspace.task)
    learnt = set(labels_of_model(model, workspace.task))
    for answer in answers:
        if answer.case_id not in predictions:
            continue
        labels = [label for label in scope.of(answer) if label in learnt]
        with (left_out or LeftOut(workspace)).case(cases[answer.case_id]):
            scores[answer.case_id] = score_case(workspace, answer, cases[answer.case_id], predictions[answer.case_id], labels)
    return {case_id: found for case_id, found in scores.items() if found}
