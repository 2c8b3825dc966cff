"""Explanations a person can act on: where the model looks, what else it might have meant, and which cases are alike.

Saliency and hypotheses need the model and run where torch is; similar cases need the store only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.errors import LabelError, NotFoundError
from medloop.core.records import Annotation, Case, Prediction
from medloop.core.seeds import generator
from medloop.explain.contrast import SuggestedPrompt, suggest_prompts
from medloop.explain.examples import Distance, nearest
from medloop.explain.hypotheses import Hypothesis, distinct_hypotheses
from medloop.loop.foundation.arrays import load_annotation, load_features, load_image
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.described import kept_vectors
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.loop.judging.predictions import own_networks

if TYPE_CHECKING:
    from medloop.explain.saliency import Saliency
    from medloop.models.inference.predict import AnyPredictor

DESCRIPTORS = "descriptors"


@dataclass(frozen=True)
class SimilarCase:
    """An answered case that looks alike (distance 0: the same), its labels, and the score of the model on it where evaluated."""

    case_id: str
    name: str
    distance: float
    labels: tuple[str, ...]
    quality: float | None


@dataclass(frozen=True)
class SimilarCases:
    """The nearest answered cases, nearest first; `by` is "model" (its embeddings) or "descriptors" (of images alone)."""

    by: str
    cases: tuple[SimilarCase, ...]


@dataclass(frozen=True, eq=False)
class Alternatives:
    """What a model might have meant, likeliest first, and the places where one hint would change the mask most."""

    hypotheses: tuple[Hypothesis, ...]
    suggested_prompts: tuple[SuggestedPrompt, ...]


def explain_case(workspace: Workspace, case_id: str, predictor: "AnyPredictor", *, label: int, method: str) -> "Saliency":
    """Where the model looks for one label of a case; needs torch and Captum.

    Raises:
        NotFoundError: No such case.
        LabelError: A label that the task does not have.
        MedloopError: Whatever `medloop.explain.saliency.explain_image` raises.
    """
    from medloop.explain.saliency import explain_image

    if label not in workspace.task.label_values:
        raise LabelError(f"The task has the labels {list(workspace.task.label_values)}, got {label}")
    case = workspace.store.get(Case, case_id)
    own = own_networks(predictor, "be explained by saliency")
    return explain_image(own, load_image(workspace.store.blobs, case), label=label, method=method)


def alternatives(workspace: Workspace, case_id: str, predictor: "AnyPredictor", *, most: int = 4, samples: int = 12) -> Alternatives:
    """Draw samples of a case anew and gather them; needs torch. The same case and model give the same again.

    Raises:
        NotFoundError: No such case.
        StateError: The project is a classification.
    """
    require_masks(workspace, "Another hypothesis")
    case = workspace.store.get(Case, case_id)
    rng = generator(workspace.settings.seed, "hypotheses", case.name)
    drawn = predictor.predict(load_image(workspace.store.blobs, case), samples=samples, rng=rng).samples
    return Alternatives(tuple(distinct_hypotheses(drawn, most=most)), tuple(suggest_prompts(drawn, case.grid)))


def similar_cases(
    workspace: Workspace, case_id: str, *, count: int = 5, distance: Distance = "cosine", hidden: Collection[str] = ()
) -> SimilarCases:
    """The answered cases that the model sees as most alike; before there is a model, those whose images are.

    Args:
        workspace: The project.
        case_id: Of the case in front of somebody.
        count: At most so many.
        distance: How far apart embeddings are.
        hidden: Cases whose annotations whoever looks must not see.

    Raises:
        NotFoundError: No such case, or nothing to compare it by.
    """
    with workspace.store.read() as tx:
        case = tx.get(Case, case_id)
        answers = {i: deciding(found) for i, found in by_case(tx.current_annotations()).items() if i not in {case_id, *hidden}}
        own = newest_proposal(tx, case_id)
        seen = tx.latest_predictions(own.model_id) if own and own.features else []
    vectors = {p.case_id: load_features(workspace.store.blobs, p.features) for p in seen if p.features and p.case_id in {*answers, case_id}}
    by = "model"
    if len(vectors) < 2:
        with workspace.store.read() as tx:
            cases = [case, *(tx.get(Case, i) for i in answers)]
        by, vectors = DESCRIPTORS, kept_vectors(workspace, DESCRIPTORS, "", cases)
    others = sorted(set(vectors) - {case_id})
    if case_id not in vectors or not others:
        raise NotFoundError(
            f"There is nothing to compare {case.name} by: no embeddings of it and of annotated cases",
            remedy="annotate cases and train a model, or choose a first strategy that describes images",
        )
    near = nearest(vectors[case_id], np.stack([vectors[i] for i in others]), count=count, distance=distance)
    scores = _scores(workspace, own)
    return SimilarCases(by, tuple(_similar(workspace, answers[others[n.index]], n.distance, scores) for n in near))


def _scores(workspace: Workspace, prediction: Prediction | None) -> dict[str, float]:
    if prediction is None:
        return {}
    with workspace.store.read() as tx:
        evaluations = tx.current_evaluations(model_id=prediction.model_id)
    return {i: float(np.mean(list(s.values()))) for e in evaluations for i, s in e.per_case.items() if s}


def _similar(workspace: Workspace, answer: Annotation, distance: float, scores: dict[str, float]) -> SimilarCase:
    case = workspace.store.get(Case, answer.case_id)
    values: Sequence[int] = ()
    with LeftOut(workspace).case(case):
        found = load_annotation(workspace.store.blobs, answer, case)
        values = [found] if isinstance(found, int) else found.values()
    labels = tuple(label.name for label in workspace.task.labels if label.value in values)
    return SimilarCase(case.id, case.name, distance, labels, scores.get(case.id))
