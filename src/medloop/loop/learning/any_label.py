"""The second network of a training, whose prompts segment any structure; it learns from the same cases as the model."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.records import Json
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

    hints, minutes = workspace.settings.prompt_encoding, recipe.minutes / recipe.members
    plain = dataclasses.replace(
        recipe, touched_weight=1.0, rrr=0.0, annotator_model="none", annotators=0, targets="hard", unlabelled="none"
    )
    own = dataclasses.replace(plain, classes=2, guided=True, hints=hints, members=1, heads=1, minutes=minutes)
    labels = [value for value in workspace.task.label_values if value not in taught.missing]
    made = cases_for_any_label([case for case in taught.cases if case.weak is None], labels=labels, seed=recipe.seed)
    trained = train(own, made, [], folder / ANY_LABEL, report=report, guide=rehearsal_for_any_label())
    return trained.weights, {ANY_LABEL: own.to_json()}
