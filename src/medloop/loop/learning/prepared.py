"""A training of medloop's own networks, made ready: its recipe and cases, from the decisions of its plan.

Whoever prepares it again, in this process or another one, gets the same training.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medloop.core.labels import class_regions
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Model, Snapshot
from medloop.core.settings import learns_mark_weights, mark_weights
from medloop.loop.foundation.computable import computable, fitting
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.beginning import Beginning
from medloop.loop.learning.begun import Begun, has_sides
from medloop.loop.learning.going_on import anchor_of, beginning_of, going_on
from medloop.loop.learning.training_set import TrainingSet, make_training_set
from medloop.loop.learning.unlabelled import unlabelled_cases
from medloop.loop.learning.warm_start import annotations_to_learn
from medloop.models.foundation.plans import common_channels
from medloop.models.foundation.recipes import USUAL_WEAK, CaseShape, Recipe, choose_recipe, fingerprint

if TYPE_CHECKING:
    from medloop.models.training.guiding import Guide
    from medloop.models.training.train import TrainingProgress, TrainingRun


@dataclass(frozen=True)
class Prepared:
    """A training that can begin, or go on.

    Attributes:
        run: What is trained.
        taught: What it learns from.
        learned: Annotations among that.
        parent: The model that it goes on from.
        beginning: The weights that it begins with.
        unfit: A line on cases that were left out, as its network cannot read them with the others; none where all fit.
        fitting: Annotated cases that it can read.
    """

    run: "TrainingRun"
    taught: TrainingSet
    learned: Sequence[Annotation]
    parent: Model | None
    beginning: Beginning
    unfit: Sequence[str]
    fitting: int


def prepare(begun: Begun) -> Prepared:
    """Decide, or take as decided, what a training learns and how."""
    from medloop.models.training.train import TrainingRun

    workspace, control, plan, left_out = begun.workspace, begun.control, begun.plan, begun.left_out
    annotations, cases = begun.annotations, begun.cases
    usual = recipe_for(workspace, list(cases.values()), begun.snapshot, threads=control.threads)
    recipe, parent = going_on(workspace, control, usual, plan)
    recipe = Recipe.from_json(plan.decide("recipe", recipe.to_json))
    unfit = list[str]()
    readable = {case.id for case in computable(recipe, fitting(recipe, cases.values(), unfit.append, what="training"), left_out)}
    for line in unfit:
        control.log(line)
    fit = [answer for answer in annotations if answer.case_id in readable]
    learned = annotations_to_learn(workspace, control, plan, parent=parent, answers=fit, cases=cases)
    taught = make_training_set(workspace, control, plan, answers=learned, cases=cases)
    crowd = taught.crowd
    recipe = dataclasses.replace(recipe, touched_weight=taught.drawn_weight, annotator_model=crowd.model, annotators=len(crowd.people))
    pool = unlabelled_cases(workspace, control, plan, recipe, learned=cases)
    held_out = begun.validation(lambda found: computable(recipe, fitting(recipe, found, control.log, what="validation"), left_out))
    validation = taught.held_out(held_out, workspace.task.mask_values)
    control.log(f"learning from {counted(len(taught.cases), 'case')}, validating on {len(validation)}: {_described(recipe)}")

    def report(progress: "TrainingProgress") -> bool:
        control.report(progress.step / max(1, progress.steps), progress.message)
        return True

    beginning, anchor = beginning_of(workspace, control, plan, recipe, parent), anchor_of(begun, recipe, parent)
    run = TrainingRun(recipe, taught.cases, validation, plan.folder, report, beginning.initial, _guide(recipe), pool, anchor)
    return Prepared(run, taught, learned, parent, beginning, unfit, len(readable))


def recipe_for(workspace: Workspace, cases: Sequence[Case], snapshot: Snapshot, *, threads: int) -> Recipe:
    """The recipe the project's settings and images call for; cases that one network cannot read with the others are left out later."""
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
    """The pool, as which cases were asked must not decide the network; of a pool no one network can read, what the answers fit.

    Where no one network reads the answers either, those of the number of channels that most of them have.
    """
    with workspace.store.read() as tx:
        pool = tx.find(Case, where={"split": "train"}) or cases
    dimension = 2 if all(c.grid.is_2d for c in pool) else 3
    if common_channels({c.channels for c in pool}, dimension=dimension) is None:
        answered = {c.channels for c in cases}
        pool = [c for c in pool if c.channels in answered] or cases
        if common_channels(answered, dimension=2 if all(c.grid.is_2d for c in pool) else 3) is None:
            most = max(Counter(c.channels for c in cases).items(), key=lambda one: (one[1], one[0]))[0]
            pool = [c for c in pool if c.channels == most]
    return [CaseShape(shape=c.grid.shape, spacing_mm=c.grid.spacing_mm, channels=c.channels) for c in pool]


def _guide(recipe: Recipe) -> "Guide | None":
    """Who plays the user for a network that takes gestures."""
    if not recipe.guided:
        return None
    from medloop.interaction.interactive_network.rehearsal import Rehearsal

    return Rehearsal()


def _described(recipe: Recipe) -> str:
    patch = "×".join(str(n) for n in recipe.patch)
    budget = f"{recipe.steps} steps" if recipe.steps else f"{recipe.minutes:g} minutes"
    return f"{recipe.dimension}D network, patches of {patch}, batch {recipe.batch}, {budget}, {recipe.members} member(s)"
