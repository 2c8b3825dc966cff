"""What a site learns from in one federation, decided at its first round and kept, also when the site is started again in between."""

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import FormatError, InputError
from medloop.core.records import Annotation, Case, Job, Json, Snapshot, now
from medloop.core.seeds import derive_seed
from medloop.core.states import JobState
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.crowds import annotations_for_training
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.begun import Begun
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.federated_privacy import Privacy, private_of
from medloop.loop.learning.nothing_new import digest_to_learn
from medloop.loop.learning.training_set import TrainingSet, make_training_set
from medloop.models.exchange.federation import recipe_digest
from medloop.models.foundation.recipes import Recipe

if TYPE_CHECKING:
    from medloop.models.training.anchor import Anchor
    from medloop.models.training.private import Private

Say = Callable[[str], None]

SLOWEST = 0.1
"""Share of the learning rate in the last round: it falls along a cosine over the rounds, as within each."""

OWN = "own.safetensors"
"""All weights of a site after its last round, those that stay its own among them."""


class SiteControl(JobControl):
    """What a round sees of its surroundings, in place of a job: no lease and no queue, lines go to whoever runs the site."""

    def __init__(self, workspace: Workspace, say: Say, threads: int) -> None:
        job = Job(id="federation", kind="federate", payload={}, state=JobState.RUNNING, created_at=now())
        super().__init__(workspace, job, threads=threads)
        self._say = say

    def report(self, progress: float, message: str) -> None:
        """Nothing waits for it."""

    def log(self, line: str) -> None:
        """A line for whoever runs the site."""
        self._say(line)


class Learning:
    """What a site learns from in one federation.

    Args:
        workspace: The project.
        terms: Of the federation.
        folder: Holds its decisions and its own weights.
        control: Takes its lines.
    """

    def __init__(self, workspace: Workspace, terms: Json, folder: Path, control: SiteControl) -> None:
        self.workspace, self.terms, self.folder, self.control = workspace, terms, folder, control
        self.plan, self.left_out = TrainingPlan(folder), LeftOut(workspace, control.log)
        self.recipe = Recipe.from_json(terms["recipe"])

    @property
    def own(self) -> bytes:
        """All weights after the last round here; b"" before the first."""
        return (self.folder / OWN).read_bytes() if (self.folder / OWN).exists() else b""

    @cached_property
    def annotations(self) -> list[Annotation]:
        """Those of the first round, where they and their images can still be read."""
        with self.workspace.store.read() as tx:
            chosen = self.plan.decide("annotations", lambda: [a.id for a in annotations_for_training(self.workspace, tx)])
            answers = [tx.get(Annotation, i) for i in chosen]
            cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        fitting = {case.id for case in computable(self.recipe, cases.values(), self.left_out)}
        return [a for a in sound_annotations(answers, cases, self.left_out) if a.case_id in fitting]

    @property
    def cases(self) -> int:
        """How many annotated cases are learned from: the weight of the site."""
        return len({a.case_id for a in self.annotations})

    @cached_property
    def begun(self) -> Begun:
        """The same, as a training of this project."""
        with self.workspace.store.read() as tx:
            digest = digest_to_learn(tx, self.annotations, self.workspace.settings)
        snapshot = Snapshot(id="federation", annotation_ids=tuple(a.id for a in self.annotations), digest=digest, created_at=now())
        return Begun(self.workspace, self.control, self.plan, self.left_out, snapshot)

    @cached_property
    def taught(self) -> TrainingSet:
        """The training set, by the project's own settings."""
        begun = self.begun
        return make_training_set(self.workspace, self.control, self.plan, answers=begun.annotations, cases=begun.cases)

    def recipe_of_round(self, number: int, name: str, threads: int) -> Recipe:
        """The common recipe with this round's budget, seed and learning rate, and what the project says of its own annotations."""
        terms, last = self.terms, max(1, int(self.terms["rounds"]) - 1)
        falling = SLOWEST + (1 - SLOWEST) * 0.5 * (1 + math.cos(math.pi * min(1.0, (number - 1) / last)))
        return dataclasses.replace(
            self.recipe,
            steps=int(terms["steps"]),
            seed=derive_seed(int(terms["seed"]), "federation", name, number),
            learning_rate=self.recipe.learning_rate * falling,
            ewc=float(terms["proximal"]) if terms["strategy"] == "fedprox" else 0.0,
            threads=threads,
            touched_weight=self.taught.drawn_weight,
        )

    def note(self, steps: int, seconds: float, private: "Private | None" = None) -> None:
        """Remember what was trained for an update, also where the coordinator makes the same round again."""
        told = {"steps": steps, "seconds": round(seconds, 3), "noise": None if private is None else private.noise}
        self.plan.decide(f"update {self.updates + 1}", lambda: told)

    def require_noise(self) -> None:
        """Refuse privacy that is claimed of updates which had none.

        Raises:
            InputError: An earlier update of this site left without noise.
        """
        if any(self.plan.decided(f"update {n + 1}").get("noise") is None for n in range(self.updates)):
            rule = "An update of this site left without noise, so that nothing bounds what the federation costs its patients"
            raise InputError(rule, remedy="join without --epsilon, or another federation")

    def require_recipe(self) -> None:
        """Refuse another recipe than that of the first round: steps are counted by its batch.

        Raises:
            FormatError: The coordinator sent another one.
        """
        digest = recipe_digest(self.recipe)
        if self.plan.decide("recipe_sha256", lambda: digest) != digest:
            raise FormatError("The recipe of a federation stays that of its first round, another one came", remedy="tell its coordinator")

    @property
    def updates(self) -> int:
        """How many updates were trained for."""
        count = 0
        while self.plan.decided(f"update {count + 1}") is not None:
            count += 1
        return count

    @property
    def taken(self) -> tuple[int, float]:
        """Steps and seconds of all updates."""
        found = [self.plan.decided(f"update {n + 1}") for n in range(self.updates)]
        return sum(one["steps"] for one in found), sum(one["seconds"] for one in found)

    def private(self, privacy: Privacy | None) -> "Private | None":
        """How this site's steps are private."""
        if privacy is None:
            return None
        steps = int(self.terms["rounds"]) * int(self.terms["steps"])
        return private_of(privacy, self.plan, self.recipe, self.taught.cases, steps=steps)


def proximal_anchor(recipe: Recipe, shared: list[str]) -> "Anchor":
    """Holds every common weight alike: with equal importances the elastic penalty is FedProx's proximal term."""
    import torch

    from medloop.models.foundation.checkpoint import encode_weights
    from medloop.models.foundation.networks import build_network
    from medloop.models.training.anchor import Anchor

    state = build_network(recipe, seed=0).state_dict()
    return Anchor(recipe.classes, (encode_weights({name: torch.ones_like(state[name]) for name in shared}),))
