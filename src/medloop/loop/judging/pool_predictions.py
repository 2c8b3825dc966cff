"""The jobs that let a model see many cases: in this process one by one, or by the workers of the project's executor in shards."""

from collections.abc import Sequence

from medloop.core.names import folded
from medloop.core.records import Case, Json, Model, Query, Round
from medloop.loop.foundation.annotated_labels import lacking_cases
from medloop.loop.foundation.computable import computable, fitting, misfit
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Choose, Predict, request_job
from medloop.loop.foundation.shards import FEW, Seen, Shared, case_tasks, each_case
from medloop.loop.foundation.trials import TRIED_SPLIT, Trial, current_trial
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import (
    Predicted,
    keep_predictions,
    kept_predictor,
    load_predictor,
    look_at,
    predict_case,
    quality_rule,
)
from medloop.models.foundation.nnunet_recipe import recipe_of
from medloop.quality.expected import QualityRule
from medloop.store.reader import Reader

ALIKE = 50
"""Answered cases that every model looks at too, so that like cases can be shown beside an explanation."""


def run_prediction(workspace: Workspace, control: JobControl) -> Json:
    """Predict the next choices ("upcoming") or every unanswered training case ("pool") with one model, or a candidate's share ("trial").

    Cases already predicted by this model are left out, so that a killed job goes on where it was. After
    the pool, the next round's query is prepared.
    """
    asked = Predict(**control.job.payload)
    with workspace.store.read() as tx:
        model, live = tx.get(Model, asked.model_id), tx.live_model()
        trial = current_trial(tx) if asked.scope == "trial" else None
        if live is not None and live.id != model.id and (trial is None or trial.model_id != model.id):
            return {"message": f"model {live.index} is in use, nothing to do"}
        cases = _tried(tx, trial) if trial else _upcoming(tx) if asked.scope == "upcoming" else _pool(workspace, tx)
        done = {p.case_id for p in tx.latest_predictions(model.id)}
    lacking = [c for c in cases if c.id not in done]
    left_out = predict_cases(workspace, model, lacking, control)
    if asked.scope == "pool":
        request_job(workspace, Choose(), f"query-{model.id}")
    recipe = recipe_of(model)
    missed = len(left_out.cases) + sum(bool(misfit(recipe, case)) for case in lacking)
    return {"predicted": len(cases) - missed, "new": len(lacking) - missed, **left_out.result()}


def predict_cases(workspace: Workspace, model: Model, cases: Sequence[Case], control: JobControl) -> LeftOut:
    """Predict cases one by one, each committed by itself; returns those whose image cannot be read or computed on.

    Cases of other channels or slices than the networks read are left out with one line in the log.
    """
    left_out, recipe = LeftOut(workspace, control.log), recipe_of(model)
    cases = computable(recipe, fitting(recipe, cases, control.log), left_out)
    if not cases:
        return left_out
    too_large = len(left_out.cases)
    if workspace.executor.is_here or len(cases) <= FEW:
        _predict_here(workspace, model, cases, control, left_out)
    else:
        _predict_elsewhere(workspace, model, cases, control, left_out)
    control.log(f"model {model.index} predicted {len(cases) + too_large - len(left_out.cases)} cases")
    return left_out


def _predict_here(workspace: Workspace, model: Model, cases: Sequence[Case], control: JobControl, left_out: LeftOut) -> None:
    predictor, quality = load_predictor(workspace.store.blobs, model), quality_rule(workspace, model)
    for done, case in enumerate(cases):
        control.report(done / len(cases), f"predicting {case.name} ({done + 1} of {len(cases)})")
        with left_out.case(case):
            predict_case(workspace, model, predictor, case, quality=quality)


def _predict_elsewhere(workspace: Workspace, model: Model, cases: Sequence[Case], control: JobControl, left_out: LeftOut) -> None:
    """By the workers of the project's executor; the rows are written here, a few cases in one transaction."""
    where, by_id, done = workspace.executor.words, {case.id: case for case in cases}, 0

    def report() -> None:
        control.report(done / len(cases), f"predicting {where} ({done} of {len(cases)})")

    report()
    tasks = case_tasks(cases, predict_shard, Shared.of(workspace), model, quality_rule(workspace, model))
    for found in workspace.executor.run(tasks, check=report):
        for seen in found.result:
            if seen.error is not None:
                left_out.note(by_id[seen.case_id], seen.error)
        keep_predictions(workspace, [seen.value for seen in found.result if seen.value])
        done += len(found.result)


def predict_shard(shared: Shared, model: Model, quality: QualityRule, case_ids: Sequence[str]) -> "list[Seen[Predicted]]":
    """What a worker does: predict a few cases. Only blobs are stored."""
    workspace = shared.open()
    predictor = kept_predictor(workspace.store.blobs, model)
    return each_case(workspace, case_ids, lambda case: look_at(workspace, model, predictor, case, quality))


def _upcoming(tx: Reader) -> list[Case]:
    rounds = tx.find(Round, where={"state": ["annotating", "querying"]}, order=("index",))
    asked = [c.case_id for r in rounds if r.query_id for c in tx.get(Query, r.query_id).choices]
    answered = {a.case_id for a in tx.current_annotations(case_ids=asked)} if asked else set()
    return [tx.get(Case, i) for i in asked if i not in answered]


def _tried(tx: Reader, trial: Trial) -> list[Case]:
    """The unanswered cases that open with a candidate's proposals, those of the rounds at work first."""
    cases = [*_upcoming(tx), *sorted(tx.unlabelled_cases([TRIED_SPLIT], exclude_open=False), key=lambda case: case.name)]
    return list({case.id: case for case in cases if case.split == TRIED_SPLIT and trial.takes(case.id)}.values())


def _pool(workspace: Workspace, tx: Reader) -> list[Case]:
    """Unanswered cases by name, and answered training cases: all with a strategy that compares with them, else the newest `ALIKE`.

    Cases that lack the label which the project queries for are among them.
    """
    from medloop.query.pool import COMPARING
    from medloop.query.strategies import needs_of

    cases = {c.id: c for c in tx.unlabelled_cases(["train", "audit"], exclude_open=False)}
    answers = sorted(tx.current_annotations(splits=["train"]), key=lambda a: a.created_at)
    compared = answers if needs_of(workspace.settings.strategy) & COMPARING else answers[-ALIKE:]
    cases |= {a.case_id: tx.get(Case, a.case_id) for a in compared}
    cases |= {c.id: c for c in tx.find(Case, where={"id": sorted(_lacking(workspace, tx))})}
    return sorted(cases.values(), key=lambda c: c.name)


def _lacking(workspace: Workspace, tx: Reader) -> set[str]:
    """Ids of the training and audit cases that lack the label which the project queries for."""
    wanted = workspace.settings.query_label
    found = lacking_cases(tx, workspace.task) if wanted else {}
    return {case_id for case_id, labels in found.items() if folded(wanted) in {folded(label.name) for label in labels}}
