"""The job that learns: freeze the answers, choose a recipe, train, keep the model.

Runs in a worker; torch is imported inside. A job killed at any moment continues from its checkpoint:
the snapshot it froze is named in its scratch folder, and training is exact to the bit from there.
"""

import dataclasses
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medloop.core.declaring import current_names
from medloop.core.labels import class_regions
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Json, Model, ProjectSettings, Snapshot, Task, new_id, now
from medloop.core.settings import learns_mark_weights, mark_weights
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.crowds import annotations_for_training
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.follow_up import request_evaluation_of, request_predictions_of
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import MIN_TRAINING_ANNOTATIONS, claim_rounds, mark_failed, mark_trained
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibration_words
from medloop.loop.judging.live_models import place_trained
from medloop.loop.learning.any_label import train_any_label
from medloop.loop.learning.begun import Begun, Learned, has_sides
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.going_on import NOUN as IMPORTANCE
from medloop.loop.learning.going_on import VERB as KEEP
from medloop.loop.learning.going_on import anchor_of, beginning_of, going_on, importances_after
from medloop.loop.learning.nnunet import learn_with_nnunet, usable_settings
from medloop.loop.learning.nothing_new import already_learned, case_names, digest_to_learn, learned_with, nothing_new
from medloop.loop.learning.training_set import make_training_set
from medloop.loop.learning.unlabelled import unlabelled_cases
from medloop.loop.learning.warm_start import annotations_to_learn, learned_facts
from medloop.models.foundation.plans import common_channels
from medloop.models.foundation.recipes import USUAL_WEAK, CaseShape, Recipe, choose_recipe, fingerprint
from medloop.store.writer import Writer

if TYPE_CHECKING:
    from medloop.models.training.guiding import Guide
    from medloop.models.training.train import TrainingProgress


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
    from medloop.models.training.train import TrainingRun, train_members

    workspace, control, plan, left_out = begun.workspace, begun.control, begun.plan, begun.left_out
    annotations, cases = begun.annotations, begun.cases
    usual = recipe_for(workspace, list(cases.values()), begun.snapshot, threads=control.threads)
    recipe, parent = going_on(workspace, control, usual, plan)
    recipe = Recipe.from_json(plan.decide("recipe", recipe.to_json))
    fitting = {case.id for case in computable(recipe, cases.values(), left_out)}
    fit = [answer for answer in annotations if answer.case_id in fitting]
    learned = annotations_to_learn(workspace, control, plan, parent=parent, answers=fit, cases=cases)
    taught = make_training_set(workspace, control, plan, answers=learned, cases=cases)
    crowd = taught.crowd
    recipe = dataclasses.replace(recipe, touched_weight=taught.drawn_weight, annotator_model=crowd.model, annotators=len(crowd.people))
    pool = unlabelled_cases(workspace, control, plan, recipe, learned=cases)
    held_out = begun.validation(lambda found: computable(recipe, found, left_out))
    validation = taught.held_out(held_out, workspace.task.mask_values)
    control.log(f"learning from {counted(len(taught.cases), 'case')}, validating on {len(validation)}: {_described(recipe)}")

    def report(progress: "TrainingProgress") -> bool:
        control.report(progress.step / max(1, progress.steps), progress.message)
        return True

    beginning, anchor = beginning_of(workspace, control, plan, recipe, parent), anchor_of(begun, recipe, parent)
    run = TrainingRun(recipe, taught.cases, validation, plan.folder, report, beginning.initial, _guide(recipe), pool, anchor)
    trained = train_members(run)
    metrics = {**trained.metrics, **learned_facts(workspace.settings.warm_start, parent, learned, annotations), **taught.facts}
    metrics |= beginning.facts
    metrics |= {"unlabelled_cases": len(pool)} if pool else {}
    _tell_overrun(control, recipe, float(trained.metrics["seconds"]))
    metrics["calibration"] = begun.calibrated(recipe, trained.weights, validation, taught.missing)
    more, facts = train_any_label(workspace, recipe, taught, plan.folder, report=report)
    kept = importances_after(begun, recipe, trained, taught, learned={a.case_id for a in learned}, parent=parent)
    return Learned(recipe.to_json(), (*trained.weights, *more), {**metrics, **facts}, kept)


def _finish(begun: Begun, learned: Learned) -> Json:
    """Keep the model and ask for what follows; the job's result."""
    workspace, control = begun.workspace, begun.control
    own = {name: getattr(workspace.settings, name) for name in ("samples", "aggregation", "uncertainty_source")}
    metrics = {**own, **learned.metrics, "learned_with": learned_with(workspace), "annotated_cases": len(begun.cases)}
    model, live = _keep(workspace, begun.snapshot, learned, metrics)
    request_evaluation_of(workspace, model)
    if live:
        request_predictions_of(workspace, model)
    shutil.rmtree(begun.plan.folder, ignore_errors=True)
    said = _said(workspace, model)
    control.log(said)
    control.log(calibration_words(model))
    return {"model_id": model.id, "model_index": model.index, "live": live, "note": said, **begun.left_out.result()}


def _as_begun(workspace: Workspace, plan: TrainingPlan) -> Workspace:
    """The project with the settings and labels that this training began with, so that a resumed one stays the same training."""
    found = plan.decide("project", lambda: {"settings": dataclasses.asdict(workspace.settings), "task_id": workspace.task.id})
    settings = ProjectSettings(**{**dataclasses.asdict(workspace.settings), **current_names(found["settings"])})
    settings = usable_settings(settings) if settings.learner == "nnunet" else settings
    task = workspace.store.get(Task, found["task_id"])
    return dataclasses.replace(workspace, project=dataclasses.replace(workspace.project, settings=settings), task=task)


def recipe_for(workspace: Workspace, cases: Sequence[Case], snapshot: Snapshot, *, threads: int) -> Recipe:
    """The recipe the project's settings and images call for.

    Raises:
        InputError: Cases with different numbers of channels, which one network cannot read.
    """
    settings = workspace.settings
    recipe = choose_recipe(
        fingerprint(_shapes(workspace, cases)),
        kind=workspace.task.kind,
        classes=workspace.task.classes,
        minutes=settings.train_minutes,
        threads=threads,
        seed=int(snapshot.digest[:7], 16) ^ settings.seed,
        members=settings.members,
    )
    if regions := class_regions(workspace.task.labels):
        recipe = dataclasses.replace(recipe, regions=regions)
    if has_sides(workspace):
        recipe = dataclasses.replace(recipe, flips=())
    guided = settings.interactive_network and workspace.task.kind == "segmentation"
    recipe = dataclasses.replace(
        recipe,
        rrr=settings.explanation_penalty,
        guided=guided,
        hints=settings.prompt_encoding if guided else "euclidean",
        targets=settings.targets,
        robust=settings.robust,
        weak_weights=USUAL_WEAK._replace(**mark_weights(settings.mark_weights)),
        weak_learned=learns_mark_weights(settings.mark_weights) and workspace.task.kind == "segmentation",
        unlabelled="none" if settings.unlabelled == "pseudo-labels" else settings.unlabelled,
        ewc=settings.ewc,
        distillation=settings.distillation,
    )
    return dataclasses.replace(recipe, steps=settings.train_steps) if settings.train_steps else recipe


def _shapes(workspace: Workspace, cases: Sequence[Case]) -> list[CaseShape]:
    """The pool, as which cases were asked must not decide the network; of a pool no one network can read, what the answers fit."""
    with workspace.store.read() as tx:
        pool = tx.find(Case, where={"split": "train"}) or cases
    dimension = 2 if all(c.grid.is_2d for c in pool) else 3
    if common_channels({c.channels for c in pool}, dimension=dimension) is None:
        answered = {c.channels for c in cases}
        pool = [c for c in pool if c.channels in answered] or cases
    return [CaseShape(shape=c.grid.shape, spacing_mm=c.grid.spacing_mm, channels=c.channels) for c in pool]


def _guide(recipe: Recipe) -> "Guide | None":
    """Who plays the user for a network that takes gestures."""
    if not recipe.guided:
        return None
    from medloop.interaction.interactive_network.rehearsal import Rehearsal

    return Rehearsal()


def freeze(tx: Writer, annotations: Sequence[Annotation], settings: ProjectSettings) -> Snapshot:
    """Name the exact answers; the digest is `digest_to_learn`."""
    names, digest = case_names(tx, annotations), digest_to_learn(tx, annotations, settings)
    ordered = sorted(annotations, key=lambda a: names[a.case_id])
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=tuple(a.id for a in ordered), digest=digest, created_at=now())
    tx.add(snapshot, verb="freeze")
    return snapshot


def _described(recipe: Recipe) -> str:
    patch = "×".join(str(n) for n in recipe.patch)
    budget = f"{recipe.steps} steps" if recipe.steps else f"{recipe.minutes:g} minutes"
    return f"{recipe.dimension}D network, patches of {patch}, batch {recipe.batch}, {budget}, {recipe.members} member(s)"


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
