"""Predictions: what the model proposes for a case, how unsure it is, and how good it probably is.

Samples become a mask, an uncertainty map and scores through pure functions; the result lies on the
case's own grid. Runs in the worker or the assistant.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.declaring import current_names
from medloop.core.errors import BlobError, UnavailableError
from medloop.core.names import folded
from medloop.core.records import Aggregation, Case, Json, Model, Prediction, Query, Round, new_id, now
from medloop.core.seeds import generator
from medloop.core.settings import UncertaintySource
from medloop.images.encode import encode_mask
from medloop.loop.foundation.annotated_labels import lacking_cases
from medloop.loop.foundation.arrays import load_image, load_proposal, store_features
from medloop.loop.foundation.computable import computable, fitting, misfit
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Choose, Predict, request_job
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.trials import TRIED_SPLIT, Trial, current_trial
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.appearances import describe_appearance, has_appearance
from medloop.loop.judging.evaluation_cases import evaluated_cases, fair_evaluations
from medloop.loop.judging.mask_figures import sample_figures
from medloop.loop.judging.prediction_scores import judge, readers_differ, uncertainty_bytes
from medloop.loop.judging.quality_signs import signs_of, signs_of_prediction
from medloop.models.foundation.landmarks import landmarks_from_json
from medloop.models.foundation.nnunet_recipe import AnyRecipe, NnunetRecipe, recipe_of
from medloop.quality.calibrate import calibrator_from_json
from medloop.quality.expected import QualityRule, fit_quality
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor, Calibrated, ModelOutput, Predictor

ANY_LABEL = "any_label"
"""Among a model's metrics the recipe of its network for any label; models without one have no such network."""

ALIGNED = "aligned"
"""Among a model's metrics what is done to intensities before its networks see them; models that are not adapted have none."""

ALIKE = 50
"""Answered cases that every model looks at too, so that like cases can be shown beside an explanation."""


def load_predictor(blobs: Blobs, model: Model, *, as_trained: bool = False) -> "AnyPredictor":
    """The model, ready to predict, with its calibration unless it is wanted `as_trained`; needs torch.

    Raises:
        BlobError: Its weights are damaged or gone.
        UnavailableError: nnU-Net trained it, and is not there.
    """
    recipe = recipe_of(model)
    fitted = {} if as_trained else model.metrics.get("calibration", {}).get("calibrator", {})
    calibrated = calibrator_from_json(fitted) if fitted else None
    source, unlearned = model.metrics.get("uncertainty_source", "all"), model.metrics.get(NOT_LEARNED, ())
    predictor = predictor_of(recipe, weights_of(blobs, model), source, calibrated, unlearned=unlearned)
    if ALIGNED in model.metrics:
        own_networks(predictor, "be given moved intensities").aligned = landmarks_from_json(model.metrics[ALIGNED])
    return predictor


def predictor_of(
    recipe: AnyRecipe,
    weights: Sequence[bytes],
    source: UncertaintySource,
    calibrated: "Calibrated | None" = None,
    *,
    unlearned: Collection[int] = (),
) -> "AnyPredictor":
    """Networks of a recipe, whatever trained them; `unlearned` are values of labels that no case taught."""
    if isinstance(recipe, NnunetRecipe):
        from medloop.models.exchange.nnunet_networks import NnunetNetworks

        return NnunetNetworks(recipe, weights, sampler=source, calibrated=calibrated, unlearned=unlearned)
    from medloop.models.inference.predict import Predictor

    return Predictor.load(recipe, weights, sampler=source, calibrated=calibrated, unlearned=unlearned)


def own_networks(predictor: "AnyPredictor", what: str) -> "Predictor":
    """A predictor whose networks are in this process, for what reads more than answers; `what` completes "can …".

    Raises:
        UnavailableError: Its networks are nnU-Net's.
    """
    from medloop.models.inference.predict import Predictor

    if not isinstance(predictor, Predictor):
        rule = f"Only networks that medloop trained can {what}, the model in use was trained by nnU-Net"
        raise UnavailableError(rule, remedy="use another one with medloop models, or train with learner=builtin")
    return predictor


def weights_of(blobs: Blobs, model: Model, *, any_label: bool = False) -> list[bytes]:
    """The weights of a model's members, or of its network for any label, which come after these.

    Raises:
        BlobError: They are damaged or gone; the message names the model.
    """
    members = int(model.recipe.get("members", len(model.weights)))
    try:
        return [blobs.get(name) for name in (model.weights[members:] if any_label else model.weights[:members])]
    except BlobError as error:
        remedy = "use another one with medloop models, train again, or restore the folder blobs from a backup"
        raise type(error)(f"The weights of model {model.index} cannot be read ({error.message})", remedy=remedy, blob=error.blob) from error


def run_prediction(workspace: Workspace, control: JobControl) -> Json:
    """Predict the next choices ("upcoming") or every unanswered training case ("pool") with one model, or a candidate's share ("trial").

    Cases already predicted by this model are left out, so that a killed job goes on where it was. After
    the pool, the next round's query is prepared.
    """
    asked = Predict(**control.job.payload)
    with workspace.store.read() as tx:
        model, live = tx.get(Model, asked.model_id), tx.live_model()
        trial = current_trial(tx) if asked.scope == "trial" else None
        if live is not None and live.id != model.id and (trial is None or trial.model_id != model.id):
            return {"message": f"model {live.index} is in use, nothing to do"}
        cases = _tried(tx, trial) if trial else _upcoming(tx) if asked.scope == "upcoming" else _pool(workspace, tx)
        done = {p.case_id for p in tx.latest_predictions(model.id)}
    lacking = [c for c in cases if c.id not in done]
    left_out = predict_cases(workspace, model, lacking, control)
    if asked.scope == "pool":
        request_job(workspace, Choose(), f"query-{model.id}")
    recipe = recipe_of(model)
    missed = len(left_out.cases) + sum(bool(misfit(recipe, case)) for case in lacking)
    return {"predicted": len(cases) - missed, "new": len(lacking) - missed, **left_out.result()}


def predict_cases(workspace: Workspace, model: Model, cases: Sequence[Case], control: JobControl) -> LeftOut:
    """Predict cases one by one, each committed by itself; returns those whose image cannot be read or computed on.

    Cases of other channels or slices than the networks read are left out with one line in the log.
    """
    left_out, recipe = LeftOut(workspace, control.log), recipe_of(model)
    cases = computable(recipe, fitting(recipe, cases, control.log), left_out)
    if not cases:
        return left_out
    predictor, quality = load_predictor(workspace.store.blobs, model), quality_rule(workspace, model)
    too_large = len(left_out.cases)
    for done, case in enumerate(cases):
        control.report(done / len(cases), f"predicting {case.name} ({done + 1} of {len(cases)})")
        with left_out.case(case):
            predict_case(workspace, model, predictor, case, quality=quality)
    control.log(f"model {model.index} predicted {len(cases) + too_large - len(left_out.cases)} cases")
    return left_out


def predict_case(
    workspace: Workspace, model: Model, predictor: "AnyPredictor", case: Case, *, quality: QualityRule | None = None
) -> Prediction:
    """Predict one case and store the result; a prediction that already exists is returned."""
    with workspace.store.read() as tx:
        before = tx.find(Prediction, where={"case_id": case.id, "model_id": model.id}, limit=1, descending=True)
        looks = not has_appearance(tx, case)
    if before:
        return before[0]
    rng = generator(workspace.settings.seed, "predict", model.index, case.name)
    image = load_image(workspace.store.blobs, case)
    answer = predictor.predict(image, samples=int(model.metrics.get("samples", workspace.settings.samples)), rng=rng)
    appearance = describe_appearance(workspace, case, image) if looks else None
    prediction = make_prediction(
        workspace.store.blobs,
        case,
        model,
        answer,
        quality or quality_rule(workspace, model),
        aggregation=current_names(model.metrics).get(
            "aggregation", workspace.settings.aggregation
        ),  # of one model, all predictions are made alike
        earlier=_earlier_mask(workspace, model, case),
    )
    with workspace.store.write("worker") as tx:
        again = tx.find(Prediction, where={"case_id": case.id, "model_id": model.id}, limit=1, descending=True)
        if again:
            return again[0]
        tx.add(prediction, verb="predict")
        if appearance is not None and not has_appearance(tx, case):
            tx.add(appearance, verb="describe")
    return prediction


def propose_case(workspace: Workspace, case_id: str, predictor: "AnyPredictor") -> Prediction | None:
    """Predict one case with the model in use, now; None when there is no model."""
    with workspace.store.read() as tx:
        model, case = tx.live_model(), tx.get(Case, case_id)
    return predict_case(workspace, model, predictor, case) if model else None


def make_prediction(
    blobs: Blobs,
    case: Case,
    model: Model,
    found: "ModelOutput",
    quality: QualityRule,
    *,
    aggregation: Aggregation = "mean",
    earlier: MaskArray | None = None,
) -> Prediction:
    """Turn what a model says of a case into a stored prediction; `earlier` is the mask, shape (I, J, K), of the model before it.

    Where the evaluated patients cannot tell, the expected quality stays unknown: raw agreement is no Dice.
    """
    said = judged_prediction(case, model, found, quality, aggregation=aggregation, earlier=earlier)
    is_mask = found.samples.ndim > 2
    return replace(
        said,
        mask=blobs.put(encode_mask(proposed_mask(model, found))) if is_mask else None,
        uncertainty=blobs.put(encode_mask(uncertainty_bytes(found.samples))) if is_mask else None,
        features=store_features(blobs, found.features),
    )


def judged_prediction(
    case: Case,
    model: Model,
    found: "ModelOutput",
    quality: QualityRule,
    *,
    aggregation: Aggregation = "mean",
    earlier: MaskArray | None = None,
) -> Prediction:
    """What a model says of a case in numbers, without the arrays: nothing is stored. See `make_prediction`."""
    samples, mean = found.samples, found.probabilities
    judged = judge(samples, aggregation=aggregation, spacing_mm=case.grid.spacing_mm, differ=readers_differ(model))
    signs = signs_of(samples, judged.agreement, spacing_mm=case.grid.spacing_mm, earlier=earlier)
    expected = quality(signs)
    is_mask = samples.ndim > 2
    return Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask=None,
        uncertainty=None,
        probabilities=tuple(float(v) for v in (mean.mean(axis=(1, 2, 3)) if is_mask else mean)),
        features=None,
        scores={**judged.scores, "agreement": judged.agreement, "signs": [[name, value] for name, value in signs.items()]}
        | ({"measures": sample_figures(samples, case, model.recipe.get("regions", ()))} if is_mask else {}),
        quality=expected.expected if expected else None,
        quality_low=expected.low if expected else None,
        quality_high=expected.high if expected else None,
        created_at=now(),
    )


def proposed_mask(model: Model, found: "ModelOutput") -> MaskArray:
    """The mask that a model proposes, shape (I, J, K)."""
    return likeliest(found.probabilities, model.metrics.get(NOT_LEARNED, ()))


def likeliest(probabilities: FloatArray, unlearned: Collection[int]) -> MaskArray:
    """The likeliest label of each voxel, shape (I, J, K), among those that a model has learned; probabilities (classes, I, J, K)."""
    learned = np.array([value not in unlearned for value in range(len(probabilities))])
    proposed: MaskArray = np.where(learned[:, None, None, None], probabilities, -1.0).argmax(axis=0).astype(np.uint8)
    return proposed


def quality_rule(workspace: Workspace, model: Model) -> QualityRule:
    """What this model's evaluated patients teach about the quality of its other predictions.

    Nothing is borrowed from another model: it makes other errors.
    """
    with workspace.store.read() as tx:
        cases = evaluated_cases(tx, model.id)
    signs, truth = [signs_of_prediction(c.prediction) for c in cases], np.array([c.truth for c in cases])
    return fit_quality(signs, truth, [c.patient for c in cases])


def quality_note(workspace: Workspace, model: Model) -> str:
    """Why this model's predictions have no expected quality, in words; "" where they have."""
    with workspace.store.read() as tx:
        key = " ".join([model.id, *sorted(e.id for e in fair_evaluations(tx, model.id))])
    with memo(workspace, "quality notes") as known:
        return str(known.get(key, lambda: quality_rule(workspace, model).note))


def _earlier_mask(workspace: Workspace, model: Model, case: Case) -> MaskArray | None:
    """What the model before this one says of the case, where it has seen it."""
    with workspace.store.read() as tx:
        before = tx.find(Model, where={"index": model.index - 1}, limit=1)
        found = (
            tx.find(Prediction, where={"case_id": case.id, "model_id": before[0].id}, limit=1) if before and not before[0].outside else []
        )
    if not found or found[0].mask is None:
        return None
    try:
        return load_proposal(workspace.store.blobs, found[0], case)
    except BlobError:  # what an older model said is only a sign of quality
        return None


def _upcoming(tx: Reader) -> list[Case]:
    rounds = tx.find(Round, where={"state": ["annotating", "querying"]}, order=("index",))
    asked = [c.case_id for r in rounds if r.query_id for c in tx.get(Query, r.query_id).choices]
    answered = {a.case_id for a in tx.current_annotations(case_ids=asked)} if asked else set()
    return [tx.get(Case, i) for i in asked if i not in answered]


def _tried(tx: Reader, trial: Trial) -> list[Case]:
    """The unanswered cases that open with a candidate's proposals, those of the rounds at work first."""
    cases = [*_upcoming(tx), *sorted(tx.unlabelled_cases([TRIED_SPLIT], exclude_open=False), key=lambda case: case.name)]
    return list({case.id: case for case in cases if case.split == TRIED_SPLIT and trial.takes(case.id)}.values())


def _pool(workspace: Workspace, tx: Reader) -> list[Case]:
    """Unanswered cases by name, and answered training cases: all with a strategy that compares with them, else the newest `ALIKE`.

    Cases that lack the label which the project queries for are among them.
    """
    from medloop.query.pool import COMPARING
    from medloop.query.strategies import needs_of

    cases = {c.id: c for c in tx.unlabelled_cases(["train", "audit"], exclude_open=False)}
    answers = sorted(tx.current_annotations(splits=["train"]), key=lambda a: a.created_at)
    compared = answers if needs_of(workspace.settings.strategy) & COMPARING else answers[-ALIKE:]
    cases |= {a.case_id: tx.get(Case, a.case_id) for a in compared}
    cases |= {c.id: c for c in tx.find(Case, where={"id": sorted(_lacking(workspace, tx))})}
    return sorted(cases.values(), key=lambda c: c.name)


def _lacking(workspace: Workspace, tx: Reader) -> set[str]:
    """Ids of the training and audit cases that lack the label which the project queries for."""
    wanted = workspace.settings.query_label
    found = lacking_cases(tx, workspace.task) if wanted else {}
    return {case_id for case_id, labels in found.items() if folded(wanted) in {folded(label.name) for label in labels}}
