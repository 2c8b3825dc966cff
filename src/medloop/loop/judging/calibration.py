"""How far a model's stated probabilities come true on evaluation cases, and the map that mends them.

The map is fitted on validation answers, near borders for a segmentation, and judged on test and audit answers, which it
has not seen. Nothing is stored: the report carries the map as JSON, and `Predictor` takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from medloop.core.arrays import CaseProbabilities, IntArray
from medloop.core.errors import InputError
from medloop.core.image import Mask
from medloop.core.records import EVALUATION_SPLITS, Annotation, Case, Json, Model, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_answer, load_image
from medloop.loop.foundation.consensus import consensus_answers
from medloop.loop.foundation.damage import LeftOut, sound_answers
from medloop.loop.foundation.label_versions import LabelVersions, knows_every_label, label_versions
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.metrics.voxel_calibration import Calibration, boundary_band, judge_rows, voxel_rows
from medloop.quality.calibrate import Calibrator, fit_isotonic, fit_temperature
from medloop.store.reader import Reader

if TYPE_CHECKING:
    from medloop.models.inference.predict import Predictor

Method: TypeAlias = Literal["temperature", "isotonic"]
Rows: TypeAlias = tuple[IntArray, CaseProbabilities]

BAND_MM = 3.0
VOXELS_PER_CASE = 20_000


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration would change.

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


def calibrate_model(workspace: Workspace, *, method: Method = "temperature") -> CalibrationReport:
    """Fit and judge a calibration of the newest model; predicts the evaluation cases, so it needs torch and takes a while.

    Raises:
        InputError: Without a model, or without validation answers.
    """
    with workspace.store.read() as tx:
        model = tx.live_model()
        versions = label_versions(tx, workspace.task)
        found = {split: _complete(tx, split, versions) for split in EVALUATION_SPLITS}
        cases = {a.case_id: tx.get(Case, a.case_id) for answers in found.values() for a in answers}
    left_out = LeftOut(workspace)
    answered = {
        split: [(a, cases[a.case_id]) for a in sound_answers(workspace, answers, cases, left_out)] for split, answers in found.items()
    }
    if model is None or not answered["validation"]:
        have = "no model" if model is None else "no validation answers"
        raise InputError(f"A calibration is fitted on validation answers to a model's predictions, got {have}", remedy="answer and train")
    if not knows_every_label(model, workspace.task):
        raise InputError(f"Model {model.index} does not know every label of the task", remedy="train again")
    predictor = load_predictor(workspace.store.blobs, model)
    rows = {split: [_rows_of(workspace, predictor, model, *pair) for pair in pairs] for split, pairs in answered.items()}
    fitted = _fit(method, _joined(rows["validation"]))
    fair: list[Rows] = [one for split in _fair(answered) for one in rows[split]]
    before, after = _judge(fair, fitted) if fair else (None, None)
    return CalibrationReport(model.index, fitted.to_json(), len(rows["validation"]), len(fair), before, after)


def _complete(tx: Reader, split: Split, versions: LabelVersions) -> list[Annotation]:
    """Annotations that know every label of the task; the background of others may hold those that came later."""
    return [a for a in consensus_answers(tx, split) if not versions.unknown(a)]


def _fair(answered: dict[Split, list[tuple[Annotation, Case]]]) -> list[Split]:
    return [split for split in answered if split != "validation"]


def _fit(method: Method, rows: Rows) -> Calibrator:
    return fit_temperature(*rows) if method == "temperature" else fit_isotonic(*rows)


def _judge(parts: Sequence[Rows], fitted: Calibrator) -> tuple[Calibration, Calibration]:
    labels, stated = _joined(parts)
    return judge_rows(labels, stated), judge_rows(labels, fitted(stated, axis=1))


def _rows_of(workspace: Workspace, predictor: "Predictor", model: Model, answer: Annotation, case: Case) -> Rows:
    """Truth and stated probabilities: of voxels near the true border, or of the whole case of a classification."""
    rng = generator(workspace.settings.seed, "calibrate", model.index, case.name)
    stated = predictor.predict(load_image(workspace.store.blobs, case), samples=workspace.settings.samples, rng=rng).probabilities
    truth = load_answer(workspace.store.blobs, answer, case)
    if not isinstance(truth, Mask):
        return np.array([truth], dtype=np.int64), stated[None]
    band = boundary_band(truth.array, case.grid, width_mm=max(BAND_MM, *case.grid.spacing_mm))
    labels, rows = voxel_rows(stated, truth.array, band if band.any() else None)
    some = rng.permutation(len(labels))[:VOXELS_PER_CASE]
    return labels[some], rows[some]


def _joined(parts: Sequence[Rows]) -> Rows:
    return np.concatenate([labels for labels, _ in parts]), np.concatenate([rows for _, rows in parts])
