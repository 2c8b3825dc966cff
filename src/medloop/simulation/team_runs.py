"""A simulated team reads a data set through the code that serves people: by routing, by the dearest alone, or two at random.

    value    `routing=value`: a tutorial on some gold cases, then whoever is worth most beyond the cost
    expert   the cheapest member who is stated as an expert or a consultant reads every case once
    two      every case is read by two members drawn at random

What is measured is the truth that comes out: the mean score of the annotations in force over all cases, 0 for a case nobody has read,
against minutes and money spent, tutorials included. No model is trained. Gold cases are others than those measured.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.errors import InputError, SettingError
from medloop.core.image import Mask
from medloop.core.records import Annotation, Annotator, Case, ProjectSettings
from medloop.core.seeds import generator
from medloop.datasets.discover import open_dataset
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.gold import add_gold, admit, hold_masks
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import IMPORTER, Incoming, NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named, describe_annotator, set_cost
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import due_for_consensus
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.fusing import reconcile_case
from medloop.simulation.oracle import Oracle
from medloop.simulation.outlines import draw_mask, outline_depths, with_wrong_tag
from medloop.simulation.prepare import read_labels
from medloop.simulation.team import Member

Policy: TypeAlias = Literal["value", "expert", "two"]
RANKS = ("novice", "expert", "consultant")


@dataclass(frozen=True, kw_only=True)
class TeamDesign:
    """What a team reads and how.

    Attributes:
        dataset: Folder or list in any layout that can be imported.
        team: Its members.
        cases: Cases measured; 0 takes all that are no gold cases.
        gold: Gold cases of the tutorial that routing gives to everybody stated as a novice.
        readings: The most readings of a case by routing.
        sure_enough: The setting of that name.
        consensus: How readings are fused, by every policy; "" takes `staple` for masks and `dawid_skene` for classes.
        seed: Of the cases, of who comes when, and of their errors.
        format: Layout of the data set.
    """

    dataset: str
    team: tuple[Member, ...]
    cases: int = 24
    gold: int = 4
    readings: int = 4
    sure_enough: float = 0.9
    consensus: str = ""
    seed: int = 0
    format: str = "auto"


@dataclass(frozen=True)
class Spending:
    """A run after each reading, beginning before the first.

    Attributes:
        minutes, money: Spent so far.
        quality: Mean score of the annotations in force, 0..1.
        path: What each reading was of ("" for a gold case), the score of what stands for that case then, and its cost.
    """

    policy: Policy
    minutes: tuple[float, ...]
    money: tuple[float, ...]
    quality: tuple[float, ...]
    path: tuple[tuple[str, float, float], ...]

    def cost_to(self, target: float) -> float | None:
        """Money spent when the mean score first reached a target; None where it never did."""
        return next((money for money, quality in zip(self.money, self.quality, strict=True) if quality >= target - 1e-9), None)


def run_team(design: TeamDesign, policies: Sequence[Policy] = ("value", "expert", "two")) -> dict[Policy, Spending]:
    """Let a team read the cases of a data set by each policy, the same cases each time.

    Raises:
        InputError: The data set has no truth.
        SettingError: Too few cases, or a team too small for two readings of a case.
    """
    if "two" in policies and len(design.team) < 2:
        raise SettingError(f"Two readings of a case need a team of two or more, got {len(design.team)}", remedy="add members")
    with tempfile.TemporaryDirectory(prefix="medloop-team-") as folder:
        names = _import(design, Path(folder) / "truth")
        with Oracle(Path(folder) / "truth") as oracle:
            return {policy: _Run(design, policy, names, oracle, Path(folder) / policy).spend() for policy in policies}


def _import(design: TeamDesign, folder: Path) -> list[str]:
    """The cases of the data set that are read, with their truth; their names, gold cases first."""
    dataset = open_dataset(Path(design.dataset), fmt=design.format)
    known = [case for case in dataset.cases if case.mask is not None or case.tag is not None]
    if dataset.kind is None or not known:
        raise InputError(f"{design.dataset} holds no annotations", remedy="a simulation needs a data set with its truth")
    drawn = generator(design.seed, "team order").permutation(len(known))[: (design.cases or len(known)) + design.gold]
    wanted = [known[n] for n in drawn]
    if len(wanted) <= design.gold:
        raise SettingError(f"Cases must be left beside {design.gold} gold ones, got {len(wanted)} in all", remedy="lower the gold cases")
    part = replace(dataset, cases=tuple(sorted(wanted, key=lambda case: case.name)))
    labels, masks = read_labels(part)
    nothing_held_out = ProjectSettings(validation_fraction=0.0, test_fraction=0.0, audit_fraction=0.0, train_after=0)
    with Workspace.create(folder, name="truth", kind=dataset.kind, labels=labels, settings=nothing_held_out, actor="simulation") as truth:
        import_dataset(truth, replace(part, masks=masks), actor="simulation")
        with truth.store.read() as tx:
            imported = {tx.get(Case, a.case_id).name for a in tx.current_annotations()}
    return [case.name for case in wanted if case.name in imported]


def _cost(member: Member) -> float:
    return member.minutes * member.cost_per_minute


class _Run:
    """One policy on its own project."""

    def __init__(self, design: TeamDesign, policy: Policy, names: Sequence[str], oracle: Oracle, folder: Path) -> None:
        self._design, self._policy, self._oracle = design, policy, oracle
        self._rng = generator(design.seed, "team", policy)
        self._depths: dict[str, FloatArray] = {}
        kind, labels = oracle.task
        self._workspace = Workspace.create(folder, name=policy, kind=kind, labels=labels, settings=self._settings(len(names)))
        self._measured = self._fill(names)
        self._members = {m.name: self._join(m) for m in self._chosen()}

    def spend(self) -> Spending:
        """Read until nobody gets another case."""
        scores = dict.fromkeys(self._measured, 0.0)
        minutes, money, path = [0.0], [0.0], list[tuple[str, float, float]]()
        quality = [0.0]
        order = sorted(self._members, key=lambda name: RANKS.index(self._member(name).expertise))
        idle = set[str]()
        while len(idle) < len(order):
            name = self._turn([one for one in order if one not in idle], first=len(path) < len(order))
            given = self._read(name, minutes, money)
            if given is None:
                idle.add(name)
                continue
            idle.clear()
            self._fuse()
            changed = self._score(given)
            scores |= changed
            case, score = next(iter(changed.items()), ("", 0.0))
            path.append((case, score, money[-1] - money[-2]))
            quality.append(float(np.mean(list(scores.values()))))
        self._workspace.close()
        return Spending(self._policy, tuple(minutes), tuple(money), tuple(quality), tuple(path))

    def _settings(self, cases: int) -> ProjectSettings:
        segments = self._oracle.task[0] == "segmentation"
        method = self._design.consensus or ("staple" if segments else "dawid_skene")
        usual = ProjectSettings(strategy="random", batch_size=cases, train_after=0, audit_fraction=0.0, seed=self._design.seed, blind=True)
        usual = replace(usual, consensus=method)  # type: ignore[arg-type]  # checked when the project is made
        if self._policy == "value":
            design = self._design
            return replace(
                usual, routing="value", readings=design.readings, sure_enough=design.sure_enough, tutorial=design.gold, tutorial_score=0.0
            )
        return replace(usual, readings=2 if self._policy == "two" else 1)

    def _chosen(self) -> list[Member]:
        """Who reads: everybody, or the cheapest who is stated as an expert or more; without one, the most expensive."""
        team = self._design.team
        able = [m for m in team if m.expertise != "novice"]
        alone = min(able, key=_cost) if able else max(team, key=_cost)
        return [alone] if self._policy == "expert" else list(team)

    def _fill(self, names: Sequence[str]) -> list[str]:
        """The project's cases: gold ones with their truth where routing needs them, the others without; the names of these."""
        if in_part := [name for name in names if self._oracle.annotated(name)]:
            rule = f"A team reads cases in which every label is annotated, {in_part[0]} is annotated for some labels only"
            raise SettingError(rule, remedy="leave such cases out of the data set")
        gold = names[: self._design.gold]
        importer = annotator_named(self._workspace, IMPORTER, program=True)
        for name in names:
            known = self._policy == "value" and name in gold
            if known or name not in gold:
                (image, case), truth = self._oracle.case(name), self._oracle.truth(name)
                new = NewCase(name=name, patient=case.patient, split="train", source=case.source)
                added = add_case(self._workspace, image, new, Incoming(truth, importer) if known else None, actor="simulation")
                if known:
                    add_gold(self._workspace, added.id, annotator_id=importer.id)
        return [name for name in names if name not in gold]

    def _join(self, member: Member) -> Annotator:
        made = annotator_named(self._workspace, member.name, kind="simulated")
        describe_annotator(self._workspace, member.name, expertise=member.expertise, actor="simulation")
        if member.expertise != "novice":
            admit(self._workspace, member.name, actor="simulation")
        return set_cost(self._workspace, made.name, member.cost_per_minute, actor="simulation")

    def _member(self, name: str) -> Member:
        return next(m for m in self._design.team if m.name == name)

    def _turn(self, free: Sequence[str], *, first: bool) -> str:
        """Who comes next: at first those of least rank, so that everybody is at work, then whoever chance says."""
        return free[0] if first and self._policy == "value" else str(self._rng.choice(free))

    def _read(self, name: str, minutes: list[float], money: list[float]) -> Annotation | None:
        """One reading; None where there is nothing for this person."""
        opened = next_assignment(self._workspace, self._members[name].id)
        if opened is None:
            return None
        member = self._member(name)
        taken = member.minutes * float(np.exp(self._rng.normal(0.0, 0.2)))
        given = self._given(member, opened.case.name)
        what = Submitted(tag=given) if isinstance(given, int) else Submitted(mask=given)
        minutes.append(minutes[-1] + taken)
        money.append(money[-1] + taken * member.cost_per_minute)
        return submit(self._workspace, opened.assignment.id, replace(what, effort_seconds=60.0 * taken))

    def _given(self, member: Member, case: str) -> MaskArray | int:
        """What a member makes of a case: the same whenever they read it, whatever the policy."""
        truth, rng = self._oracle.truth(case), generator(self._design.seed, "reading", member.name, case)
        labels = list(self._workspace.task.label_values)
        if not isinstance(truth, Mask):
            return with_wrong_tag(truth, tuple(labels), 1.0 - member.accuracy, rng)
        if case not in self._depths:
            self._depths[case] = outline_depths(truth.array, labels)
        return draw_mask(member.outline, truth.array, labels, self._depths[case], rng)

    def _fuse(self) -> None:
        """What the worker does: make the consensuses that are due."""
        with self._workspace.store.read() as tx:
            due = due_for_consensus(tx)
        for case_id in due:
            reconcile_case(self._workspace, self._workspace.store.get(Case, case_id))

    def _score(self, given: Annotation) -> dict[str, float]:
        """Score of what stands for the case of an annotation, if that case is measured."""
        with self._workspace.store.read() as tx:
            case, standing = tx.get(Case, given.case_id), standing_annotation(tx, given.case_id)
        if case.name not in self._measured or standing is None:
            return {}
        truth = self._oracle.truth(case.name)
        own = load_annotation(self._workspace.store.blobs, standing, case)
        if not isinstance(truth, Mask) or not isinstance(own, Mask):
            return {case.name: float(own == truth)}
        return {case.name: hold_masks(own.array, truth.array, self._workspace.task.label_values, self._workspace.task.labels).score}
