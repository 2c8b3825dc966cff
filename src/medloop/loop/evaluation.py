"""The job that judges a model on cases it never learned from: one point of the learning curve per split."""

import numpy as np

from medloop.core.image import Mask
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Evaluation, Json, Model, Prediction, Snapshot, Split, new_id, now
from medloop.core.seeds import generator
from medloop.loop.arrays import load_answer, load_proposal
from medloop.loop.consensus import consensus_answers
from medloop.loop.control import JobControl
from medloop.loop.evaluated import shown_interval
from medloop.loop.proposals import predict_cases
from medloop.loop.rounds import close_evaluated
from medloop.loop.workspace import Workspace
from medloop.metrics.intervals import bootstrap_mean, interval_words
from medloop.metrics.overlap import dice

ScoresByCase = dict[str, dict[str, float]]


def run_evaluation(workspace: Workspace, control: JobControl) -> Json:
    """Judge one model on every split that has answers, and close the rounds that waited for it."""
    with workspace.store.read() as tx:
        model = tx.get(Model, str(control.job.payload["model_id"]))
        done = {e.split for e in tx.find(Evaluation, where={"model_id": model.id})}
    result: dict[str, float] = {}
    for split in EVALUATION_SPLITS:
        if split not in done and (evaluation := evaluate(workspace, model, split, control)) is not None:
            result[split] = evaluation.mean
            control.log(f"{split}: {evaluation.metric} {evaluation.mean:.3f} ({_interval(workspace, evaluation)})")
    close_evaluated(workspace, model.id)
    return result


def _interval(workspace: Workspace, evaluation: Evaluation) -> str:
    with workspace.store.read() as tx:
        return interval_words(shown_interval(tx, evaluation))


def evaluate(workspace: Workspace, model: Model, split: Split, control: JobControl) -> Evaluation | None:
    """Judge a model on one split; None when the split has no answers.

    The interval is over patients, since cases of one patient are not independent; few patients have none.
    """
    with workspace.store.read() as tx:
        answers = consensus_answers(tx, split)
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        snapshot = tx.get(Snapshot, model.snapshot_id)
        learned = [tx.get(Annotation, i) for i in snapshot.annotation_ids]
    if not answers:
        return None
    predict_cases(workspace, model, sorted(cases.values(), key=lambda c: c.name), control)
    per_case = score_answers(workspace, model, answers, cases)
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
    )
    with workspace.store.write("worker") as tx:
        tx.add(evaluation, verb="evaluate")
    return evaluation


def score_answers(workspace: Workspace, model: Model, answers: list[Annotation], cases: dict[str, Case]) -> ScoresByCase:
    """Case id → {label name: Dice}, or {"correct": 0 or 1} for a classification."""
    scores: ScoresByCase = {}
    with workspace.store.read() as tx:
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)}
    for answer in answers:
        if answer.case_id in predictions:
            scores[answer.case_id] = _score(workspace, answer, cases[answer.case_id], predictions[answer.case_id])
    return scores


def _score(workspace: Workspace, answer: Annotation, case: Case, prediction: Prediction) -> dict[str, float]:
    truth = load_answer(workspace.store.blobs, answer, case)
    if not isinstance(truth, Mask):
        return {"correct": float(int(np.argmax(prediction.probabilities)) == truth)}
    proposed = load_proposal(workspace.store.blobs, prediction, case)
    by_value = dice(proposed, truth.array, workspace.task.label_values)
    return {label.name: float(by_value[label.value]) for label in workspace.task.labels}
