"""How large structures are, from people's answers or from predictions, with bounds and whether to trust them.

A person's answer is measured as it stands. A prediction also gets bounds: its samples were measured when it was made,
and evaluated cases of other patients say how far such figures are off: test and audit cases that this model has predicted and
people have answered by themselves (`medloop.loop.judging.evaluation_cases`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray
from medloop.core.errors import NotFoundError
from medloop.core.labels import gathered, mask_of, region_values
from medloop.core.names import natural_key
from medloop.core.records import Annotation, Case, Label, Model, Prediction
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_mask, load_proposal
from medloop.loop.foundation.consensus import consensus_annotations, deciding
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS, evaluated_cases
from medloop.loop.judging.mask_figures import figures_of_samples, is_sized, mask_figures, reaches_border
from medloop.metrics.measure_bounds import TOLERANCE, Bounds, BoundsRule, bound_measure, fit_bounds, require_tolerance
from medloop.metrics.measures import MeasureName, measure_names, unit_of

MeasureSource: TypeAlias = Literal["annotation", "prediction"]
Wanted: TypeAlias = Literal["any", "annotation", "prediction"]
Figures: TypeAlias = Mapping[str, float | None]

COVERAGE = 0.9
"""Share of accepted cases whose truth the bounds should hold."""


@dataclass(frozen=True)
class Measure:
    """One figure of one structure.

    Attributes:
        label: Name of the structure.
        name: volume, area, diameter, in_plane_diameter or circumference.
        value: None where there is no figure, as for the ellipse of a few pixels.
        unit: ml, mm², mm; or voxels and pixels when the size of a pixel is not known.
        low, high: Bounds; None for a person's answer, and where none hold at a known rate.
        accepted: Whether a prediction's figure can be used; None when nothing can be said.
        reason: Why not, and what to do; "" otherwise.
    """

    label: str
    name: MeasureName
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    accepted: bool | None = None
    reason: str = ""


@dataclass(frozen=True)
class CaseMeasures:
    """The figures of a case's annotation or prediction; the truth lies within the bounds for a share `coverage` of those accepted."""

    case_id: str
    case_name: str
    source: MeasureSource
    source_id: str
    sized: bool
    coverage: float
    measures: tuple[Measure, ...]


def measure_case(workspace: Workspace, case_id: str, *, of: Wanted = "any", tolerance: float = TOLERANCE) -> CaseMeasures:
    """Measure a case's answer, else a prediction, accepting figures up to `tolerance`: half the width of bounds, as a share of the measure.

    Raises:
        NotFoundError: No such case, or nothing to measure in it.
        SettingError: A tolerance that is not above 0 and at most 10.
        StateError: The project is a classification.
    """
    require_masks(workspace, "Measuring")
    require_tolerance(tolerance)
    with memo(workspace, "measures") as known:
        return _measured(_Measuring(workspace, known, {}, tolerance), case_id, of)


def measure_project(
    workspace: Workspace, *, of: Wanted = "any", tolerance: float = TOLERANCE, log: Callable[[str], None] | None = None
) -> list[CaseMeasures]:
    """Every case that can be measured, by name, see `measure_case`; those whose bytes are damaged are left out, and told to `log`.

    Raises:
        SettingError: A tolerance that is not above 0 and at most 10.
        StateError: The project is a classification.
    """
    require_masks(workspace, "Measuring")
    require_tolerance(tolerance)
    with workspace.store.read() as tx:
        cases = sorted(tx.find(Case), key=lambda case: natural_key(case.name))
    found, left_out = [], LeftOut(workspace, log)
    with memo(workspace, "measures") as known:
        measuring = _Measuring(workspace, known, {}, tolerance)
        for case in cases:
            with suppress(NotFoundError), left_out.case(case):
                found.append(_measured(measuring, case.id, of))
    return found


@dataclass(frozen=True)
class _Measuring:
    """One run of measuring: figures known already, and per model id the evaluated cases, looked up once."""

    workspace: Workspace
    known: Memo
    evaluated: "dict[str, _Evaluated]"
    tolerance: float


def _measured(run: _Measuring, case_id: str, of: Wanted) -> CaseMeasures:
    with run.workspace.store.read() as tx:
        case = tx.get(Case, case_id)
        answers = tx.current_annotations(case_ids=[case_id]) if of != "prediction" else []
        prediction = newest_proposal(tx, case_id) if of != "annotation" and not answers else None
    if answers:
        return _measured_annotation(run, case, deciding(answers))
    if prediction is not None:
        return _measured_prediction(run, case, prediction)
    wanted = "neither an annotation nor a prediction" if of == "any" else f"no {of}"
    raise NotFoundError(f"The case {case.name!r} has {wanted} to measure", remedy="annotate it, or train a model and predict")


def _measured_annotation(run: _Measuring, case: Case, answer: Annotation) -> CaseMeasures:
    """Of the labels that it annotates: that another is not drawn says nothing of its size."""
    with run.workspace.store.read() as tx:
        labels = annotated_labels(tx, run.workspace.task).of(answer)
    figures = {label.value: _of_annotation(run, case, answer, label.value) for label in labels}
    rows = [_plain(label, name, figures[label.value], case) for label in labels for name in measure_names(case.grid)]
    return CaseMeasures(case.id, case.name, "annotation", answer.id, is_sized(case), COVERAGE, tuple(rows))


def measure_unsaved(workspace: Workspace, case: Case, prediction: Prediction, mask: MaskArray, *, tolerance: float) -> CaseMeasures:
    """Measure what a model said of an image that is not in the project, with bounds; nothing about it is kept.

    Args:
        workspace: The open project.
        case: The image as a case that is not stored.
        prediction: From `medloop.loop.judging.predictions.judged_prediction`.
        mask: What it proposes, shape (I, J, K).
        tolerance: See `measure_case`.

    Raises:
        SettingError: A tolerance that is not above 0 and at most 10.
    """
    require_tolerance(tolerance)
    labels = workspace.task.labels
    with memo(workspace, "measures") as known:
        run = _Measuring(workspace, known, {}, tolerance)
        return _measured_mask(run, case, prediction, mask, lambda label: mask_figures(mask_of(labels, mask, label), case))


def _measured_prediction(run: _Measuring, case: Case, prediction: Prediction) -> CaseMeasures:
    mask = load_proposal(run.workspace.store.blobs, prediction, case)
    return _measured_mask(run, case, prediction, mask, lambda label: _of_prediction(run, case, prediction, label, mask=mask))


def _measured_mask(
    run: _Measuring, case: Case, prediction: Prediction, mask: MaskArray, figures_of: Callable[[int], Figures]
) -> CaseMeasures:
    evaluated = [pair for pair in _evaluated(run, prediction) if pair[0].patient != case.patient and is_sized(pair[0]) == is_sized(case)]
    rows = []
    with run.workspace.store.read() as tx:
        labels = labels_of_model(tx.get(Model, prediction.model_id), run.workspace.task)
        scope = annotated_labels(tx, run.workspace.task)
    for label in labels:
        judging = [row for row in evaluated if label in scope.of(row[1])]
        figures = figures_of(label.value)
        cut_off = case.grid.is_2d and reaches_border(gathered(run.workspace.task.labels, mask, label.value), label.value)
        for name in measure_names(case.grid):
            plain = _plain(label, name, figures, case)
            rule = _rule(run, judging, label.value, name)
            rows.append(_bounded(plain, figures_of_samples(prediction, label.value, name), rule, cut_off=cut_off))
    return CaseMeasures(case.id, case.name, "prediction", prediction.id, is_sized(case), COVERAGE, tuple(rows))


def _plain(label: Label, name: MeasureName, figures: Figures, case: Case) -> Measure:
    return Measure(label.name, name, figures[name], unit_of(name, sized=is_sized(case)))


def _bounded(plain: Measure, samples: FloatArray, rule: BoundsRule, *, cut_off: bool) -> Measure:
    if not len(samples):
        return _with(plain, None, None, "this prediction keeps no samples; predict the case with a newer model")
    if plain.value is None:
        return _with(plain, None, False, "nothing measurable was found; look at the image, or acquire it again")
    bounds = bound_measure(plain.value, samples, rule)
    if cut_off and plain.value > 0:
        return _with(plain, None, False, "the image cuts the structure off; acquire it again with the whole structure inside")
    advice = "; look at the image, or acquire it again" if bounds.accepted is False else ""
    return _with(plain, bounds, bounds.accepted, bounds.reason + advice)


def _with(plain: Measure, bounds: Bounds | None, accepted: bool | None, reason: str) -> Measure:
    low, high = (bounds.low, bounds.high) if bounds else (None, None)
    return Measure(plain.label, plain.name, plain.value, plain.unit, low, high, accepted, reason)


_Evaluated: TypeAlias = Sequence[tuple[Case, Annotation, Prediction]]


def _evaluated(run: _Measuring, prediction: Prediction) -> _Evaluated:
    """Cases that no training learned from, with their answers and this model's predictions."""
    if prediction.model_id not in run.evaluated:
        with run.workspace.store.read() as tx:
            fair = {one.case_id: one.prediction for one in evaluated_cases(tx, prediction.model_id)}
            answers = [a for split in FAIR_SPLITS for a in consensus_annotations(tx, split) if a.case_id in fair and a.blob]
            cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        sound = sound_annotations(answers, cases, LeftOut(run.workspace), removed=True)
        run.evaluated[prediction.model_id] = [(cases[a.case_id], a, fair[a.case_id]) for a in sound]
    return run.evaluated[prediction.model_id]


def _rule(run: _Measuring, evaluated: _Evaluated, label: int, name: MeasureName) -> BoundsRule:
    rows = [(c, a, p, figures_of_samples(p, label, name)) for c, a, p in evaluated]
    counts = [len(samples) for *_, samples in rows if len(samples)]
    if not counts:
        return BoundsRule(coverage=COVERAGE, tolerance=run.tolerance)
    usable = [row for row in rows if len(row[3]) >= min(counts)]
    estimates = [_of_prediction(run, c, p, label).get(name) for c, _, p, _ in usable]
    truths = [_of_annotation(run, c, a, label).get(name) for c, a, _, _ in usable]
    samples = np.stack([s[: min(counts)] for *_, s in usable])
    figures = (np.array(estimates, dtype=np.float64), samples, np.array(truths, dtype=np.float64))
    return fit_bounds(*figures, patients=[c.patient for c, *_ in usable], coverage=COVERAGE, tolerance=run.tolerance)


def _of_annotation(run: _Measuring, case: Case, answer: Annotation, label: int) -> Figures:
    blobs = run.workspace.store.blobs
    labels = run.workspace.task.labels
    found: Figures = run.known.get(
        _key(run, answer.id, label), lambda: mask_figures(mask_of(labels, load_mask(blobs, answer, case).array, label), case)
    )
    return found


def _of_prediction(run: _Measuring, case: Case, prediction: Prediction, label: int, *, mask: MaskArray | None = None) -> Figures:
    def make() -> Figures:
        shown = load_proposal(run.workspace.store.blobs, prediction, case) if mask is None else mask
        return mask_figures(mask_of(run.workspace.task.labels, shown, label), case)

    found: Figures = run.known.get(_key(run, prediction.id, label), make)
    return found


def _key(run: _Measuring, of: str, label: int) -> str:
    """What figures of a label are kept under: labels inside it belong to them."""
    return " ".join(map(str, (of, *region_values(run.workspace.task.labels)[label])))
