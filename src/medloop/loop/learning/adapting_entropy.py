"""A model made surer of a group of cases by its normalisation layers, where annotated cases of the group show that it is righter, too.

A network that is surer may be wrong: it becomes a candidate only where it is better on annotated cases of the group from which it did not
learn, and where it still finds about as much. Without such cases nothing is made, since nobody would notice a collapse.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.errors import InputError
from medloop.core.records import Case, Model
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.learned import SURER_ON
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.adaptations import ENTROPY
from medloop.loop.judging.drift_groups import group_of
from medloop.loop.judging.predictions import load_predictor, own_networks
from medloop.loop.learning.adapting import (
    AdaptReport,
    adaptable_cases,
    compared,
    judged_words,
    prepared_image,
    register_adapted,
    with_left_out,
)
from medloop.metrics.intervals import Interval

if TYPE_CHECKING:
    from medloop.models.inference.predict import Predictor

FEWEST_JUDGED = 3
"""Annotated patients of the group without whom nobody knows whether it is better."""

LEAST_LEFT = 1 / 3
"""Of the foreground that was predicted before; with less the network has collapsed."""


def adapt_by_entropy(
    workspace: Workspace, *, by: str, value: str, actor: str = "system", report: Report = lambda _share, _line: None
) -> AdaptReport:
    """Adapt the model in use to a group by test-time entropy minimisation (Tent), and register it as a candidate if it is better.

    Args:
        workspace: The project.
        by: Column that makes groups; "all" takes every unlabelled case.
        value: Which group.
        actor: Who wants it.
        report: Receives progress.

    Raises:
        InputError: No model, no segmentation, no such group, too few cases, or too few annotated patients of the group to judge by.
        UnavailableError: Networks that cannot be adapted so.
    """
    from medloop.models.inference.tent import minimise_entropy

    left_out = LeftOut(workspace)
    if workspace.task.kind != "segmentation":
        raise InputError("Entropy is minimised for segmentations only, this is a classification", remedy="adapt by intensities")
    model, _, new = adaptable_cases(workspace, by, value, left_out, way=ENTROPY)
    group = group_of(new[0], by)
    before = own_networks(load_predictor(workspace.store.blobs, model, as_trained=True), "be adapted")
    _require_judges(compared(workspace, (before, before), model, (by, group), left_out), group)
    after, rng = copy.copy(before), generator(workspace.settings.seed, "adapt", "entropy")
    after.networks = copy.deepcopy(before.networks)
    images = [prepared_image(workspace, before, case) for case in new]
    weights = minimise_entropy(before.recipe, after.networks, images, rng, report=lambda share: report(share, "minimising entropy"))
    quality = compared(workspace, (after, before), model, (by, group), left_out)
    surer, left = _entropies(workspace, (before, after), new)
    if problem := _problem(quality, left):
        words = f"entropy {surer[0]:.3f} -> {surer[1]:.3f} nats, but {problem}: nothing was registered"
        return with_left_out(AdaptReport(None, model.index, group, False, *surer, quality, words), left_out)
    names = [workspace.store.blobs.put(data) for data in weights]
    adapted = _registered(workspace, model, (group, new), names, actor)
    words = (
        f"model {adapted.index} is model {model.index} for {group}, with less entropy ({surer[0]:.3f} -> {surer[1]:.3f} nats): "
        f"{judged_words(quality)}. It is a candidate, not in use"
    )
    return with_left_out(AdaptReport(adapted.index, model.index, group, False, *surer, quality, words), left_out)


def _registered(workspace: Workspace, model: Model, group: tuple[str, Sequence[Case]], names: Sequence[str], actor: str) -> Model:
    """A candidate that names the cases it was made surer on: it is surer of these than of others, so that no promise is made for them."""
    members = int(model.recipe.get("members", len(model.weights)))  # behind these come the networks for any label, as they were
    told = {"sharpened": True, SURER_ON: [case.id for case in group[1]]}
    return register_adapted(workspace, model, group[0], told, weights=[*names, *model.weights[members:]], actor=actor)


def _require_judges(found: Interval | None, group: str) -> None:
    patients = found.groups if found is not None else 0
    if patients < FEWEST_JUDGED:
        raise InputError(
            f"Minimising entropy makes a model surer, right or wrong: it needs {FEWEST_JUDGED} annotated patients of {group} that the "
            f"model did not learn from, got {patients}",
            remedy="annotate some evaluation cases of the group, or adapt by intensities",
        )


def _problem(quality: Interval | None, left: float) -> str:
    """Why what came of it is no candidate; "" where it is one."""
    if left < LEAST_LEFT:
        return f"the network collapsed, it finds {left:.0%} of the foreground that it found before"
    if quality is None or quality.mean <= 0:
        return f"its masks are not better ({judged_words(quality)})"
    return ""


def _entropies(workspace: Workspace, pair: "tuple[Predictor, Predictor]", cases: Sequence[Case]) -> tuple[tuple[float, float], float]:
    """Mean entropy by voxel of both in nats, and the second one's share of the first one's foreground."""
    found, sizes = [], []
    for predictor in pair:
        sums = [_entropy(workspace, predictor, case) for case in cases]
        found.append(float(np.mean([one for one, _ in sums])))
        sizes.append(sum(size for _, size in sums))
    return (found[0], found[1]), 1.0 if not sizes[0] else sizes[1] / sizes[0]


def _entropy(workspace: Workspace, predictor: "Predictor", case: Case) -> tuple[float, int]:
    rng = generator(workspace.settings.seed, "adapt", case.name)
    chances = predictor.predict(load_image(workspace.store.blobs, case), samples=1, rng=rng).probabilities
    spoken = np.clip(chances, 1e-12, 1.0)
    return float(-(spoken * np.log(spoken)).sum(0).mean()), int((chances.argmax(0) > 0).sum())
