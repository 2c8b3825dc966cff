"""A model adapted to a group of cases that drifted: a candidate of its own, never written into the model in use.

What is adapted are the images: intensities are brought to those of the training cases, rising or, where bright and dark changed places,
falling; whichever brings the group nearest to the training cases in the network's own embedding. Weights stay as they are.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError
from medloop.core.image import Mask
from medloop.core.names import counted, natural_key
from medloop.core.records import Annotation, Case, Json, Model, new_id, now
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.computable import computable, misfit
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.learned import ADAPTED_FROM, CHAIN, learned_cases
from medloop.loop.foundation.model_choices import CANDIDATE, refused
from medloop.loop.foundation.nested import region_dice
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.adaptations import FEWEST_NEW, INTENSITIES, SHOWN, adaptable_model
from medloop.loop.judging.drift_groups import column_of, group_of
from medloop.loop.judging.live_models import decide
from medloop.loop.judging.predictions import ALIGNED, likeliest, load_predictor, own_networks
from medloop.metrics.intervals import Interval, paired_difference
from medloop.metrics.outlying import fit_distances
from medloop.models.foundation.landmarks import Landmarks, fit_landmarks
from medloop.models.foundation.nnunet_recipe import AnyRecipe, recipe_of

if TYPE_CHECKING:
    from medloop.models.inference.predict import Predictor

MOST_TRAINING, MOST_NEW, FEWEST_TRAINING = 30, 20, 5
"""Images that are read: of the training cases, of the group; and the fewest training cases that tell anything."""

CLOSER = 0.95
"""An adaptation must bring the group's median distance from the training cases to this share of it, or is not made."""

KEPT = ("samples", "uncertainty_source", "aggregation", NOT_LEARNED, "confusions", *CHAIN)
"""What of a model's metrics says how it predicts and what it learned; what measured it says nothing of the adapted one."""


@dataclass(frozen=True)
class AdaptReport:
    """What an adaptation did.

    Attributes:
        model_index: Of the candidate; None where nothing was registered.
        source_index: The model that was adapted.
        group: Whom it is for.
        falling: Whether bright and dark change places.
        before, after: Median distance of the group's cases from the training cases in the embedding, 1 for a usual one.
        quality: Dice of the adapted less that of the source on annotated cases of the group, with the number of patients; None without.
        words: All of it, in words.
        left_out: Cases that could not be read or computed on, a line each.
    """

    model_index: int | None
    source_index: int
    group: str
    falling: bool
    before: float
    after: float
    quality: Interval | None
    words: str
    left_out: tuple[str, ...] = ()


def adapt_model(workspace: Workspace, *, by: str, value: str, actor: str = "system") -> AdaptReport:
    """Adapt the model in use to the cases of one group, and register what comes of it as a candidate.

    Args:
        workspace: The project.
        by: Column that makes groups, such as "scanner"; "all" takes every unlabelled case.
        value: Which group, such as "B"; "" with `all`.
        actor: Who wants it.

    Raises:
        InputError: No model, no such group, or too few cases.
        UnavailableError: A model whose networks are not in this process.
    """
    left_out = LeftOut(workspace)
    model, training, new = adaptable_cases(workspace, by, value, left_out)
    group = group_of(new[0], by)
    predictor = own_networks(load_predictor(workspace.store.blobs, model), "be adapted")
    landmarks = fit_landmarks([prepared_image(workspace, predictor, case) for case in training])
    distance = fit_distances(_embeddings(workspace, predictor, training))
    tried: list[tuple[float, Landmarks | None]] = []
    for aligned in (None, landmarks, replace(landmarks, falling=True)):
        predictor.aligned = aligned
        tried.append((float(np.median(distance(_embeddings(workspace, predictor, new)))), aligned))
    before, (after, best) = tried[0][0], min(tried, key=lambda one: one[0])
    if best is None or after > CLOSER * before:
        words = f"no map of intensities brings {group} nearer to the training cases (distance {before:.2f}): nothing was registered"
        return with_left_out(AdaptReport(None, model.index, group, False, before, before, None, words), left_out)
    moved, predictor.aligned = copy.copy(predictor), None
    moved.aligned = best
    quality = compared(workspace, (moved, predictor), model, (by, group), left_out)
    adapted = register_adapted(workspace, model, group, {ALIGNED: best.to_json()}, actor=actor)
    words = _words(adapted, model, group, best, (before, after), quality)
    return with_left_out(AdaptReport(adapted.index, model.index, group, best.falling, before, after, quality, words), left_out)


def with_left_out(found: AdaptReport, left_out: LeftOut) -> AdaptReport:
    """With the cases that could not be read."""
    lines = tuple(str(case) for case in left_out.cases)
    more = f"; {counted(len(lines), 'case')} left out, the first: {lines[0]}" if lines else ""
    return replace(found, left_out=lines, words=found.words + more)


def _words(adapted: Model, model: Model, group: str, best: Landmarks, distances: tuple[float, float], quality: Interval | None) -> str:
    how = "with bright and dark changed" if best.falling else "with intensities moved"
    near = f"distance from the training cases {distances[0]:.2f} -> {distances[1]:.2f}"
    return (
        f"model {adapted.index} is model {model.index} for {group}, {how}: {near}; {judged_words(quality)}. It is a candidate, not in use"
    )


def judged_words(quality: Interval | None) -> str:
    """What annotated cases of the group say."""
    if quality is None:
        return "no annotated case of the group: whether its masks are better is not known"
    ends = f" ({quality.low:+.3f} to {quality.high:+.3f})" if quality.low is not None and quality.high is not None else ""
    return f"Dice {quality.mean:+.3f}{ends} on {counted(quality.groups, 'annotated patient')} of the group {quality.note}".rstrip()


def adaptable_cases(
    workspace: Workspace, by: str, value: str, left_out: LeftOut, *, way: str = INTENSITIES
) -> tuple[Model, list[Case], list[Case]]:
    """The model in use, some of the cases that it learned, and some unlabelled ones of the group that this way may be shown.

    Raises:
        InputError: No model, an adapted one, no such group, or too few cases.
    """
    with workspace.store.read() as tx:
        model = adaptable_model(tx)
        pool = sorted(tx.unlabelled_cases(SHOWN[way]), key=lambda c: natural_key(c.name))
        training = sorted((tx.get(Case, i) for i in learned_cases(tx, model)), key=lambda c: natural_key(c.name))
    column_of(pool, by)
    name = f"{by} {value}"
    new = [case for case in pool if by == "all" or group_of(case, by) == name]
    usable = partial(_is_usable, recipe_of(model), left_out)
    training, new = _drawn(workspace, training, MOST_TRAINING, usable), _drawn(workspace, new, MOST_NEW, usable)
    if len(new) < FEWEST_NEW or len(training) < FEWEST_TRAINING:
        raise InputError(
            f"An adaptation needs {FEWEST_NEW} unlabelled cases of the group and {FEWEST_TRAINING} training cases, "
            f"got {len(new)} of {name.strip()} and {len(training)}{_beside(left_out)}",
            remedy="name another group, or add cases",
        )
    return model, training, new


def _drawn(workspace: Workspace, cases: Sequence[Case], most: int, usable: Callable[[Case], bool]) -> list[Case]:
    """So many cases that can be used, drawn at random but always the same, in their order; no more are read than that takes."""
    order = generator(workspace.settings.seed, "adapt").permutation(len(cases))
    return [cases[n] for n in sorted(islice((n for n in order if usable(cases[n])), most))]


def _is_usable(recipe: AnyRecipe, left_out: LeftOut, case: Case) -> bool:
    """Whether the model can compute on a case whose image can be read; else it is left out."""
    return not misfit(recipe, case) and bool(computable(recipe, [case], left_out)) and left_out.can_read(case, case.voxels)


def _beside(left_out: LeftOut) -> str:
    lines = left_out.cases
    return f" beside {counted(len(lines), 'case')} left out ({lines[0].name}: {lines[0].reason})" if lines else ""


def prepared_image(workspace: Workspace, predictor: "Predictor", case: Case) -> FloatArray:
    """As the networks see it, shape (channels, I, J, K)."""
    from medloop.models.foundation.fitting import fit_for_networks

    return fit_for_networks(predictor.recipe, load_image(workspace.store.blobs, case), case.name).array


def _embeddings(workspace: Workspace, predictor: "Predictor", cases: Sequence[Case]) -> FloatArray:
    rng = generator(workspace.settings.seed, "adapt", "passes")
    blobs = workspace.store.blobs
    return np.stack([predictor.predict(load_image(blobs, case), samples=1, rng=rng).features for case in cases])


def compared(
    workspace: Workspace, pair: "tuple[Predictor, Predictor]", model: Model, group: tuple[str, str], left_out: LeftOut
) -> Interval | None:
    """Dice of the first predictor less that of the second on annotated cases of the group (its column and name).

    Counted are cases of whose patients the model learned nothing, not even an earlier annotation. None without any, or in a classification.
    """
    if workspace.task.kind != "segmentation":
        return None
    with workspace.store.read() as tx:
        taught = {case.patient for case in tx.find(Case, where={"id": learned_cases(tx, model)})}
        found = [a for split in ("train", "audit", "test") for a in consensus_annotations(tx, split) if a.is_whole]
        pairs = [(a, case) for a in found if (case := tx.get(Case, a.case_id)).patient not in taught]
    recipe, of_group = recipe_of(model), ((a, case) for a, case in pairs if group_of(case, group[0]) == group[1])
    pairs = list(islice((p for p in of_group if _is_usable(recipe, left_out, p[1]) and left_out.can_read(p[1], p[0].blob)), MOST_NEW))
    if not pairs:
        return None
    scores = []
    for predictor in pair:
        scores.append([_dice(workspace, predictor, model, *one) for one in pairs])
    rng = generator(workspace.settings.seed, "adapt", "interval")
    return paired_difference(scores[0], scores[1], [case.patient for _, case in pairs], rng)


def _dice(workspace: Workspace, predictor: "Predictor", model: Model, answer: Annotation, case: Case) -> float:
    blobs, rng = workspace.store.blobs, generator(workspace.settings.seed, "adapt", case.name)
    truth = load_annotation(blobs, answer, case)
    if not isinstance(truth, Mask):
        raise InputError(f"Annotation {answer.id} is a tag, it has no mask")
    mean = predictor.predict(load_image(blobs, case), samples=1, rng=rng).probabilities
    labels = workspace.task.labels
    proposed = likeliest(mean, model.metrics.get(NOT_LEARNED, ()))
    return float(np.mean(list(region_dice(proposed, truth.array, labels, [label.value for label in labels]).values())))


def register_adapted(
    workspace: Workspace, model: Model, group: str, told: Json, *, weights: Sequence[str] = (), actor: str = "system"
) -> Model:
    """Store a candidate that is a model adapted to a group, or give back the one that is just that already.

    Args:
        workspace: The project.
        model: What was adapted.
        group: Whom it is for.
        told: What was done, as it stands among the candidate's metrics.
        weights: Names of its weights, where they are others than the model's.
        actor: Who wants it.
    """
    kept: Json = {name: model.metrics[name] for name in KEPT if name in model.metrics}
    metrics: Json = {**kept, **told, ADAPTED_FROM: model.index, "adapted_to": group, "learned_with": {"adapted": True}}
    own = tuple(weights) or model.weights
    with workspace.store.write(actor) as tx:
        models = tx.find(Model, order=("index",))
        for known in models:
            if known.weights == own and {**known.metrics, **metrics} == known.metrics and not refused(tx, known.id):
                return known
        adapted = replace(model, id=new_id("model"), index=1 + models[-1].index, weights=own, metrics=metrics, created_at=now())
        tx.add(adapted, verb="adapt")
        live, choice = tx.live_model(), tx.live_choice()
        reason = f"model {adapted.index} is model {model.index} adapted to {group}: a candidate, not in use"
        decide(tx, live or model, adapted, reason, pinned=choice is not None and choice.pinned, found={CANDIDATE: True})
    return adapted
