"""The job that learns: freeze the answers, choose a recipe, train, keep the model.

Runs in a worker; torch is imported inside. A job killed at any moment continues from its checkpoint:
the snapshot it froze is named in its scratch folder, and training is exact to the bit from there.
"""

import dataclasses
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medloop.core.declaring import current_names
from medloop.core.records import Annotation, Case, Json, Model, ProjectSettings, Snapshot, Task, new_id, now
from medloop.loop.foundation.crowds import annotations_for_training
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.follow_up import request_evaluation_of, request_predictions_of
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import MIN_TRAINING_ANNOTATIONS, claim_rounds, mark_failed, mark_trained
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibration_words
from medloop.loop.judging.live_models import place_trained
from medloop.loop.learning.any_label import train_any_label
from medloop.loop.learning.begun import Begun, Learned
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.going_on import NOUN as IMPORTANCE
from medloop.loop.learning.going_on import VERB as KEEP
from medloop.loop.learning.going_on import importances_after
from medloop.loop.learning.members import train_all
from medloop.loop.learning.nnunet import learn_with_nnunet, usable_settings
from medloop.loop.learning.nothing_new import already_learned, case_names, digest_to_learn, learned_with, nothing_new
from medloop.loop.learning.prepared import prepare
from medloop.loop.learning.warm_start import learned_facts
from medloop.models.foundation.recipes import Recipe
from medloop.store.writer import Writer

if TYPE_CHECKING:
    pass


def run_training(workspace: Workspace, control: JobControl) -> Json:
    """Train on all current answers and enqueue what follows (predict, evaluate, ask); the job's result."""
    folder = workspace.work_folder / control.job.id
    folder.mkdir(parents=True, exist_ok=True)
    plan = TrainingPlan(folder)
    workspace = _as_begun(workspace, plan)
    left_out = LeftOut(workspace, control.log)
    unsound = _unsound(workspace, plan, left_out)
    if (known := already_learned(workspace, control, plan, unsound=unsound)) is not None:
        return {**nothing_new(workspace, control, known), **left_out.result()}
    snapshot = _frozen(workspace, plan, unsound)
    if snapshot is None:
        message = f"training needs at least {MIN_TRAINING_ANNOTATIONS} annotated training cases, of more than one class in a classification"
        mark_failed(workspace, message)
        return {"message": message, **left_out.result()}
    begun = Begun(workspace, control, plan, left_out, snapshot)
    learned = learn_with_nnunet(begun) if workspace.settings.learner == "nnunet" else _learn(begun)
    return _finish(begun, learned)


def _learn(begun: Begun) -> Learned:
    """By medloop's own networks."""
    workspace, control = begun.workspace, begun.control
    made = prepare(begun)
    trained = train_all(begun, made)
    recipe, taught, parent = made.run.recipe, made.taught, made.parent
    metrics = {**trained.metrics, **learned_facts(workspace.settings.warm_start, parent, made.learned, begun.annotations), **taught.facts}
    metrics |= made.beginning.facts
    metrics |= {"unlabelled_cases": len(made.run.unlabelled)} if made.run.unlabelled else {}
    metrics |= {"annotated_cases": made.fitting, "unfit": made.unfit[0]} if made.unfit else {}
    _tell_overrun(control, recipe, float(trained.metrics["seconds"]))
    metrics["calibration"] = begun.calibrated(recipe, trained.weights, made.run.validation, taught.missing)
    more, facts = train_any_label(workspace, recipe, taught, begun.plan.folder, report=made.run.report)
    kept = importances_after(begun, recipe, trained, taught, learned={a.case_id for a in made.learned}, parent=parent)
    return Learned(recipe.to_json(), (*trained.weights, *more), {**metrics, **facts}, kept)


def _finish(begun: Begun, learned: Learned) -> Json:
    """Keep the model and ask for what follows; the job's result."""
    workspace, control = begun.workspace, begun.control
    own = {name: getattr(workspace.settings, name) for name in ("samples", "aggregation", "uncertainty_source")}
    metrics = {**own, "annotated_cases": len(begun.cases), **learned.metrics, "learned_with": learned_with(workspace)}
    model, live = _keep(workspace, begun.snapshot, learned, metrics)
    request_evaluation_of(workspace, model)
    if live:
        request_predictions_of(workspace, model)
    shutil.rmtree(begun.plan.folder, ignore_errors=True)
    said = _said(workspace, model)
    control.log(said)
    control.log(calibration_words(model))
    unfit = {"unfit": metrics["unfit"]} if "unfit" in metrics else {}
    return {"model_id": model.id, "model_index": model.index, "live": live, "note": said, **unfit, **begun.left_out.result()}


def _as_begun(workspace: Workspace, plan: TrainingPlan) -> Workspace:
    """The project with the settings and labels that this training began with, so that a resumed one stays the same training."""
    found = plan.decide("project", lambda: {"settings": dataclasses.asdict(workspace.settings), "task_id": workspace.task.id})
    settings = ProjectSettings(**{**dataclasses.asdict(workspace.settings), **current_names(found["settings"])})
    settings = usable_settings(settings) if settings.learner == "nnunet" else settings
    task = workspace.store.get(Task, found["task_id"])
    return dataclasses.replace(workspace, project=dataclasses.replace(workspace.project, settings=settings), task=task)


def freeze(tx: Writer, annotations: Sequence[Annotation], settings: ProjectSettings) -> Snapshot:
    """Name the exact answers; the digest is `digest_to_learn`."""
    names, digest = case_names(tx, annotations), digest_to_learn(tx, annotations, settings)
    ordered = sorted(annotations, key=lambda a: names[a.case_id])
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=tuple(a.id for a in ordered), digest=digest, created_at=now())
    tx.add(snapshot, verb="freeze")
    return snapshot


def _unsound(workspace: Workspace, plan: TrainingPlan, left_out: LeftOut) -> frozenset[str]:
    """Ids of annotations that cannot be learned because bytes are damaged; a training begun with one of them begins anew."""
    begun = _frozen_before(workspace, plan)
    with workspace.store.read() as tx:
        answers = [tx.get(Annotation, i) for i in begun.annotation_ids] if begun else annotations_for_training(workspace, tx)
        cases = {c.id: c for c in tx.find(Case, where={"id": sorted({a.case_id for a in answers})})}
    sound = {a.id for a in sound_annotations(answers, cases, left_out)}
    unsound = frozenset(a.id for a in answers if a.id not in sound)
    if begun is None or not unsound:
        return unsound
    plan.begin_anew()
    return _unsound(workspace, plan, left_out)


def _frozen_before(workspace: Workspace, plan: TrainingPlan) -> Snapshot | None:
    """The snapshot this job froze when it was started before."""
    if (begun := plan.decided("snapshot")) is None:
        return None
    return workspace.store.get(Snapshot, begun["snapshot_id"])


def _frozen(workspace: Workspace, plan: TrainingPlan, unsound: frozenset[str]) -> Snapshot | None:
    """This job's snapshot: the one it froze when it was started before, else a new one."""
    if (begun := _frozen_before(workspace, plan)) is not None:
        return begun
    with workspace.store.write("worker") as tx:
        answers = [a for a in annotations_for_training(workspace, tx) if a.id not in unsound]
        if len({a.case_id for a in answers}) < MIN_TRAINING_ANNOTATIONS:
            return None
        if workspace.task.kind == "classification" and len({a.tag for a in answers}) < 2:
            return None
        snapshot = freeze(tx, answers, workspace.settings)
        claim_rounds(tx, snapshot)
    plan.decide("snapshot", lambda: {"snapshot_id": snapshot.id})
    return snapshot


def _tell_overrun(control: JobControl, recipe: Recipe, seconds: float) -> None:
    """A time budget is aimed at, not kept: a network gets its fewest steps however long they take."""
    if not recipe.steps and seconds > recipe.minutes * 60:
        control.log(f"the steps took {seconds / 60:.1f} minutes of {recipe.minutes:g} aimed at; the fewest steps are made in any case")


def _keep(workspace: Workspace, snapshot: Snapshot, learned: Learned, metrics: Json) -> tuple[Model, bool]:
    """Store the model and say in the same transaction whether it is in use now."""
    blobs = tuple(workspace.store.blobs.put(path.read_bytes()) for path in learned.weights)
    with workspace.store.write("worker") as tx:
        again = tx.find(Model, where={"snapshot_id": snapshot.id}, limit=1)
        before = tx.live_model()
        if again:
            return again[0], before == again[0]
        model = Model(
            id=new_id("model"),
            index=tx.count(Model) + 1,
            recipe=learned.recipe,
            snapshot_id=snapshot.id,
            weights=blobs,
            metrics=metrics,
            created_at=now(),
        )
        tx.add(model, verb="train")
        if learned.importances:
            tx.record(KEEP, IMPORTANCE, model.id, learned.importances.to_json())
        mark_trained(tx, model)
        return model, place_trained(tx, model, before)


def _said(workspace: Workspace, model: Model) -> str:
    with workspace.store.read() as tx:
        choice = tx.live_choice()
    return f"model {model.index} is ready{f': {choice.reason}' if choice else ''}"
