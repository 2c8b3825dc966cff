"""A training that has begun: what it goes by, and the cases that it learns from and validates on, the same ones when it is resumed."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.records import Annotation, Case, Json, Snapshot
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.calibration import calibration_of
from medloop.loop.judging.predictions import predictor_of
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.soft_labels import soft_labels
from medloop.loop.learning.training_set import training_case
from medloop.models.foundation.nnunet_recipe import AnyRecipe

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor
    from medloop.models.training.batches import TrainingCase


@dataclass(frozen=True)
class Importances:
    """Which weights of a model matter to it: blobs of safetensors, one for each network, and of how many cases they speak."""

    blobs: tuple[str, ...]
    cases: int

    def to_json(self) -> Json:
        """As the body of an event."""
        return {"importances": list(self.blobs), "cases": self.cases}


@dataclass(frozen=True)
class Learned:
    """What a learner has made of a training.

    Attributes:
        recipe: Of its model.
        weights: Files of safetensors, one for each network.
        metrics: What its model's metrics say.
        importances: Of its weights; None where the project holds none.
    """

    recipe: Json
    weights: tuple[Path, ...]
    metrics: Json
    importances: Importances | None = None


@dataclass(frozen=True)
class Begun:
    """A training that has begun.

    Attributes:
        workspace: The project with the settings and labels that it began with.
        control: Of its job.
        plan: Its decisions; the folder beside it is the learner's.
        left_out: Cases that cannot be read or computed on.
        snapshot: The annotations that it learns from.
    """

    workspace: Workspace
    control: JobControl
    plan: TrainingPlan
    left_out: LeftOut
    snapshot: Snapshot

    @cached_property
    def annotations(self) -> list[Annotation]:
        """Of the snapshot, in its order."""
        with self.workspace.store.read() as tx:
            return [tx.get(Annotation, i) for i in self.snapshot.annotation_ids]

    @cached_property
    def cases(self) -> Mapping[str, Case]:
        """Id → case of each annotation."""
        with self.workspace.store.read() as tx:
            return {a.case_id: tx.get(Case, a.case_id) for a in self.annotations}

    @property
    def seed(self) -> int:
        """Of whatever is drawn: the same annotations and setting give the same."""
        return int(self.snapshot.digest[:7], 16) ^ self.workspace.settings.seed

    def validation(self, fitting: Callable[[Iterable[Case]], list[Case]]) -> "list[TrainingCase]":
        """The validation cases, the same ones when a training is resumed: annotations that came meanwhile wait for the next."""

        def decide() -> list[str]:
            with self.workspace.store.read() as tx:
                return [a.id for a in consensus_annotations(tx, "validation")]

        chosen = self.plan.decide("validation", decide)
        with self.workspace.store.read() as tx:
            answers = [tx.get(Annotation, i) for i in chosen]
            cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
            scope = annotated_labels(tx, self.workspace.task)
        fit = {case.id for case in fitting(cases.values())}
        sound = sound_annotations([a for a in answers if a.case_id in fit], cases, self.left_out)
        soft = soft_labels(self.workspace, sound, cases)
        ordered = sorted(sound, key=lambda a: cases[a.case_id].name)
        made = [(a, training_case(self.workspace, a, cases[a.case_id], scope)) for a in ordered]
        return [dataclasses.replace(case, soft=soft.get(a.id)) for a, case in made]

    def calibrated(self, recipe: AnyRecipe, weights: Sequence[Path], validation: "Sequence[TrainingCase]", missing: Sequence[int]) -> Json:
        """What new weights keep of their calibration; `missing` are values of the labels that no case taught."""
        self.control.report(1.0, "calibrating on the validation cases")

        def load() -> "AnyPredictor":
            source = self.workspace.settings.uncertainty_source
            return predictor_of(recipe, [path.read_bytes() for path in weights], source, unlearned=missing)

        return calibration_of(self.workspace, load, validation, seed=recipe.seed, missing=missing)


def has_sides(workspace: Workspace) -> bool:
    """Whether labels tell left from right: then a mirrored image would carry the wrong labels."""
    words = {word for label in workspace.task.labels for word in re.split(r"[^a-z]+", label.name.lower())}
    return not words.isdisjoint({"left", "right", "l", "r"})
