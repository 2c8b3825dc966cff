"""Which answers a training that goes on from an earlier model learns from.

    all            every answer
    new            those the earlier model has not learned
    replay         the new ones and old ones, as many as `replay_cases` says, chosen as `loop.learning.memory` does
    misclassified  the new ones and the old ones that the earlier model gets wrong: every one that is all wrong (a
                   wrong tag, a mask that misses everything), and the worst of the others up to as many as are new

Old cases that are answered in part only have no Dice, and do not count as wrong.

Old are the answers that the earlier model, or one that it went on from, has really learned (`loop.foundation.learned`): the snapshots
name every answer, also those of groups that no training has learned yet.

Fewer answers make a training cheaper, old ones among them keep it from forgetting.

Source: Käding et al. 2016, arXiv:1612.06129 (fine-tuning on new data, and on a mixture with old data); Smailagic et al.
2019 (O-MedAL), arXiv:1908.10508 (new cases and a sample of the old ones).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Json, Model, WarmStart
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.learned import learned_annotations
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.judging.predictions import predict_cases
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.memory import cases_of_group, replayed

Name = TypeVar("Name", str, int)


def choose_old(policy: WarmStart, old: Sequence[Name], new: int, scores: Mapping[Name, float]) -> list[Name]:
    """Which of the cases learned before are learned again, in their given order, beside so many new ones.

    Scores, 0..1, tell how well the earlier model answers old cases, for "misclassified"; cases without a score are left out.
    """
    if policy in ("scratch", "all"):
        return list(old)
    if policy == "new":
        return []
    imperfect = sorted((name for name in old if scores.get(name, 1.0) < 1.0), key=lambda name: scores[name])
    kept = set(imperfect[:new]) | {name for name in imperfect if scores[name] == 0.0}
    return [name for name in old if name in kept]


def annotations_to_learn(
    workspace: Workspace,
    control: JobControl,
    plan: TrainingPlan,
    *,
    parent: Model | None,
    answers: Sequence[Annotation],
    cases: Mapping[str, Case],
) -> list[Annotation]:
    """The answers this training learns from, by the project's `warm_start`.

    A resumed job learns from the same answers. Without a model to
    go on from, or without a new answer, all are learned.
    """
    policy = workspace.settings.warm_start
    if parent is None or policy in ("scratch", "all"):
        return list(answers)
    kept = set(plan.decide("learned", lambda: _choose(workspace, control, policy, parent, answers, cases)))
    return [a for a in answers if a.id in kept]


def learned_facts(policy: WarmStart, parent: Model | None, learned: Sequence[Annotation], answers: Sequence[Annotation]) -> Json:
    """What a model's metrics say about its start: policy, parent, how many cases it learned from, and which if not all."""
    facts: Json = {"policy": policy if parent else "scratch", "training_cases": len({a.case_id for a in learned})}
    if parent:
        facts = {**facts, "parent": parent.id}
    return facts if len(learned) == len(answers) else {**facts, "learned": [a.id for a in learned]}


def _choose(
    workspace: Workspace, control: JobControl, policy: WarmStart, parent: Model, answers: Sequence[Annotation], cases: Mapping[str, Case]
) -> list[str]:
    """Ids of the chosen answers. A case with a new answer is new, with all answers to it."""
    with workspace.store.read() as tx:
        known = set(learned_annotations(tx, parent))
        learned = {a.case_id for a in tx.find(Annotation, where={"id": sorted(known)})} if known else set()
    new = _new_cases(workspace, control, parent, answers, cases, known)
    if not new:
        return [a.id for a in answers]
    beside = {a.case_id for a in answers} - new
    old = sorted(beside & learned, key=lambda i: cases[i].name)
    if waiting := len(beside) - len(old):
        control.log(f"{counted(waiting, 'annotated case')} of other groups not learned yet: set learn_group= or theirs")
    if policy == "replay":
        kept = new | replayed(workspace, control, parent, [cases[i] for i in old], new=len(new))
        control.log(f"learns {counted(len(new), 'new case')} and {len(kept) - len(new)} of {counted(len(old), 'older one')}")
        return [a.id for a in answers if a.case_id in kept]
    scores = _scores(workspace, control, parent, answers, {i: cases[i] for i in old}) if policy == "misclassified" else {}
    kept = new | set(choose_old(policy, old, len(new), scores))
    return [a.id for a in answers if a.case_id in kept]


def _new_cases(
    workspace: Workspace,
    control: JobControl,
    parent: Model,
    answers: Sequence[Annotation],
    cases: Mapping[str, Case],
    known: Collection[str],
) -> set[str]:
    """Ids of the cases that are new to the earlier model: those of the group that the project names, else those it has not learned."""
    annotated = {a.case_id for a in answers}
    if group := workspace.settings.learn_group:
        if found := cases_of_group(group, cases) & annotated:
            return found
        control.log(f"no annotated case is of the group {group}: what model {parent.index} has not learned is new")
    return {a.case_id for a in answers if a.id not in known}


def _scores(
    workspace: Workspace, control: JobControl, parent: Model, answers: Sequence[Annotation], old: dict[str, Case]
) -> dict[str, float]:
    """How well the earlier model answers each old case; predictions it has made already are used again."""
    with workspace.store.read() as tx:
        done = {p.case_id for p in tx.latest_predictions(parent.id)}
    predict_cases(workspace, parent, [case for i, case in old.items() if i not in done], control)
    scored = score_annotations(
        workspace,
        parent,
        [deciding(found) for found in by_case(a for a in answers if a.case_id in old and a.is_whole).values()],
        old,
    )
    return {case_id: float(np.nanmean(list(by_label.values()))) for case_id, by_label in scored.items()}
