"""What answers hold: one model per noun, built from the core's records by a function beside it."""

import math
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from medloop.core.drawing import drawn_table, erased_table, have_overlaps
from medloop.core.geometry import Plane, PlaneName
from medloop.core.labels import mask_colours, shared_names
from medloop.core.records import Case, Curve, Job, Model, Prediction, Round, Task
from medloop.core.states import JobState
from medloop.images.result import UNSIZED
from medloop.loop.data.first_display import is_colour
from medloop.loop.foundation.trials import is_blinded
from medloop.loop.judging.mask_figures import is_sized
from medloop.server.wire.windows import channel_windows, looks_like, presets
from medloop.store.reader import Reader


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A measured value; null when it is not a finite number."""


class View(BaseModel):
    """The rules every answer shares."""

    model_config = ConfigDict(frozen=True, from_attributes=True, protected_namespaces=())

    @classmethod
    def reading(cls, record: object, **more: Any) -> Self:
        """From a record's attributes of the same names, and what it has no attribute for."""
        return cls(**{name: getattr(record, name) for name in cls.model_fields if name not in more}, **more)


class Problem(View):
    """What went wrong, by a stable word, in words, and what to do about it."""

    code: str
    message: str
    remedy: str
    revision: int | None = None


class Failure(View):
    """The shape of every error."""

    error: Problem


class Health(View):
    """Signs of life."""

    status: Literal["ok"]
    version: str


class LabelView(View):
    """One label of the task: the label that it lies inside of, and those that it overlaps.

    Where labels overlap, `drawn` says what voxels become when the label is drawn over them, where that is not just the label, and `left`
    what they become when it is taken from them: all values whose voxels belong to it.
    """

    value: int
    name: str
    colour: str
    inside: int | None = None
    overlaps: list[int] = []
    drawn: dict[int, int] = {}
    left: dict[int, int] = {}


class SharedView(View):
    """A value of a mask that stands for voxels of several labels, which overlap."""

    value: int
    name: str
    colour: str


def label_views(task: Task) -> list[LabelView]:
    """The labels, with what drawing does where they overlap."""
    views = [LabelView.model_validate(label) for label in task.labels]
    if not have_overlaps(task.labels):
        return views
    return [view.model_copy(update=_drawing(task, view.value)) for view in views]


def _drawing(task: Task, value: int) -> dict[str, dict[int, int]]:
    over, taken = drawn_table(task.labels, value), erased_table(task.labels, value)
    return {
        "drawn": {was: int(over[was]) for was in task.mask_values if over[was] != value},
        "left": {was: int(taken[was]) for was in task.mask_values if taken[was] != was},
    }


def shared_views(task: Task) -> list[SharedView]:
    """The values that labels share, each in the mean of their colours."""
    colours = mask_colours(task.labels)
    return [SharedView(value=value, name=name, colour=colours[value]) for value, name in shared_names(task.labels).items()]


class ModelBrief(View):
    """The model in use."""

    id: str
    index: int


class RoundBrief(View):
    """The newest round."""

    index: int
    state: str


class PlaneView(View):
    """How to draw one slice direction; see `core.geometry.Plane`."""

    name: PlaneName
    slice_axis: int
    x_axis: int
    y_axis: int
    x_flip: bool
    y_flip: bool
    x_spacing_mm: float
    y_spacing_mm: float
    edges: tuple[str, str, str, str]


class Preset(View):
    """An intensity window worth a button."""

    name: str
    low: float
    high: float
    curve: Curve
    explanation: str


class CaseView(View):
    """Everything needed to draw a case's voxels."""

    id: str
    name: str
    patient: str
    split: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: list[list[float]]
    dtype: str
    channels: int
    window: tuple[float, float]
    value_range: tuple[float, float]
    notes: tuple[str, ...]
    planes: list[PlaneView]
    presets: list[Preset]
    channel_presets: list[list[Preset]]
    colour: bool
    modality: str
    looks_like: str
    unit: str
    inverted: bool
    oriented: bool
    sized: bool
    spaced: bool
    channel_names: tuple[str, ...]
    channel_windows: tuple[tuple[float, float], ...]
    over_time: bool
    frame_seconds: tuple[float, ...]
    references: int
    """Other series of the patient that stand beside the case."""


class PredictionView(View):
    """A model's answer to a case; its mask and uncertainty have addresses of their own."""

    id: str
    case_id: str
    model_index: int | None
    """Null while the two models of a trial are compared: nobody is told whose proposal it is."""
    model_name: str = ""
    """Of a model from elsewhere, whose proposals were brought in; "" for one trained here."""
    probabilities: list[Number]
    quality: Number
    quality_low: Number
    quality_high: Number
    scores: dict[str, Number]
    has_mask: bool
    has_uncertainty: bool


class AssignmentView(View):
    """A case in front of an annotator."""

    id: str
    case_id: str
    round_id: str | None
    revision: int
    reason: str
    opened_at: str


class JobView(View):
    """Background work."""

    id: str
    kind: str
    state: JobState
    progress: float
    message: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: str
    result_message: str


def model_brief(model: Model | None) -> ModelBrief | None:
    """The model, if there is one."""
    return ModelBrief.model_validate(model) if model else None


def round_brief(current: Round | None) -> RoundBrief | None:
    """The round, if there is one."""
    return RoundBrief(index=current.index, state=str(current.state)) if current else None


def case_view(case: Case, *, unread: bool = False, references: int = 0) -> CaseView:
    """The header of a case; of a gold case that is still to be read it does not say that it is no training case."""
    shown = case.display
    windows = [[Preset.model_validate(window) for window in presets(case, channel)] for channel in range(case.channels)]
    return CaseView.reading(
        replace(case, split="train") if unread else case,
        modality=shown.modality,
        looks_like=looks_like(case),
        unit=shown.unit,
        inverted=shown.inverted,
        oriented=shown.oriented,
        sized=UNSIZED not in case.notes,
        spaced=is_sized(case),
        channel_names=shown.channel_names,
        shape=case.grid.shape,
        spacing_mm=case.grid.spacing_mm,
        affine=[[float(v) for v in row] for row in case.grid.affine],
        window=channel_windows(case)[0],
        planes=[plane_view(plane, oriented=shown.oriented) for plane in case.grid.planes() if plane.slice_axis == 2 or not shown.over_time],
        over_time=shown.over_time,
        frame_seconds=shown.frame_seconds,
        presets=windows[0],
        channel_presets=windows,
        colour=is_colour(case.source, case.channels, case.dtype),
        channel_windows=channel_windows(case),
        references=references,
    )


def plane_view(plane: Plane, *, oriented: bool = True) -> PlaneView:
    """One plane's drawing rule; without orientation its edges have no letters."""
    view = PlaneView.model_validate(plane)
    return view if oriented else view.model_copy(update={"edges": ("", "", "", "")})


def prediction_view(tx: Reader, prediction: Prediction) -> PredictionView:
    """A prediction and the number of its model, unless that is being compared with another one."""
    model, blinded = tx.get(Model, prediction.model_id), is_blinded(tx, prediction.model_id)
    return PredictionView.reading(
        prediction,
        model_index=None if blinded else model.index,
        model_name=model.outside,
        scores={name: value for name, value in prediction.scores.items() if isinstance(value, (int, float))},
        has_mask=prediction.mask is not None,
        has_uncertainty=prediction.uncertainty is not None,
    )


def job_view(job: Job) -> JobView:
    """A job; its result's message says why it did nothing, or what became of its model."""
    return JobView.reading(job, result_message=str(job.result.get("message") or job.result.get("note") or ""))
