"""A site's part in a federation: it learns from its own annotations alone, and only weights, counts and figures leave it.

Each round is a training of medloop's one loop that begins with the common weights. With FedProx every weight is held near where it began:
the elastic penalty of `models.training.anchor` with the same importance for all. What is decided at the first round (annotations,
validation cases) stands for all of them, also when the site is started again in between.

Sources: McMahan et al. 2017, arXiv:1602.05629 (FedAvg); Li et al. 2020, arXiv:1812.06127, equation 2 (FedProx).
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from medloop import __version__
from medloop.core.errors import FormatError, InputError, MedloopError, SettingError
from medloop.core.labels import class_regions
from medloop.core.names import counted
from medloop.core.records import Case, Json, ProjectSettings, Snapshot, now
from medloop.images.files import write_atomic
from medloop.loop.foundation.federated_account import account_of, enter, summed
from medloop.loop.foundation.federations import privacy_words
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.federated_learning import OWN, Learning, Say, SiteControl, proximal_anchor
from medloop.loop.learning.federated_privacy import Privacy, require_budget, spent
from medloop.loop.learning.federated_result import keep_result
from medloop.loop.learning.prepared import recipe_for
from medloop.models.exchange.federation import Plan, recipe_digest
from medloop.models.exchange.flower_side.agreement import difference
from medloop.models.foundation.recipes import Recipe

UNUSED: Json = {
    "annotator_model": "none",
    "interactive_network": False,
    "unlabelled": "none",
    "targets": "hard",
    "explanation_penalty": 0.0,
    "learner": "builtin",
}
"""Settings that change what a network is or learns, which sites of one federation would have to agree on; these alone are known."""


def plan_of(workspace: Workspace) -> Plan:
    """What a project would have everybody train: its labels, and the recipe that its own images call for.

    Raises:
        SettingError: A setting that a federation does not know.
        InputError: No cases.
    """
    if reason := unusable(workspace.settings):
        raise SettingError(f"A federation cannot use this project: {reason}", remedy="medloop configure sets it")
    with workspace.store.read() as tx:
        cases = tx.find(Case, where={"split": "train"})
    if not cases:
        raise InputError("A plan needs a project with cases, as the recipe follows from them", remedy="import some")
    nothing = Snapshot(id="", annotation_ids=(), digest="0" * 64, created_at=now())
    recipe = recipe_for(workspace, cases, nothing, threads=1)
    plain = dataclasses.replace(recipe, members=1, ewc=0.0, distillation=0.0, steps=1, seed=0, threads=1, weak_learned=False)
    return Plan(workspace.task.kind, _labels(workspace), plain)


def write_plan(workspace: Workspace, file: Path) -> Plan:
    """Write `plan_of` a project to a file; raises as it."""
    made = plan_of(workspace)
    write_atomic(file, f"{json.dumps(made.to_json(), indent=1)}\n".encode())
    return made


def unusable(settings: ProjectSettings) -> str:
    """Which setting a federation does not know, in words; "" where it knows all."""
    for name, value in UNUSED.items():
        if getattr(settings, name) != value:
            return f"{name} must be {value}, it is {getattr(settings, name)}"
    return ""


def _labels(workspace: Workspace) -> dict[str, int]:
    return {label.name: label.value for label in workspace.task.labels}


class Site:
    """One site of one federation.

    Args:
        workspace: Its project.
        name: As the others see it.
        say: Takes lines for whoever runs it.
        threads: CPU threads.
        privacy: What its updates may cost each patient; None adds no noise.
    """

    def __init__(self, workspace: Workspace, name: str, say: Say, *, threads: int = 1, privacy: Privacy | None = None) -> None:
        self.workspace, self.name, self.say, self.threads, self.privacy = workspace, name, say, threads, privacy

    def meet(self, terms: Json) -> Json:
        """What this site offers, and `refused` with the reason where it does not take part."""
        offer: dict[str, Any] = {
            "site": self.name,
            "version": __version__,
            "kind": self.workspace.task.kind,
            "labels": _labels(self.workspace),
            "channels": self._channels(),
            "cases": 0,
        }
        reason = unusable(self.workspace.settings)
        if not reason and terms.get("version") == __version__:
            try:
                offer["recipe_sha256"] = recipe_digest(Recipe.from_json(terms["recipe"]))
                reason = self._unlike(Recipe.from_json(terms["recipe"]))
            except (MedloopError, KeyError, TypeError) as error:
                reason = f"the recipe cannot be read ({error})"
        reason = reason or difference(terms, offer)
        if not reason:
            reason = self._unprivate(terms)
            offer["cases"] = self._learning(terms).cases
        self.say(f"does not take part: {reason}" if reason else f"takes part with {counted(offer['cases'], 'annotated case')}")
        return {**offer, "refused": reason} if reason else offer

    def _unlike(self, recipe: Recipe) -> str:
        """How labels that lie inside others, or overlap, differ from those of the network, in words."""
        task = self.workspace.task
        if task.classes != recipe.classes or class_regions(task.labels) != recipe.regions:
            return "labels must lie inside each other, and overlap, as in the plan"
        return ""

    def _unprivate(self, terms: Json) -> str:
        """Why this site cannot be as private as it is to be, in words."""
        try:
            self._learning(terms).private(self.privacy)
        except MedloopError as error:
            return str(error)
        return ""

    def learn(self, terms: Json, common: bytes) -> tuple[Json, bytes]:
        """One round of training; facts and the weights that leave the site.

        Raises:
            FormatError: What came are not weights of the recipe.
            InputError: The round would cost more privacy than is allowed.
            MedloopError: The loss is no number.
        """
        from medloop.models.foundation.federated_weights import common_weights, joined_weights
        from medloop.models.training.train import TrainingRun, train_members

        learning, number = self._learning(terms), int(terms["round"])
        learning.require_recipe()
        recipe = learning.recipe_of_round(number, self.name, self.threads)
        folder = learning.folder / f"round-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        initial = joined_weights(recipe, learning.own, common)
        anchor = proximal_anchor(recipe, terms["shared"]) if recipe.ewc else None

        private, cost = learning.private(self.privacy), self._cost(learning, recipe.steps)
        run = TrainingRun(recipe, learning.taught.cases, (), folder, lambda _: True, (initial,), anchor=anchor, private=private)
        trained = train_members(run)
        weights = trained.weights[0].read_bytes()
        loss, seconds = float(trained.metrics["loss"]), float(trained.metrics["seconds"])
        learning.note(recipe.steps, seconds, private)  # before anything is kept of these steps: what a kill leaves is counted
        enter(self.workspace, str(terms["id"]), cost)
        write_atomic(learning.folder / OWN, weights, mode=0o600)
        shutil.rmtree(folder, ignore_errors=True)
        self.say(f"round {number} of {terms['rounds']}: {recipe.steps} steps in {seconds:.0f} s, loss {loss:.3f}")
        facts: Json = {"site": self.name, "cases": learning.cases, "loss": loss, "steps": recipe.steps}
        if cost:
            self.say(privacy_words(cost))
            facts = {**facts, "loss": None, "privacy": {name: cost[name] for name in ("epsilon", "delta")}}
        return facts, common_weights(weights, terms["shared"])

    def _cost(self, learning: Learning, steps: int) -> Json:
        """What the updates with the next one cost each patient; {} where none is private.

        Raises:
            InputError: More than is allowed.
        """
        private = learning.private(self.privacy)
        if self.privacy is None or private is None:
            return {}
        learning.require_noise()
        cost = spent(self.privacy, private, learning.recipe, learning.taken[0] + steps)
        require_budget(self.privacy, cost)
        return cost

    def keep(self, terms: Json, common: bytes) -> Json:
        """Register the result as a candidate of this project; what became of it in words."""
        learning = self._learning(terms)
        private = learning.private(self.privacy)
        cost = spent(self.privacy, private, learning.recipe, learning.taken[0]) if self.privacy and private else {}
        cost = {**cost, "account": summed(account_of(self.workspace))} if cost else cost
        words = keep_result(learning, {**terms, "privacy": cost}, common, self.say)
        return {"site": self.name, "words": words}

    def _channels(self) -> int:
        with self.workspace.store.read() as tx:
            found = tx.find(Case, where={"split": "train"}, limit=1)
        return found[0].channels if found else 0

    def _learning(self, terms: Json) -> "Learning":
        folder = self.workspace.work_folder / f"federation-{_plain(terms['id'])}"
        folder.mkdir(parents=True, exist_ok=True)
        return Learning(self.workspace, terms, folder, SiteControl(self.workspace, self.say, self.threads))


def _plain(name: str) -> str:
    """A federation's name, which comes from outside, as part of a folder's.

    Raises:
        FormatError: It is no such name.
    """
    if not name.isalnum() or len(name) > 40:
        raise FormatError(
            f"A federation's id has up to 40 letters and digits, got {name!r:.60}", remedy="look at what its coordinator sends"
        )
    return name
