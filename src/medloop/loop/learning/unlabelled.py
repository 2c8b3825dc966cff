"""The unlabelled cases of a training run: images of training cases that nobody has annotated, for recipes that learn from such.

Cases that are annotated for some labels only are labelled cases: what they lack is learned by the marginal loss alone.

Evaluation patients never take part, nor gold cases, whose truth is held against people's readings. A training notes which cases it took,
and goes on with the same ones when resumed.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Case, GoldCase
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.computable import misfit, oversize
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.disposed import accepted_cases, waiting_arrivals
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.decisions import TrainingPlan
from medloop.models.foundation.recipes import Recipe
from medloop.store.reader import Reader

if TYPE_CHECKING:
    from medloop.models.training.consistency import UnlabelledCase

MOST_CASES = 200
"""More are a sample: few trainings of minutes would see each of them more than once."""

PREPARING = 0.1
"""Share of a time budget that preparing these cases may take; the planned steps get the rest."""

VOXELS_PER_SECOND = 4e6
"""How fast a case is read, normalised and resampled on one core."""


def unlabelled_cases(
    workspace: Workspace, control: JobControl, plan: TrainingPlan, recipe: Recipe, *, learned: Collection[str]
) -> "list[UnlabelledCase]":
    """The unlabelled cases this training learns from, beside the annotated ones whose ids are `learned`; none where the recipe does not."""
    from medloop.models.training.consistency import UnlabelledCase

    if recipe.unlabelled == "none":
        return []
    chosen = plan.decide("unlabelled", lambda: _choose(workspace, control, recipe, learned))
    with workspace.store.read() as tx:
        cases = [tx.get(Case, case_id) for case_id in chosen]
    blobs = workspace.store.blobs
    return [UnlabelledCase(f"unlabelled {case.name}", lambda case=case: load_image(blobs, case)) for case in cases]  # type: ignore[misc]


def _choose(workspace: Workspace, control: JobControl, recipe: Recipe, learned: Collection[str]) -> list[str]:
    with workspace.store.read() as tx:
        pool = available_cases(tx, learned)
    order = generator(recipe.seed, "unlabelled cases").permutation(len(pool))
    chosen, refused = affordable_cases(workspace, recipe, [pool[n] for n in order])
    if refused:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        control.log(f"{counted(refused.total(), 'unlabelled case')} left out, the rest is learned from: {reasons}")
    control.log(f"learning from {counted(len(chosen), 'unlabelled case')} of {len(pool)} too ({recipe.unlabelled})")
    return [case.id for case in sorted(chosen, key=lambda case: case.name)]


def available_cases(tx: Reader, learned: Collection[str]) -> list[Case]:
    """Unlabelled training cases by name: no gold cases, none of patients of whom any case evaluates, none learned or accepted already.

    None that waits for the stream's decision either: a model would accept what it has learned from.
    """
    kept_apart = {case.patient for case in tx.find(Case, where={"split": EVALUATION_SPLITS})}
    without = {one.case_id for one in tx.find(GoldCase, where={"withdrawn_at": None})} | set(learned) | accepted_cases(tx)
    without |= {case.id for case in waiting_arrivals(tx)}
    return [c for c in tx.unlabelled_cases(["train"], exclude_open=False) if c.patient not in kept_apart and c.id not in without]


def affordable_cases(workspace: Workspace, recipe: Recipe, drawn: Sequence[Case]) -> "tuple[list[Case], Counter[str]]":
    """The first of the drawn cases that networks of the recipe can read, as many as the time allows; the reasons of those left out."""
    room = float("inf") if recipe.steps else recipe.minutes * 60 * PREPARING * VOXELS_PER_SECOND
    chosen, refused, left_out = list[Case](), Counter[str](), LeftOut(workspace)
    for case in drawn:
        if len(chosen) == MOST_CASES or (room <= 0 and chosen):
            break
        if reason := _unfit(recipe, case):
            refused[reason] += 1
        elif not left_out.can_read(case, case.voxels):
            refused["cannot be read: restore their blobs from a backup, or flag them"] += 1
        else:
            chosen.append(case)
            room -= float(np.prod(case.grid.shape)) * case.channels
    return chosen, refused


def _unfit(recipe: Recipe, case: Case) -> str:
    """Why a recipe's networks cannot read a case; empty when they can."""
    return misfit(recipe, case) or ("too large for the network's grid" if oversize(recipe, case) else "")
