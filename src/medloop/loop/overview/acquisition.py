"""Is this image good enough, or had it better be acquired again, while the patient is still there?

Two limits are looked at, each set by the project's own cases: one on the image itself, without any model, and one on what the
model in use proposes for it. Together they call a good image bad no more often than the stated rate of false alarms, for images
drawn like the project's. Whoever names a measure and how exact it must be also learns whether this image gives it; that is
a demand of its use, not a false alarm, and is counted apart. Nothing of the image is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from medloop.core.arrays import MaskArray
from medloop.core.declaring import current_names
from medloop.core.errors import SettingError
from medloop.core.image import Image
from medloop.core.records import Case, Model, Prediction
from medloop.core.seeds import generator
from medloop.loop.foundation.computable import misfit, oversize
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import judged_prediction, proposed_mask, quality_rule
from medloop.loop.overview.acquisition_limits import Limits, Part, Said, SignLine
from medloop.loop.overview.acquisition_references import ComparedWith, prediction_signs
from medloop.loop.overview.measurements import CaseMeasures, Measure, measure_unsaved
from medloop.metrics.measure_bounds import TOLERANCE, require_tolerance
from medloop.metrics.measures import MeasureName, measure_names
from medloop.models.foundation.nnunet_recipe import recipe_of
from medloop.quality.acquisition.model_signs import mask_signs
from medloop.quality.acquisition.rule import ALARM, require_alarm
from medloop.quality.acquisition.signs import Reason, image_signs

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor

Verdict: TypeAlias = Literal["accept", "acquire again", "unknown"]

ADVICE: Mapping[Reason, str] = {
    "motion": "motion or blur: hold the probe or the patient still, and acquire it again",
    "field_of_view": "field of view: the structure may be cut off; enlarge or move the field, and acquire it again",
    "contrast": "contrast: too little, or cut off at one end; correct gain or exposure, and acquire it again",
    "noise": "noise: more than usual; correct gain, dose or averaging, and acquire it again",
    "model_unsure": "the model is unsure: look at the proposal, and acquire it again if the structure cannot be seen",
}
"""What each reason means and what helps."""

CUT_OFF = "cuts the structure off"


@dataclass(frozen=True)
class Demand:
    """What is required of an image.

    Attributes:
        alarm: Share of good images that may be called bad.
        measure: Which figure the image is acquired for; "" for none.
        tolerance: How far its bounds may be away, as a share of it.

    Raises:
        SettingError: A value outside its range.
    """

    alarm: float = ALARM
    measure: str = ""
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        require_alarm(self.alarm)
        require_tolerance(self.tolerance)
        if self.measure and self.measure not in get_args(MeasureName):
            raise SettingError(f"A measure is one of {', '.join(get_args(MeasureName))}, got {self.measure!r}")


@dataclass(frozen=True)
class ReasonLine:
    """Why an image had better be acquired again: the reason, and what helps."""

    reason: Reason
    words: str


@dataclass(frozen=True)
class AcquisitionCheck:
    """What was found.

    Attributes:
        verdict: Accept, acquire again, or unknown where the image itself cannot be compared and the model finds nothing unusual.
        reasons: Worst first; () unless it is to be acquired again.
        signs: All numbers.
        alarm: Rate of false alarms that holds for the verdict, apart from the demand of a measure; 0 where none is known.
        compared_with: Which of the project's images set the limits of the image: annotated ones, or all that nobody flagged.
        patients: Patients behind them.
        model: Index of the model that was used; None without one.
        expected, expected_low, expected_high: Dice expected of the proposal with its 90 % interval; None where that is not known.
        measures: Sizes of what was proposed, with bounds.
        notes: What could not be judged, and why.
    """

    verdict: Verdict
    reasons: tuple[ReasonLine, ...]
    signs: tuple[SignLine, ...]
    alarm: float
    compared_with: ComparedWith
    patients: int
    model: int | None = None
    expected: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None
    measures: tuple[Measure, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Proposed:
    """What a model proposes for an image: numbers, and the mask, shape (I, J, K)."""

    model: Model
    prediction: Prediction
    mask: MaskArray


def propose_unsaved(workspace: Workspace, model: Model, predictor: "AnyPredictor", case: Case, image: Image) -> Proposed | str:
    """What the model in use proposes for an image that is no case; in words why it can propose nothing."""
    recipe = recipe_of(model)
    if reason := misfit(recipe, case):
        return f"Model {model.index} cannot read an image {reason}"
    if error := oversize(recipe, case):
        return f"Model {model.index} cannot compute on it: {error.message}"
    samples = int(model.metrics.get("samples", workspace.settings.samples))
    found = predictor.predict(image, samples=samples, rng=generator(workspace.settings.seed, "predict", model.index, "acquisition"))
    aggregation = current_names(model.metrics).get("aggregation", workspace.settings.aggregation)
    said = judged_prediction(case, model, found, quality_rule(workspace, model), aggregation=aggregation)
    return Proposed(model, said, proposed_mask(model, found))


def judge_signs(
    limits: Limits, case: Case, signs: Mapping[str, float], proposed: Proposed | str = "", demand: Demand | None = None
) -> AcquisitionCheck:
    """Judge one image.

    Args:
        limits: Of the project.
        case: The image as a case, stored or not.
        signs: From `medloop.quality.acquisition.signs.image_signs`.
        proposed: What the model in use proposes for it; or why nothing, in words.
        demand: What is required of it; its rate of false alarms is that of `limits`.
    """
    asked = demand or Demand()
    said = proposed if isinstance(proposed, Proposed) else None
    measured = measure_unsaved(limits.workspace, case, said.prediction, said.mask, tolerance=asked.tolerance) if said else None
    parts = limits.parts(case, signs, _said(limits.workspace, case, said, asked) if said else None)
    found = _unusual([line for part in parts for line in part.lines])
    found += _unmet(measured, asked, {one.reason for one in found})
    notes = [part.note for part in parts if part.note]
    notes += [proposed] if isinstance(proposed, str) and proposed else []
    notes += _unbounded(measured, asked)
    return _check(found, parts, said, measured, notes)


def judge_image(limits: Limits, case: Case, image: Image, proposed: Proposed | str = "", demand: Demand | None = None) -> AcquisitionCheck:
    """`judge_signs` of an image's voxels.

    Raises:
        InputError: It holds no picture: see `medloop.quality.acquisition.planes.require_picture`.
    """
    return judge_signs(limits, case, image_signs(image.array, image.grid.spacing_mm), proposed, demand)


def _said(workspace: Workspace, case: Case, said: Proposed, asked: Demand) -> Said:
    """With the spread of the measure that is required, else of the plainest one, of each label."""
    names = measure_names(case.grid)
    chosen = next((name for name in names if name == asked.measure), names[0])
    uses = tuple((label.value, chosen) for label in workspace.task.labels)
    return Said(said.model, prediction_signs(said.prediction, mask_signs(said.mask, case.grid.spacing_mm), uses), uses)


def _unusual(lines: Sequence[SignLine]) -> list[ReasonLine]:
    """The reasons of unusual signs, that of the most unusual one first."""
    worst = sorted((line for line in lines if line.unusual), key=lambda line: -(line.score or 0.0))
    return [ReasonLine(reason, ADVICE[reason]) for reason in dict.fromkeys(line.reason for line in worst)]


def _unmet(measured: CaseMeasures | None, asked: Demand, known: set[Reason]) -> list[ReasonLine]:
    """Why the measure that is required cannot be used, unless its reason is known already."""
    reasons: dict[Reason, ReasonLine] = {}
    for m in measured.measures if measured and asked.measure else ():
        if m.name == asked.measure and m.accepted is False:
            reason: Reason = "field_of_view" if CUT_OFF in m.reason else "model_unsure"
            reasons.setdefault(reason, ReasonLine(reason, f"the {m.name} of {m.label} cannot be used: {m.reason}"))
    return [line for reason, line in reasons.items() if reason not in known]


def _unbounded(measured: CaseMeasures | None, asked: Demand) -> list[str]:
    """Why nothing can be said of the measure that is required."""
    if not asked.measure:
        return []
    mine = [m for m in measured.measures if m.name == asked.measure] if measured else []
    if not mine:
        return [f"The {asked.measure} is not known: " + ("this image has none" if measured else "no model proposes anything")]
    return [f"The {m.name} of {m.label} has no bounds: {m.reason}" for m in mine if m.accepted is None]


def _check(
    reasons: Sequence[ReasonLine], parts: Sequence[Part], said: Proposed | None, measured: CaseMeasures | None, notes: Sequence[str]
) -> AcquisitionCheck:
    known = parts[0].rule.calibrated  # a sure model says nothing of a blurred image
    return AcquisitionCheck(
        verdict="acquire again" if reasons else "accept" if known else "unknown",
        reasons=tuple(reasons),
        signs=tuple(line for part in parts for line in part.lines),
        alarm=round(sum(part.rule.alarm for part in parts if part.rule.calibrated), 6),
        compared_with=parts[0].kind,
        patients=parts[0].rule.patients,
        model=said.model.index if said else None,
        expected=said.prediction.quality if said else None,
        expected_low=said.prediction.quality_low if said else None,
        expected_high=said.prediction.quality_high if said else None,
        measures=measured.measures if measured else (),
        notes=tuple(notes),
    )
