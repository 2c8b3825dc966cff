"""How far a model's stated probabilities come true on evaluation cases, and the map that corrects them.

A training ends with a temperature fitted on its validation cases, near borders for a segmentation, and kept with the model if
patients it was not fitted on are calibrated better by it; every prediction of the model is made with it. `calibrate_model`
measures on test and audit cases, which no map has seen, and stores nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, ClassSamples, IntArray
from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.names import counted
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Json, Model
from medloop.core.seeds import generator
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.label_versions import has_every_output, labels_of_model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.metrics.calibration import ece
from medloop.metrics.intervals import MIN_PATIENTS
from medloop.metrics.voxel_calibration import Calibration, boundary_band, judge_rows
from medloop.quality.calibrate import COLDEST, Calibrator, fit_isotonic, fit_temperature

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.soft_targets import SoftTarget

Method: TypeAlias = Literal["temperature", "isotonic"]
Rows: TypeAlias = tuple[IntArray, ClassSamples]
"""Truth, shape (rows,), and what each sample says, shape (samples, rows, classes)."""

BAND_MM = 3.0
VOXELS_PER_CASE = 20_000

FEWEST: Mapping[bool, int] = {True: MIN_PATIENTS, False: 20}
"""Validation patients that a calibration needs: of masks (True) a case has thousands of voxels, of a classification one row."""

MOST_CASES = 20
"""Validation cases looked at after a training: each is predicted once more."""

FOLDS = 5

AT_BOUND = 1.01
"""A temperature this near to the coldest was stopped there: without an error to explain, colder is always better, down to never erring."""


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration changes.

    Attributes:
        calibrator: The map, as `calibrator_from_json` reads it.
        fitted_on: Validation cases behind it.
        judged_on: Test and audit cases; the figures are None without any.
        before, after: On those, near borders for a segmentation.
    """

    model_index: int
    calibrator: Json
    fitted_on: int
    judged_on: int
    before: Calibration | None
    after: Calibration | None


def calibration_of(
    workspace: Workspace,
    load: "Callable[[], AnyPredictor]",
    validation: "Sequence[TrainingCase]",
    *,
    seed: int,
    missing: Sequence[int] = (),
) -> Json:
    """What a model that was just trained keeps of its calibration, as `calibration_words` reads it; loaded only where that can be told.

    Fitted on cases that annotate every label which it has learned; `missing` are values of those that it has not.

    Returns:
        `calibrator` if there is one, else `note` with the reason; `patients` and the calibration errors `before` and `after` over
        patients that the map was not fitted on.
    """
    if workspace.settings.calibration == "none":
        return {"note": "off by the setting calibration"}
    learned = {0, *workspace.task.mask_values} - {*missing}
    complete = [case for case in validation if not case.known or learned <= {*case.known}]
    with workspace.store.read() as tx:
        found = sorted(tx.find(Case, where={"name": [case.id for case in complete]}), key=lambda c: c.name)
    patient = {c.name: c.patient for c in found}
    alone = {c.name for c in {c.voxels: c for c in reversed(found)}.values()}  # copies of a patient would judge a map fitted on them
    complete = [case for case in complete if case.id in alone]
    chosen = [complete[n] for n in sorted(generator(seed, "calibration cases").permutation(len(complete))[:MOST_CASES])]
    patients = sorted({patient[case.id] for case in chosen})
    fewest = FEWEST[workspace.task.kind == "segmentation"]
    if len(patients) < fewest:
        copies = len(patient) - len(complete)
        same = f"; {counted(copies, 'case')} with the same image as another left out" if copies else ""
        every = " that annotate every label" if len(complete) + copies < len(validation) else ""
        return {"note": f"needs {fewest} validation patients{every}, got {len(patients)}{same}"}
    samples, predictor = workspace.settings.samples, load()
    rows = [
        _rows_of(predictor, *case.load(), samples=samples, rng=generator(seed, "calibrate", case.id), soft=case.soft and case.soft())
        for case in chosen
    ]
    if len(np.unique(_joined(rows)[0])) < 2:
        return {"note": "the validation cases hold one class only"}
    fold = [patients.index(patient[case.id]) % FOLDS for case in chosen]
    before, after = _cross_validated(rows, fold)
    errors = {"patients": len(patients), "before": before, "after": after}
    if after >= before:
        return {**errors, "note": f"a temperature does not help {counted(len(patients), 'validation patient')} it was not fitted on"}
    fitted = fit_temperature(*_joined(rows))
    if fitted.temperature < COLDEST * AT_BOUND:
        return {**errors, "note": f"no temperature above {COLDEST:g} fits best, as where no validation case shows an error"}
    return {**errors, "calibrator": fitted.to_json()}


def calibration_words(model: Model) -> str:
    """What a model's calibration is, in words; models from before there was one have none."""
    kept = model.metrics.get("calibration", {})
    errors = f"calibration error {kept['before']:.3f} -> {kept['after']:.3f}" if "before" in kept else ""
    if "calibrator" not in kept:
        return f"probabilities as trained: {kept.get('note', 'trained before calibration was kept')}" + (f" ({errors})" if errors else "")
    temperature, patients = kept["calibrator"]["temperature"], counted(kept["patients"], "validation patient")
    return f"temperature {temperature:.2f}, {errors} on {patients} it was not fitted on, which also chose the weights"


def _cross_validated(rows: Sequence[Rows], fold: Sequence[int]) -> tuple[float, float]:
    """Calibration errors of what is stated and of what a temperature makes of it that was fitted on the patients of the other folds."""
    stated, scaled = list[Rows](), list[Rows]()
    for number in sorted(set(fold)):
        own = _joined([one for one, at in zip(rows, fold, strict=True) if at == number])
        fitted = fit_temperature(*_joined([one for one, at in zip(rows, fold, strict=True) if at != number]))
        stated.append(own)
        scaled.append((own[0], fitted(own[1], axis=2)))
    before, after = ((labels, samples.mean(axis=0)) for labels, samples in (_joined(stated), _joined(scaled)))
    return ece(*before), ece(*after)


def calibrate_model(workspace: Workspace, *, method: Method = "temperature") -> CalibrationReport:
    """Fit and judge a calibration of the newest model; predicts the evaluation cases, so it needs torch and takes a while.

    Raises:
        InputError: Without a model, or without validation answers.
    """
    with workspace.store.read() as tx:
        model = tx.live_model()
        scope = annotated_labels(tx, workspace.task)
        learned = labels_of_model(model, workspace.task) if model else workspace.task.labels
        found = {split: [a for a in consensus_annotations(tx, split) if scope.of(a) == learned] for split in EVALUATION_SPLITS}
        cases = {a.case_id: tx.get(Case, a.case_id) for answers in found.values() for a in answers}
    left_out = LeftOut(workspace)
    answered = {split: [(a, cases[a.case_id]) for a in sound_annotations(answers, cases, left_out)] for split, answers in found.items()}
    if model is None or not answered["validation"]:
        have = "no model" if model is None else "no validation annotations"
        raise InputError(f"A calibration is fitted on validation annotations and predictions, got {have}", remedy="annotate and train")
    if not has_every_output(model, workspace.task):
        raise InputError(
            f"Model {model.index} does not know every label of the task, or of which labels voxels may be together", remedy="train again"
        )
    predictor, samples = load_predictor(workspace.store.blobs, model, as_trained=True), workspace.settings.samples

    def rows_of(answer: Annotation, case: Case) -> Rows:
        rng = generator(workspace.settings.seed, "calibrate", model.index, case.name)
        blobs = workspace.store.blobs
        return _rows_of(predictor, load_image(blobs, case), load_annotation(blobs, answer, case), samples=samples, rng=rng)

    rows = {split: [rows_of(*pair) for pair in pairs] for split, pairs in answered.items()}
    labels, stated = _joined(rows["validation"])
    fitted: Calibrator = fit_temperature(labels, stated) if method == "temperature" else fit_isotonic(labels, stated.mean(axis=0))
    fair: list[Rows] = [one for split, judged in rows.items() if split != "validation" for one in judged]
    before, after = _judge(fair, fitted) if fair else (None, None)
    return CalibrationReport(model.index, fitted.to_json(), len(rows["validation"]), len(fair), before, after)


def _judge(parts: Sequence[Rows], fitted: Calibrator) -> tuple[Calibration, Calibration]:
    labels, samples = _joined(parts)
    return judge_rows(labels, samples.mean(axis=0)), judge_rows(labels, fitted(samples, axis=2).mean(axis=0))


def _rows_of(
    predictor: "AnyPredictor", image: Image, truth: Mask | int, *, samples: int, rng: np.random.Generator, soft: "SoftTarget | None" = None
) -> Rows:
    """Truth and stated probabilities: of voxels near the true border, or of the whole case of a classification.

    Of a soft target the truth is what one reader, drawn at random, would say: fitted to what most of them say, a network that learned
    how far they differ would be made to deny it.
    """
    stated = predictor.predict(image, samples=samples, rng=rng).samples
    if not isinstance(truth, Mask):
        label = np.array([truth], dtype=np.uint8)
        return (soft.draw(label, rng) if soft else label).astype(np.int64), stated[:, None]
    where = _near_borders(truth)
    some = np.flatnonzero(where)[rng.permutation(int(where.sum()))[:VOXELS_PER_CASE]]
    labels = soft.draw(truth.array, rng) if soft else truth.array
    return labels.ravel()[some].astype(np.int64), stated.reshape(*stated.shape[:2], -1)[:, :, some].transpose(0, 2, 1)


def _near_borders(truth: Mask) -> BoolArray:
    """Annotated voxels near the true border; all annotated ones where there is none."""
    band = boundary_band(truth.array, truth.grid, width_mm=max(BAND_MM, *truth.grid.spacing_mm))
    annotated: BoolArray = truth.array != UNKNOWN
    return annotated & band if (annotated & band).any() else annotated


def _joined(parts: Sequence[Rows]) -> Rows:
    return np.concatenate([labels for labels, _ in parts]), np.concatenate([samples for _, samples in parts], axis=1)
