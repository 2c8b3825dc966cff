"""The second network of a training, whose prompts segment any structure; it learns from the same cases as the model."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.labels import nested_regions
from medloop.core.records import Json
from medloop.core.settings import PromptEncoding
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import ANY_LABEL
from medloop.loop.learning.training_set import TrainingSet
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    from medloop.models.training.train import Report


def train_any_label(
    workspace: Workspace, recipe: Recipe, taught: TrainingSet, folder: Path, *, report: "Report"
) -> tuple[tuple[Path, ...], Json]:
    """Train the network for any label from scratch, with one member's budget; its weights and recipe, empty without the setting."""
    if not workspace.settings.any_label:
        return (), {}
    from medloop.interaction.interactive_network.agnostic import cases_for_any_label, rehearsal_for_any_label
    from medloop.models.training.train import train

    own = any_label_recipe(recipe, workspace.settings.prompt_encoding)
    labels = [value for value in workspace.task.label_values if value not in taught.missing]
    masks = [case for case in taught.cases if case.weak is None]
    made = cases_for_any_label(masks, labels=labels, seed=recipe.seed, regions=nested_regions(workspace.task.labels))
    trained = train(own, made, [], folder / ANY_LABEL, report=report, guide=rehearsal_for_any_label())
    return trained.weights, {ANY_LABEL: own.to_json()}


def any_label_recipe(recipe: Recipe, hints: PromptEncoding) -> Recipe:
    """The recipe of the network for any label, with one member's minutes: nothing of it is about this project's labels or people."""
    return dataclasses.replace(
        recipe, classes=2, regions=(), guided=True, hints=hints, members=1, heads=1, minutes=recipe.minutes / recipe.members,
        touched_weight=1.0, rrr=0.0, annotator_model="none", annotators=0, targets="hard", unlabelled="none", robust="none", ewc=0.0,
        distillation=0.0,
    )  # fmt: skip
