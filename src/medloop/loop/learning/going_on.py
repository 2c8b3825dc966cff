"""A training that goes on from the model in use: from which one, with what weights, and what of it is kept.

Where the task has more labels than that model, its network grows. What it knows is held by the terms of `models.training.anchor`; the
importances of its weights are blobs that an event of the audit names, so that the next training needs the images no more.
"""

import dataclasses
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from medloop.core.errors import BlobError
from medloop.core.records import Annotation, Case, Model
from medloop.core.seeds import derive_seed
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.learned import learned_annotations, learned_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import weights_of
from medloop.loop.learning.beginning import Beginning, begin
from medloop.loop.learning.begun import Begun, Importances
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.training_set import TrainingSet, training_case
from medloop.models.foundation.nnunet_recipe import NnunetRecipe, recipe_of
from medloop.models.foundation.recipes import Recipe
from medloop.store.reader import Reader

if TYPE_CHECKING:
    from medloop.models.training.anchor import Anchor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import Trained

OF_THE_PROJECT = (
    "steps", "minutes", "threads", "seed", "rrr", "annotator_model", "annotators", "targets", "unlabelled", "robust", "weak_weights",
    "weak_learned", "regions", "classes", "ewc", "distillation",
)  # fmt: skip
"""Fields of a recipe that follow from the project as it is now, also where a training goes on from an earlier model."""

NOUN, VERB = "importance", "keep"
MOST_CASES = 100
"""Cases that importances are worked out from: as many as patches are shown."""


def going_on(workspace: Workspace, control: JobControl, recipe: Recipe, plan: TrainingPlan) -> tuple[Recipe, Model | None]:
    """Unless it starts from scratch, the model to go on from, and its recipe with this training's budget and seed.

    A resumed job goes on from the same model. One whose networks read or say something else is no beginning, which the log says.
    """

    def decide() -> str | None:
        with workspace.store.read() as tx:
            newest = tx.live_model() if workspace.settings.warm_start != "scratch" else None
        return newest.id if newest else None

    chosen = plan.decide("parent", lambda: {"model_id": decide()})["model_id"]
    alone = dataclasses.replace(recipe, ewc=0.0, distillation=0.0)
    if chosen is None:
        return alone, None
    parent = workspace.store.get(Model, chosen)
    before = recipe_of(parent)
    if isinstance(before, NnunetRecipe) or (reason := _other(before, recipe)):
        why = "nnU-Net trained it" if isinstance(before, NnunetRecipe) else reason
        control.log(f"begins from scratch, not from model {parent.index}: {why}")
        return alone, None
    if before.classes < recipe.classes:
        control.log(f"goes on from model {parent.index}, whose network grows from {before.classes} to {recipe.classes} classes")
    return dataclasses.replace(before, **{name: getattr(recipe, name) for name in OF_THE_PROJECT}), parent


def _other(before: Recipe, recipe: Recipe) -> str:
    """Why a network cannot be gone on from; "" where it can."""
    for name in ("kind", "dimension", "channels", "guided", "hints"):
        if getattr(before, name) != getattr(recipe, name):
            return f"its {name} is {getattr(before, name)}, now it is {getattr(recipe, name)}"
    return f"it has {before.classes} classes, now there are {recipe.classes}" if before.classes > recipe.classes else ""


def beginning_of(workspace: Workspace, control: JobControl, plan: TrainingPlan, recipe: Recipe, parent: Model | None) -> Beginning:
    """The weights that a training begins with: those of the model before, grown where the labels have become more."""
    if parent is None:
        return begin(workspace, control, plan, recipe)
    from medloop.models.foundation.growing import grown_weights

    weights, before = tuple(weights_of(workspace.store.blobs, parent)), _own_recipe(parent)
    if before.classes == recipe.classes:
        return Beginning(weights)
    return Beginning(tuple(grown_weights(before, recipe.classes, data) for data in weights), {"classes_before": before.classes})


def anchor_of(begun: Begun, recipe: Recipe, parent: Model | None) -> "Anchor | None":
    """What a training keeps of the model it goes on from; None where it keeps nothing."""
    if parent is None or not (recipe.ewc or recipe.distillation):
        return None
    from medloop.models.foundation.growing import grown_importances
    from medloop.models.training.anchor import Anchor

    before = _own_recipe(parent)
    if not recipe.ewc:
        return Anchor(before.classes)
    kept = _kept_of(begun, parent, before)
    if kept is None:
        begun.control.log(f"no image is left to work out which weights of model {parent.index} matter: none is held")
        return Anchor(before.classes)
    found = [begun.workspace.store.blobs.get(name) for name in kept.blobs]
    grown = before.classes < recipe.classes
    return Anchor(before.classes, tuple(grown_importances(before, recipe.classes, data) if grown else data for data in found))


def importances_after(
    begun: Begun, recipe: Recipe, trained: "Trained", taught: TrainingSet, *, learned: Set[str], parent: Model | None
) -> Importances | None:
    """Which weights of a new model matter, for the training after it; None in a project that holds none.

    Where the training learned a part of the annotations only, the importances of the model before count for the rest.
    """
    if not begun.workspace.settings.ewc or not taught.cases:
        return None
    from medloop.models.foundation.growing import grown_importances
    from medloop.models.training.importance import importances_of, merged

    begun.control.report(1.0, "working out which weights matter")
    folder, blobs = begun.plan.folder / "importance after", begun.workspace.store.blobs
    cases = _some(taught.cases, recipe.seed)
    found = importances_of(recipe, [file.read_bytes() for file in trained.weights], cases, folder)
    earlier = _kept(begun.workspace, parent) if parent else None
    rest = _only_before(begun, parent, earlier, learned) if parent and earlier else 0
    if parent is None or earlier is None or not rest:
        return Importances(tuple(blobs.put(data) for data in found), len(learned))
    old = _own_recipe(parent)
    before = [grown_importances(old, recipe.classes, blobs.get(name)) for name in earlier.blobs]
    mixed = (merged(data, len(learned), before[n % len(before)], rest) for n, data in enumerate(found))
    return Importances(tuple(blobs.put(data) for data in mixed), len(learned) + rest)


def _only_before(begun: Begun, parent: Model, earlier: Importances, learned: Set[str]) -> int:
    """How many cases only the models before have learned, also those whose images are gone: the snapshot names these no more."""
    with begun.workspace.store.read() as tx:
        known = set(learned_cases(tx, parent)) & begun.cases.keys()
    return len(known - learned) + max(0, earlier.cases - len(known))


def _own_recipe(parent: Model) -> Recipe:
    """The recipe of a model that medloop's own networks are of; `going_on` chooses no other."""
    return Recipe.from_json(parent.recipe)


def _kept_of(begun: Begun, parent: Model, before: Recipe) -> Importances | None:
    """The importances of the model before, worked out now and kept where it has none; None where none of its images is left."""
    from medloop.models.training.importance import importances_of

    workspace = begun.workspace
    if (known := _kept(workspace, parent)) is not None:
        return known
    cases = _some(_cases_of(begun, parent, before), before.seed)
    if not cases:
        return None
    begun.control.report(0.0, f"working out which weights of model {parent.index} matter")
    found = importances_of(before, weights_of(workspace.store.blobs, parent), cases, begun.plan.folder / "importance before")
    made = Importances(tuple(workspace.store.blobs.put(data) for data in found), len(cases))
    with workspace.store.write("worker") as tx:
        if (other := kept_importances(tx, parent.id)) is not None:
            return other
        tx.record(VERB, NOUN, parent.id, made.to_json())
    return made


def kept_importances(tx: Reader, model_id: str) -> Importances | None:
    """What is stored of a model; None without."""
    found = tx.events_about(NOUN, [model_id], verbs=[VERB])
    return Importances(tuple(found[-1].body["importances"]), int(found[-1].body["cases"])) if found else None


def _kept(workspace: Workspace, model: Model) -> Importances | None:
    """The same where every byte of it can be read."""
    with workspace.store.read() as tx:
        found = kept_importances(tx, model.id)
    try:
        for name in found.blobs if found else ():
            workspace.store.blobs.check(name)
    except BlobError:
        return None
    return found


def _cases_of(begun: Begun, parent: Model, before: Recipe) -> "list[TrainingCase]":
    """What the model before learned, one annotation a case, where image and annotation can still be read."""
    workspace = begun.workspace
    with workspace.store.read() as tx:
        answers = [tx.get(Annotation, i) for i in learned_annotations(tx, parent)]
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        scope = annotated_labels(tx, workspace.task)
    left_out = LeftOut(workspace, begun.control.log)
    fitting = {case.id for case in computable(before, cases.values(), left_out)}
    alone = {a.case_id: a for a in answers if a.kind != "rejected" and a.case_id in fitting}
    sound = sound_annotations(list(alone.values()), cases, left_out)
    made = [training_case(workspace, a, cases[a.case_id], scope) for a in sound]
    return [dataclasses.replace(case, known=()) for case in made]


def _some(cases: "Sequence[TrainingCase]", seed: int) -> "list[TrainingCase]":
    """At most `MOST_CASES`, drawn by their names."""
    return sorted(cases, key=lambda case: (derive_seed(seed, "importance", case.id), case.id))[:MOST_CASES]
