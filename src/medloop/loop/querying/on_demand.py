"""What queries need beyond predictions: features before there is a model, and scores that are worked out on demand.

`kept_features` only reads and is safe anywhere; `cold_features`, `extra_scores` and the job "describe" may look at
every image and train small networks, so they belong into the worker.
"""

from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial

import numpy as np

from medloop.core.arrays import CaseScores, FloatArray
from medloop.core.errors import BlobError, InputError
from medloop.core.names import counted
from medloop.core.records import Case, Json, Model, Prediction, Round
from medloop.core.seeds import derive_seed
from medloop.loop.foundation.arrays import load_features, load_image
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.described import Report, Vectors, describe_cases, kept_vectors
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Choose, Describe, request_job
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.judging.predictions import kept_predictor, load_predictor, own_networks, predict_case, quality_rule
from medloop.loop.querying.descriptions import learned_maker, newest_maker, small_views
from medloop.loop.querying.start_features import cold_start, describe_by_start, kept_by_start, waits_for_pretraining
from medloop.models.foundation.nnunet_recipe import LEARNER, recipe_of
from medloop.models.pretext.descriptors import describe_image
from medloop.query.pool import LATENT
from medloop.query.strategies import needs_of

CONTRAST_STEPS = LATENT_STEPS = 300
"""Half a minute to a minute of one core for each of the two networks."""


@dataclass(frozen=True, eq=False)
class Extra:
    """What could be worked out for a `Pool`, by name: shape (cases,), tables of a row per case, the same of a row per answered case."""

    scores: Mapping[str, CaseScores] = field(default_factory=dict)
    tables: Mapping[str, FloatArray] = field(default_factory=dict)
    labelled: Mapping[str, FloatArray] = field(default_factory=dict)


def cold_features(workspace: Workspace, cases: Sequence[Case], *, report: Report | None = None) -> Vectors:
    """Features of cases that need no model and no answer, by the project's `cold_start`; computed once per case.

    Returns:
        Case id → vector; all of the same length. "selfsup" are those of the weights that trainings begin with, where there are
        such, else of a small network of its own; it falls back to descriptors below four training cases.
    """
    if (start := cold_start(workspace)) is not None:
        try:
            return describe_by_start(workspace, start, cases, report=report)
        except (InputError, BlobError) as error:
            if report is not None:
                report(0.0, f"the {start.words} cannot describe the cases ({error})")
    if workspace.settings.cold_start == "selfsup" and (maker := _encoder(workspace, report)) is not None:
        return _embedded(workspace, maker, cases, report)
    return describe_cases(workspace, "descriptors", "", cases, _descriptors, report=report)


def _descriptors(workspace: Workspace, case: Case) -> FloatArray:
    return describe_image(load_image(workspace.store.blobs, case))


def kept_features(workspace: Workspace, cases: Sequence[Case]) -> Vectors:
    """The cold features that are there already, all of one method; looks at no image and trains nothing."""
    if (by_start := kept_by_start(workspace, cases)) and len(by_start) == len(cases):
        return by_start
    maker = newest_maker(workspace, "selfsup") if workspace.settings.cold_start == "selfsup" else None
    learned = kept_vectors(workspace, "selfsup", maker, cases) if maker is not None else {}
    return learned if len(learned) == len(cases) else kept_vectors(workspace, "descriptors", "", cases)


def extra_scores(
    workspace: Workspace,
    needs: Collection[str],
    cases: Sequence[Case],
    *,
    labelled: Sequence[Case],
    predictions: Mapping[str, Prediction],
    model: Model | None,
) -> Extra:
    """Work out those of `query.pool.ON_DEMAND` that a strategy needs, for the pool and the labelled cases in the orders given.

    Returns:
        Without "latent" and "unlabelled" below four training cases, without "predicted_loss" below four answered ones.
    """
    found = [_latent(workspace, needs, cases, labelled)] if LATENT & set(needs) else []
    if model is not None and "predicted_loss" in needs:
        found.append(_predicted_loss(workspace, cases, labelled, predictions, model))
    if model is not None and "adversarial_distance" in needs and cases and LEARNER not in model.recipe:
        found.append(Extra({"adversarial_distance": _distances(workspace, cases, model)}))
    return Extra(*(dict(ChainMap(*(getattr(one, f.name) for one in found))) for f in fields(Extra)))


def request_description(workspace: Workspace, *, pretrained: bool = False) -> None:
    """Ask the worker to describe the cases, if a strategy of the project will need it.

    Where they are described by weights that are pretrained first, the end of that asks again (`pretrained`), however it ended.
    """
    if not pretrained and waits_for_pretraining(workspace):
        return
    settings = workspace.settings
    if "features" in needs_of(settings.first_strategy) or LATENT & needs_of(settings.strategy):
        request_job(workspace, Describe(), "describe")


def run_description(workspace: Workspace, control: JobControl) -> Json:
    """The job: describe every training and audit case, then let the first round be asked by it."""
    with workspace.store.read() as tx:
        cases = [c for c in tx.find(Case, order=("name",)) if c.split in ("train", "audit")]
        begun = tx.count(Round) > 0 or tx.live_model() is not None
    settings = workspace.settings
    described = 0
    if "features" in needs_of(settings.first_strategy):
        described = len(cold_features(workspace, cases, report=control.report))
    if LATENT & needs_of(settings.strategy):
        described = len(latent_codes(workspace, cases, report=control.report) or {})
    control.log(f"described {counted(described, 'case')}")
    if not begun and "features" in needs_of(settings.first_strategy):
        request_job(workspace, Choose(), "query-first")
    return {"described": described}


def latent_codes(workspace: Workspace, cases: Sequence[Case], *, report: Report | None = None) -> Vectors | None:
    """Latent codes of cases; None below four training cases."""
    from medloop.models.pretext.latent import LatentRecipe, train_latent

    def train(thumbnails: FloatArray, seed: int) -> bytes:
        return train_latent(thumbnails.astype(np.float32), LatentRecipe(steps=LATENT_STEPS, seed=seed))

    maker = learned_maker(workspace, "latent", train, report=report)
    if maker is None:
        return None
    weights = workspace.store.blobs.get(maker)
    return describe_cases(workspace, "latent", maker, cases, partial(_latent_code, weights), report=report)


def _latent_code(weights: bytes, workspace: Workspace, case: Case) -> FloatArray:
    from medloop.models.pretext.latent import encode_latent

    return np.asarray(encode_latent(weights, small_views(workspace, case)[None])[0])


def _encoder(workspace: Workspace, report: Report | None) -> str | None:
    from medloop.models.pretext.selfsup import ContrastRecipe, train_selfsup

    def train(thumbnails: FloatArray, seed: int) -> bytes:
        return train_selfsup(thumbnails.astype(np.float32), ContrastRecipe(steps=CONTRAST_STEPS, seed=seed))

    return learned_maker(workspace, "selfsup", train, report=report)


def _embedded(workspace: Workspace, maker: str, cases: Sequence[Case], report: Report | None) -> Vectors:
    return describe_cases(workspace, "selfsup", maker, cases, partial(_embedding, workspace.store.blobs.get(maker)), report=report)


def _embedding(weights: bytes, workspace: Workspace, case: Case) -> FloatArray:
    from medloop.models.pretext.selfsup import embed

    return np.asarray(embed(weights, small_views(workspace, case)[None])[0])


def _latent(workspace: Workspace, needs: Collection[str], cases: Sequence[Case], labelled: Sequence[Case]) -> Extra:
    from medloop.models.pretext.discriminator import unlabelled_probability

    codes = latent_codes(workspace, [*cases, *labelled])
    if codes is None or not cases:
        return Extra()
    table = np.stack([codes[c.id] for c in cases])
    known = np.stack([codes[c.id] for c in labelled]) if labelled else table[:0]
    seed = derive_seed(workspace.settings.seed, "unlabelled", len(labelled))
    scores = {"unlabelled": unlabelled_probability(table, known, seed=seed)} if "unlabelled" in needs else {}
    return Extra(scores, {"latent": table}, {"latent": known})


def _predicted_loss(
    workspace: Workspace, cases: Sequence[Case], labelled: Sequence[Case], predictions: Mapping[str, Prediction], model: Model
) -> Extra:
    from medloop.models.pretext.learning_loss import FEWEST_CASES, predicted_losses

    if len(labelled) < FEWEST_CASES or not cases or not all(c.id in predictions and predictions[c.id].features for c in cases):
        return Extra()
    answered = _annotated_predictions(workspace, labelled, predictions, model)
    losses = _losses(workspace, model, {c.id: c for c in labelled})
    ordered = [i for i in (c.id for c in labelled) if i in losses and i in answered and answered[i].features]
    if len(ordered) < FEWEST_CASES:
        return Extra()
    known = _table(workspace, [answered[i] for i in ordered])
    truth = np.array([losses[i] for i in ordered])
    asked = _table(workspace, [predictions[c.id] for c in cases])
    seed = derive_seed(workspace.settings.seed, "learning loss", model.index)
    return Extra({"predicted_loss": predicted_losses(known, truth, asked, seed=seed)})


def _annotated_predictions(
    workspace: Workspace, labelled: Sequence[Case], predictions: Mapping[str, Prediction], model: Model
) -> dict[str, Prediction]:
    """The model's predictions of the answered cases; missing ones are made."""
    missing = computable(recipe_of(model), [c for c in labelled if c.id not in predictions], LeftOut(workspace))
    found = {c.id: predictions[c.id] for c in labelled if c.id in predictions}
    if missing:
        predictor, quality = load_predictor(workspace.store.blobs, model), quality_rule(workspace, model)
        found |= {case.id: predict_case(workspace, model, predictor, case, quality=quality) for case in missing}
    return found


def _losses(workspace: Workspace, model: Model, cases: dict[str, Case]) -> dict[str, float]:
    """One minus the score of the model's prediction, by id of the answered case."""
    with workspace.store.read() as tx:
        answers = [a for a in consensus_annotations(tx, "train") if a.case_id in cases]
    scored = score_annotations(workspace, model, answers, cases)
    return {case_id: 1.0 - float(np.mean(list(by_label.values()))) for case_id, by_label in scored.items()}


def _table(workspace: Workspace, predictions: Sequence[Prediction]) -> FloatArray:
    return np.stack([load_features(workspace.store.blobs, p.features) for p in predictions if p.features])


def _distances(workspace: Workspace, cases: Sequence[Case], model: Model) -> CaseScores:
    """Distances to the decision border, kept per model, so that a killed query goes on where it was."""
    vectors = describe_cases(workspace, "adversarial_distance", model.id, cases, partial(_distance, model))
    return np.array([float(vectors[c.id][0]) for c in cases])


def _distance(model: Model, workspace: Workspace, case: Case) -> FloatArray:
    from medloop.models.inference.adversarial import adversarial_distance

    networks = own_networks(kept_predictor(workspace.store.blobs, model), "say how far the border is")
    return np.array([adversarial_distance(networks, load_image(workspace.store.blobs, case))], dtype=np.float32)
