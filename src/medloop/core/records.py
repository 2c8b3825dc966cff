"""The nouns of medloop as frozen values; see the design's table for their meaning.

Rules: a record never changes; a change makes a new record (or, for the few nouns with a state, the
store's `change`). Ids are strings made by `new_id`. Times are UTC in ISO 8601 with a `Z`, as `now()`
gives them. Everything here can be written as JSON; arrays live in blobs and are named by SHA-256.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from medloop.core.geometry import Grid
from medloop.core.settings import Aggregation as Aggregation
from medloop.core.settings import ColdStart as ColdStart
from medloop.core.settings import ProjectSettings as ProjectSettings
from medloop.core.settings import WarmStart as WarmStart
from medloop.core.states import JobState, RoundState

TaskKind: TypeAlias = Literal["segmentation", "classification"]
Split: TypeAlias = Literal["train", "validation", "test", "audit"]
AnnotatorKind: TypeAlias = Literal["person", "model", "simulated"]
Expertise: TypeAlias = Literal["novice", "expert", "consultant"]
AssignmentState: TypeAlias = Literal["open", "submitted", "skipped", "flagged", "released"]
AnnotationKind: TypeAlias = Literal["mask", "tag", "partial", "marks", "rejected"]
AnnotationOrigin: TypeAlias = Literal["human", "imported", "simulated", "consensus", "adjudicated", "gold"]
BeganWith: TypeAlias = Literal["blank", "prediction", "annotation", "elsewhere"]
TakenBack: TypeAlias = Literal["flagged", "skipped", "undone"]
Verdict: TypeAlias = Literal["approve", "return"]
QueryKind: TypeAlias = Literal["", "whole", "slices", "regions", "verify", "marks", "scribbles", "boxes", "tags"]
RoutedFor: TypeAlias = Literal["new", "relabel"]
FrameRelation: TypeAlias = Literal["same", "registered", "files", "other", "none"]
MeasurementKind: TypeAlias = Literal["length", "angle", "ellipse", "rectangle", "label"]
Point: TypeAlias = tuple[float, float, float]
Curve: TypeAlias = Literal["exact", "linear", "sigmoid"]
Json: TypeAlias = Mapping[str, Any]

EVALUATION_SPLITS: tuple[Split, ...] = ("validation", "test", "audit")
"""Splits whose annotations no model ever trains on."""

_COLOURS = (
    "#b62700 #5b82f7 #2700dd #4ec39c #d0ea00 #4e8268 #f74eb6 #f7f7c3 #d09c00 #b61aa9",
    "#004141 #9cf7f7 #c3681a #68c3f7 #1a4e82 #c3414e #dd8275 #f7b682 #4e5b27 #f7c3c3",
)
LABEL_COLOURS = tuple(colour for line in _COLOURS for colour in line.split())
"""Default overlay colours: twenty that differ from each other and from grey, also for deuteranopes and in greys; the first ones most."""


def now(later: timedelta = timedelta()) -> str:
    """The current time, or one so much later: UTC, ISO 8601 with microseconds, for example 2026-03-01T09:30:00.000000Z."""
    return time_text(datetime.now(UTC) + later)


def time_text(at: datetime) -> str:
    """A time of UTC as records hold it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_id(noun: str) -> str:
    """A fresh random id such as `case-3f9a1c27b04e`; safe in URLs and file names."""
    return f"{noun}-{secrets.token_hex(6)}"


@dataclass(frozen=True, kw_only=True)
class Label:
    """One label of a task. `value` is 1..255 for segmentation (0 is background), 0.. for classification.

    Attributes:
        inside: Value of the label that it lies inside of: its voxels belong to that one, too (`medloop.core.labels`); None for none.
        code: What it is called in DICOM, `SCHEME:VALUE:MEANING` (`medloop.core.codes`); "" for the code of its name.
        overlaps: Values of the labels that voxels of it may belong to as well, though none lies inside the other (`medloop.core.overlaps`).
        shared: Values of a mask that stand for voxels of this label and of others that overlap it; these have them, too.
    """

    value: int
    name: str
    colour: str
    inside: int | None = None
    code: str = ""
    overlaps: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()

    def __post_init__(self) -> None:  # JSON has lists
        object.__setattr__(self, "overlaps", tuple(self.overlaps))
        object.__setattr__(self, "shared", tuple(self.shared))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every case is annotated with; versioned, never edited in place.

    Attributes:
        pictures: Blobs of the pictures (PNG) that the instructions show, the first one as `picture-1`.
    """

    id: str
    version: int
    kind: TaskKind
    labels: tuple[Label, ...]
    instructions: str = ""
    pictures: tuple[str, ...] = ()
    created_at: str

    @property
    def label_values(self) -> tuple[int, ...]:
        """The values of the labels, in order."""
        return tuple(label.value for label in self.labels)

    @property
    def mask_values(self) -> tuple[int, ...]:
        """What a mask may hold besides background: the values of the labels, and those of voxels of several overlapping ones, ascending."""
        return tuple(sorted({*self.label_values, *(value for label in self.labels for value in label.shared)}))

    @property
    def classes(self) -> int:
        """Outputs of a network for this task: one per value of a mask, background included, or per class of a classification."""
        return len(self.mask_values) + (self.kind == "segmentation")


USUAL_STRATEGY: Mapping[TaskKind, str] = MappingProxyType({"segmentation": "foreground", "classification": "random"})
"""Chosen by comparisons on real images, not by literature; see docs/strategies.md."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """One human-in-the-loop effort."""

    id: str
    name: str
    task_id: str
    settings: ProjectSettings
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """A named range of intensities to draw, from black at `low` to white at `high`.

    Attributes:
        curve: "exact" is the straight line between the two, "linear" DICOM's LINEAR, whose white begins at `high` − 1,
            "sigmoid" DICOM's SIGMOID, an S with that slope in the middle (PS3.3 C.11.2.1.2 and C.11.2.1.3).
        explanation: What the file says that the window is for, or "".
    """

    name: str
    low: float
    high: float
    curve: Curve = "exact"
    explanation: str = ""


@dataclass(frozen=True, kw_only=True)
class Display:
    """How an image's files ask to be shown.

    Attributes:
        windows: The files' own windows, in their order; the first is drawn first.
        modality: DICOM's word (CT, MR, US, …), "" when unknown.
        channel_names: One per channel, or () when nobody named them.
        channel_windows: (low, high) to draw each channel first, or () when not looked at.
        oriented: Whether left and right of the patient are known; without, no letters are drawn.
        unit: What the intensities are measured in (HU, SUV, Bq/ml), "" when unknown.
        inverted: Whether low intensities are meant to be bright (MONOCHROME1 of measured values).
        channel_values: Smallest, 5 %, 95 % and largest intensity of each channel, or () when not looked at.
        over_time: The last axis is time: its slices are frames of one picture, and no distance lies between them.
        frame_seconds: When each frame begins, from the first; () when unknown.
    """

    windows: tuple[Window, ...] = ()
    modality: str = ""
    channel_names: tuple[str, ...] = ()
    channel_windows: tuple[tuple[float, float], ...] = ()
    oriented: bool = True
    unit: str = ""
    inverted: bool = False
    channel_values: tuple[tuple[float, ...], ...] = ()
    over_time: bool = False
    frame_seconds: tuple[float, ...] = ()


OVER_TIME = frozenset({"US", "IVUS", "XA", "RF", "ES", "XC", "GM"})
"""DICOM's words for modalities whose frames without a distance are moments: ultrasound, angiography, fluoroscopy, films of light."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a case came from, enough to write masks with the source's own geometry.

    Attributes:
        format: "nifti", "nrrd", "metaimage", "raster", "dicom" or "phantom".
        names: File names, one per channel (a folder name for a DICOM series); never a full path.
        sha256: Digest over the source files' bytes, in that order; finds duplicate cases.
        nifti_header: Base64 of the raw NIfTI-1/2 header of the first channel, or "".
        dicom: Identifying UIDs of a series (study, series, frame of reference, instances, frames), those of the files of further channels,
            and positions off the grid, or {}.
        display: How the files ask to be shown; None for what was imported before this was kept.
        frames: Where the source puts names of the project's template, name → frame or slice from 0; others stand where the template says.
        groups: Subgroups of patients that the source names, such as scanner, site or sex, name → value.
        resampled: Channels that were brought onto the grid of the first one: `channel`, `from_shape`, `from_spacing_mm`, `interpolation`,
            the share of voxels `outside` of its field with the `outside_value` that they got, and whether it was `registered` elsewhere.
    """

    format: str
    names: tuple[str, ...]
    sha256: str
    nifti_header: str = ""
    dicom: Json = field(default_factory=dict)
    display: Display | None = None
    frames: Json = field(default_factory=dict)
    groups: Json = field(default_factory=dict)
    resampled: tuple[Json, ...] = ()


def source_from_json(value: Mapping[str, Any]) -> Source:
    """A source from its fields as plain JSON values; those of older versions lack some."""
    lists = {"names": tuple(value["names"]), "resampled": tuple(value.get("resampled", ()))}
    return Source(**{**value, **lists, "display": _display_from_json(value.get("display"))})


def _display_from_json(value: Mapping[str, Any] | None) -> Display | None:
    if value is None:
        return None
    return Display(
        windows=tuple(Window(**window) for window in value["windows"]),
        modality=value["modality"],
        channel_names=tuple(value["channel_names"]),
        channel_windows=tuple((float(low), float(high)) for low, high in value["channel_windows"]),
        oriented=value["oriented"],
        unit=value.get("unit", ""),
        inverted=value.get("inverted", False),
        channel_values=tuple(tuple(map(float, values)) for values in value.get("channel_values", ())),
        over_time=value.get("over_time", False),
        frame_seconds=tuple(map(float, value.get("frame_seconds", ()))),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """The unit that is split, queried and annotated.

    Attributes:
        name: Unique within the project; from the file name.
        patient: Pseudonymous patient; all cases of one patient share a split.
        voxels: Blob of the raw voxels: file order (I fastest, then J, K, channel), little endian, gzip; "" once the retention rule
            removed the image.
        dtype: numpy name of the voxels' dtype: uint8, int8, uint16, int16, uint32, int32 or float32.
        window: Intensities (low, high) to draw first: the files' own window, else the 0.5 and 99.5 percentile of the first channel.
        value_range: Smallest and largest intensity.
        split: Fixed at import, never migrates.
        stratum: Key used to stratify the split ("" when none).
        notes: What the reader noticed and did not repair, one line each (gantry tilt, uneven spacing), and when its image was removed.
    """

    id: str
    name: str
    patient: str
    split: Split
    grid: Grid
    channels: int
    dtype: str
    voxels: str
    window: tuple[float, float]
    value_range: tuple[float, float]
    source: Source
    stratum: str = ""
    notes: tuple[str, ...] = ()
    added_at: str

    @property
    def display(self) -> Display:
        """How its files say it is shown; for cases from before this was kept, what their notes say."""
        stated = self.source.display
        if stated is not None:
            filmed = stated.modality in OVER_TIME and any("no spacing of frames is stored" in note for note in self.notes)
            return replace(stated, over_time=True) if filmed and not stated.over_time else stated
        flat = self.source.format == "raster" or any("no orientation is stored" in note for note in self.notes)
        return Display(oriented=not flat)

    @property
    def channel_windows(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of each channel; all the case's own window when they were not looked at."""
        return self.display.channel_windows or (self.window,) * self.channels


@dataclass(frozen=True, kw_only=True)
class ReferenceSeries:
    """Another series of a case's patient, to look at beside the case: never annotated, trained on, predicted or exported.

    Attributes:
        name: Unique among those of the case, such as "FLAIR".
        voxels: As those of a case; "" when it was taken away.
        frame: How its positions relate to the case's: one frame of reference ("same"), registered as somebody says, by the headers of
            files that name no frame of reference ("files"), another one ("other"), or not known at all ("none").
        removed_at: When it was taken away; None while it stands.
    """

    id: str
    case_id: str
    name: str
    grid: Grid
    channels: int
    dtype: str
    voxels: str
    window: tuple[float, float]
    value_range: tuple[float, float]
    source: Source
    frame: FrameRelation
    notes: tuple[str, ...] = ()
    added_at: str
    removed_at: str | None = None

    @property
    def is_placed(self) -> bool:
        """Whether its positions may be compared with the case's."""
        return self.frame in PLACED


PLACED: tuple[FrameRelation, ...] = ("same", "registered", "files")
"""Relations in which one place of the patient has one position in both series."""


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """Who annotates.

    Attributes:
        cost_per_minute: In any unit that the project keeps to.
        expertise: How experienced; a consultant decides where others disagree.
        hours_per_week, cases_per_week: The most that routing gives them within seven days; None for no limit.
        admitted: They work without the tutorial, by somebody's decision.
    """

    id: str
    name: str
    kind: AnnotatorKind = "person"
    roles: tuple[str, ...] = ("annotator",)
    cost_per_minute: float = 1.0
    created_at: str
    expertise: Expertise = "expert"
    hours_per_week: float | None = None
    cases_per_week: int | None = None
    admitted: bool = False


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A case given to an annotator.

    Attributes:
        proposal_id: The prediction shown, None when there was none.
        revision: Number of the last saved patch; 0 is the untouched proposal.
        reason: Why this case was queried, in words, or why it was skipped or flagged.
        began_with: What its draft began with; None when it was opened before that was kept.
        base_id: The annotation that its draft began with, anybody's; None when it began with something else.
        blind: Its draft shows nothing of what other people annotated.
        gold_id: The gold case that it is a check by; None for real work.
        annotated: Values of the labels that its annotation is going to annotate; () for every label of the task.
    """

    id: str
    case_id: str
    annotator_id: str
    round_id: str | None = None
    proposal_id: str | None = None
    state: AssignmentState = "open"
    revision: int = 0
    reason: str = ""
    opened_at: str
    closed_at: str | None = None
    began_with: BeganWith | None = None
    base_id: str | None = None
    blind: bool = False
    gold_id: str | None = None
    annotated: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DraftPatch:
    """One autosaved edit of an open assignment: runs of voxels set to a value.

    Attributes:
        revision: 1, 2, 3, … within its assignment.
        runs: (start, length, value): `length` voxels from flat index `start` (I fastest) become `value`.
    """

    id: str
    assignment_id: str
    revision: int
    runs: tuple[tuple[int, int, int], ...]
    created_at: str


@dataclass(frozen=True, kw_only=True)
class PromptRecord:
    """A prompt by which the annotator of an assignment steered its draft; kept for ever, also when withdrawn.

    Attributes:
        revision: Number of the patch that holds its effect.
        prompt: The gesture, as `medloop.interaction.prompts.prompt_to_json` writes it.
        engine: Name of the engine that refined.
        locked: Labels that had to stay as they were.
        quality: Dice the engine expected of its mask, 0..1; None when unknown.
        replaces: The record whose place this one takes: a changed gesture, or one taken back and brought back.
        withdrawn: Number of the patch that took it back; None while it is in force.
    """

    id: str
    assignment_id: str
    revision: int
    prompt: Json
    engine: str
    locked: tuple[int, ...] = ()
    quality: float | None = None
    replaces: str | None = None
    withdrawn: int | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Work on a case in one session of a client (one load of the page, one run of a program); None is unknown, never 0.

    The seconds are the client's, of a clock that only goes forward; the times are this machine's.

    Attributes:
        session: The client's name of the session; "" of a client that has none, "earlier" for seconds from before this record
            existed, and the annotation's id for an adjudication without a draft.
        active_seconds: Seconds at work, without pauses.
        idle_seconds: Seconds for which the case was open and nobody worked on it.
        first_stroke_seconds: From opening the case in this session to the first change of the mask.
        strokes, prompts, slices_viewed, undos: How many; slices once per session.
        began_at, ended_at: The stretch of time that the seconds lie in; None where that was not observed.
        note: Why fewer seconds count than were reported; "" where all count.
    """

    id: str
    case_id: str
    annotator_id: str
    assignment_id: str | None = None
    session: str = ""
    active_seconds: float | None = None
    idle_seconds: float | None = None
    first_stroke_seconds: float | None = None
    strokes: int | None = None
    prompts: int | None = None
    slices_viewed: int | None = None
    undos: int | None = None
    began_at: str | None = None
    ended_at: str | None = None
    note: str = ""
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What somebody measured on a case's image; withdrawn rather than deleted, and every change of it stays in the audit.

    Attributes:
        kind: A length, an angle, an ellipse or rectangle whose values are measured, or a label of the draft.
        points: Voxel coordinates (i, j, k), whole numbers at voxel centres: two ends; an angle's three with its apex in the
            middle; two opposite corners; none of a label.
        axis, index: The voxel axis across the slice, and the slice's number; None for a label in the whole volume.
        channel: Whose values; None for the mean of all channels.
        label: The label measured, 0 for none.
        assignment_id, revision: The draft that a label was measured in, and its state then.
        figures: By name with unit: `length_mm` (`length_px` where no size is known), `angle_degrees`, `voxels`, `mean`, `sd`,
            `min`, `max`, `area_mm2` (`area_px`), `volume_ml`.
        note: What the annotator calls it.
        withdrawn_at: When its annotator took it away; None while it stands.
    """

    id: str
    case_id: str
    annotator_id: str
    kind: MeasurementKind
    points: tuple[Point, ...] = ()
    axis: int | None = None
    index: int | None = None
    channel: int | None = None
    label: int = 0
    assignment_id: str | None = None
    revision: int | None = None
    figures: Json = field(default_factory=dict)
    note: str = ""
    created_at: str
    changed_at: str
    withdrawn_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class NamedFrame:
    """Which frame or slice a person takes for a name of the project's template; the newest of a case, person and name counts.

    Attributes:
        axis, index: The voxel axis across the slice, and the slice's number from 0.
        placed: The person put the name there; else it stood there by the template when they submitted.
    """

    id: str
    case_id: str
    assignment_id: str
    annotator_id: str
    name: str
    axis: int
    index: int
    placed: bool
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a submitted mask came about.

    Attributes:
        prompt_ids: The prompts in force when it was submitted, in order.
        withdrawn_prompts: How many gestures were taken back or changed on the way.
        parts: What differs from the mask that the edit began with, by hand: "prompt", "brush", "filled" (between drawn slices),
            "propagated" (to other frames of a film), "traced" (of a trace), "taken" (of a hypothesis) and "elsewhere" (drawn by
            another program or in a mask sent whole), each {"voxels", "labels": {value: voxels}, "start", "stop"}, of a film also
            "frames"; absent hands are left out.
    """

    id: str
    annotation_id: str
    assignment_id: str
    prompt_ids: tuple[str, ...]
    withdrawn_prompts: int
    parts: Json
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One annotator's mask or tag of a case; immutable, superseded rather than changed.

    Attributes:
        kind: "partial" covers some slices or boxes of a case only, "marks" are points, scribbles, boxes and tags in place of a mask;
            models are trained on both, but the case may be queried again, and neither is evaluated against. "rejected" says only that
            the proposal (`proposal_id`) is wrong: nothing is learned from it, and the case is queried before others.
        blob: For a mask: blob of uint8 values, file order, gzip. For a partial annotation: mask and parts.
            For marks: their JSON. None for a tag and a rejection.
        tag: For a classification: the label's value.
        origin: A person's, of a data set that was imported, a simulated annotator's, fused from several readings
            (`Consensus`), composed by a reviewer from named readings, or given on a gold case, where it counts nowhere.
        supersedes: The annotation this one replaces: an earlier one by the same annotator, or anybody's that was
            replaced knowingly.
        proposal_id: The prediction that was shown, if any.
        began_with: What it began with: nothing, a model's prediction, an annotation (`Assignment.base_id`), or a mask
            made elsewhere; None when it is older than this field.
        effort_seconds: Active seconds recorded for its assignment until it was submitted; 0 where none were.
        untouched: Share, 0..1, of the voxels of the proposal or of this annotation that are the proposal's and that nobody
            touched, through all annotations in between; for a tag 1 when it is the proposed class, else 0. None where no
            proposal stands at its beginning.
        annotated: Values of the labels that it annotates, in order, and its mask holds no others; any of the others may lie in its
            background. () for every label of its version of the task.
    """

    id: str
    case_id: str
    task_id: str
    annotator_id: str
    kind: AnnotationKind
    blob: str | None = None
    tag: int | None = None
    origin: AnnotationOrigin = "human"
    assignment_id: str | None = None
    proposal_id: str | None = None
    supersedes: str | None = None
    effort_seconds: float = 0.0
    created_at: str
    began_with: BeganWith | None = None
    untouched: float | None = None
    annotated: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it annotates the whole case: a mask or a class, no parts, no marks and no rejection."""
        return self.kind in ("mask", "tag")


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """An annotation taken out of use: it stays in the history, and counts nowhere else.

    Attributes:
        annotator_id: Who did it.
        verb: "flagged" or "skipped" with its case, or "undone" by itself.
        reason: In words.
        assignment_id: The assignment that was closed or re-opened by it.
    """

    id: str
    annotation_id: str
    case_id: str
    annotator_id: str
    verb: TakenBack
    reason: str
    assignment_id: str | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a reviewer decided about the annotation of a case.

    Attributes:
        annotation_id: The annotation, or consensus, that was looked at.
        annotator_id: The reviewer.
        verdict: "approve", or "return" to be corrected.
        comment: In words; "" for none.
        returned_to: The annotator who must give an annotation now; None for an approval.
        signature: For an approval: the signer's printed name, the time, and what the signature means: {"name", "time",
            "meaning"} (21 CFR 11.50); None without one.
    """

    id: str
    case_id: str
    annotation_id: str
    annotator_id: str
    verdict: Verdict
    comment: str = ""
    returned_to: str | None = None
    signature: Json | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """One annotation from several readings of a case; superseded by a later one, never overwritten.

    Attributes:
        method: The setting `consensus` that it was made by.
        inputs: Ids of the readings, in the order they were given.
        annotation_id: The annotation that stands for the case: a fused one of the program annotator "consensus", or one
            of the inputs.
        supersedes: The consensus before; None for the first.
        skills: Annotator's id → {"value", "low", "high", "annotations"}: accuracy, or for masks the mean Dice with the
            consensus, 0..1; low and high, a 90 % interval, may be None; for masks also "labels": {value: the same}
            and "edges": how strong the image's edges along the outlines are, 1 as for the median reader.
        agreement: Of the readings, 0..1: of every two people the mean Dice, of the label with the lowest; for classes the
            share of the most frequent one.
        agreement_by_label: Label value → mean Dice of every two people; {} for classes.
        uncertainty: For masks: blob of the entropy per voxel, uint8, 255 = ln(classes) nats; None for classes.
        probabilities: For classes: of each class of the task, in order; () for masks.
        note: What fell back, or could not be known, in words; "" otherwise.
        voxel_probabilities: For fused masks: blob of the probability of each label, background first and then as in
            `agreement_by_label`, at the voxels whose uncertainty is not 0; uint8, 255 = 1, shape (labels, voxels, 1, 1).
        expected_error: How wrong it probably is, 0..1; of a mask 1 minus its expected Dice, of the label with the lowest. None where
            nothing was fused.
    """

    id: str
    case_id: str
    method: str
    inputs: tuple[str, ...]
    annotation_id: str
    supersedes: str | None = None
    skills: Json
    agreement: float
    agreement_by_label: Json
    uncertainty: str | None = None
    probabilities: tuple[float, ...] = ()
    note: str = ""
    voxel_probabilities: str | None = None
    expected_error: float | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Routed:
    """Why a case went to a person where `routing` decides.

    Attributes:
        purpose: A first reading ("new"), or another one of a case that somebody has read ("relabel").
        skill: The person's estimated skill at that time, 0..1; their reading counts by it.
        minutes, cost: Expected of the reading.
        quality: Expected of what stood for the case, 0..1.
        expected: Expected with the planned readings, 0..1.
        readers: Annotators whose readings were planned together, this one's among them.
        trust: How far what stood for the case, or the model's proposal, could be trusted, 0..1: the least comes first.
        reason: In words.
    """

    id: str
    assignment_id: str
    case_id: str
    annotator_id: str
    purpose: RoutedFor
    skill: float
    minutes: float
    cost: float
    quality: float
    expected: float
    readers: tuple[str, ...]
    trust: float
    reason: str
    created_at: str


@dataclass(frozen=True, kw_only=True)
class GoldCase:
    """A case whose annotation in force is the truth that people are held against; in use while that annotation stands.

    Attributes:
        annotation_id: The truth.
        annotator_id: Who said so.
        withdrawn_at: When it was taken out of use; None while it is in use.
    """

    id: str
    case_id: str
    annotation_id: str
    annotator_id: str
    created_at: str
    withdrawn_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Assignee:
    """Somebody whom a lead gave a case to: it is handed out to them, and no reading that it still needs to anybody else.

    Attributes:
        ended_at: When it was taken from them again; None while it is theirs.
    """

    id: str
    case_id: str
    annotator_id: str
    created_at: str
    ended_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class GoldReading:
    """A person's annotation of a gold case, held against its truth.

    Attributes:
        annotation_id: What the person gave.
        annotator_id: The person.
        tutorial: Given in the tutorial, of which the person knew.
        score: 0..1: for masks the mean Dice over labels, for classes 1 when right and 0 when not.
        by_label: Label value → Dice; {} for classes.
    """

    id: str
    gold_id: str
    case_id: str
    annotation_id: str
    annotator_id: str
    tutorial: bool
    score: float
    by_label: Json
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One pick of a query, in the order of picking.

    Attributes:
        probability: Chance of this pick among the cases left at that moment; None where the choice was certain or
            is not known. Kept so that selection bias can be corrected.
        left: Cases left at that moment, this one included; None where it was not drawn, or was drawn before this was kept.
        pool: Which cases these were, as `loop.foundation.pool_marks` marks a set of cases; "" likewise.
        parts: The only slices ({"axis", "index"}) and boxes ({"start", "stop"}) that are queried; () for the whole case.
        kind: What is worth most per minute of it; "" where that was not weighed.
        minutes: Predicted for it; None likewise.
        label: Value of the only label that is queried, of a case that is annotated for others; None for every label.
    """

    case_id: str
    score: float
    reason: str
    probability: float | None = None
    parts: tuple[Json, ...] = ()
    kind: QueryKind = ""
    minutes: float | None = None
    label: int | None = None
    left: int | None = None
    pool: str = ""


BY_HAND = "by hand"
"""In place of a strategy where a person chose the cases: they are no draws."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """The ordered choices of a strategy, or of a person (`BY_HAND`), and what they were made from."""

    id: str
    strategy: str
    seed: int
    model_id: str | None
    choices: tuple[Choice, ...]
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Round:
    """query → annotate → reconcile → train → evaluate."""

    id: str
    index: int
    state: RoundState
    query_id: str | None = None
    snapshot_id: str | None = None
    model_id: str | None = None
    message: str = ""
    created_at: str
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The exact annotations a model was trained on. `digest` hashes the sorted annotation ids and their blobs."""

    id: str
    annotation_ids: tuple[str, ...]
    digest: str
    created_at: str


OUTSIDE = "outside"
"""In the recipe of a model from elsewhere its name, and the digest of the empty snapshot that these have."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The immutable result of a training, or a model from elsewhere, whose proposals were brought in.

    Attributes:
        index: 1, 2, 3, … within the project.
        recipe: `Recipe.to_json()` of what was trained.
        snapshot_id: What it learned from.
        weights: Blobs of the members' safetensors.
        metrics: Training summary: steps, seconds, final loss, validation score.
    """

    id: str
    index: int
    recipe: Json
    snapshot_id: str
    weights: tuple[str, ...]
    metrics: Json
    created_at: str

    @property
    def outside(self) -> str:
        """The name of a model from elsewhere; "" for one that was trained here."""
        return str(self.recipe.get(OUTSIDE, ""))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A model's output for a case, on the case's own grid.

    Attributes:
        mask: Blob of uint8 label values (gzip, file order); None for a classification.
        uncertainty: Blob of uint8, 0 sure … 255 = ln(classes) nats of entropy (gzip, file order); or None.
        probabilities: Per class for a classification; mean foreground probability per class otherwise.
        features: Blob of the float32 embedding (gzip), or None.
        scores: Query scores by name (entropy, margin, least_confidence, bald, foreground_voxels, …).
        quality: Predicted Dice (or probability of being right) in 0..1, with a lower and upper bound.
    """

    id: str
    case_id: str
    model_id: str
    mask: str | None
    uncertainty: str | None
    probabilities: tuple[float, ...]
    features: str | None
    scores: Json
    quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """Numbers that describe a case without its annotation: features before there is a model, latent codes, distances.

    Attributes:
        method: What they are: "descriptors", "selfsup", "latent", "adversarial_distance" or "appearance-1".
        maker: Blob of the weights that made them, or the model's id; "" for a fixed rule. Numbers of different makers
            do not compare.
        vector: Blob of the float32 numbers (gzip).
    """

    id: str
    case_id: str
    method: str
    maker: str
    vector: str
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How one model did on one split: a point of the learning curve.

    Attributes:
        metric: "dice" (mean over foreground labels, then over patients) or "accuracy".
        mean: Over patients.
        low, high: Ends of its 95 % interval over patients; None where there are too few of them.
        labelled_cases: Answers the model had learned from.
        effort_minutes: Recorded human minutes behind these annotations.
        per_case: Case id → {label name: score}.
        selected: Whether selection touched these cases (queries, or the choice of the best weights); then the
            figure is optimistic.
        leaning: Ids of the cases whose annotation leans on a model's proposal; then the figure is optimistic too.
        surfaces: Case id → {label name: [surface Dice within the longest side of a voxel, HD95 in mm]}, without cases whose voxels have no
            known size; an HD95 is None where only one mask has the label. None for a classification, and for evaluations from before.
    """

    id: str
    model_id: str
    split: Split
    metric: str
    mean: float
    low: float | None
    high: float | None
    labelled_cases: int
    effort_minutes: float
    per_case: Json
    selected: bool = False
    created_at: str
    leaning: tuple[str, ...] = ()
    surfaces: Json | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationTruth:
    """Which annotations a model was held against on one split; the newest of a model and split counts.

    Attributes:
        evaluation_id: What came of it; None when no annotation was left to judge by.
        digest: Over the ids of the annotations that counted then; another one now means that the figure is out of date.
    """

    id: str
    model_id: str
    split: Split
    evaluation_id: str | None
    digest: str
    created_at: str


@dataclass(frozen=True, kw_only=True)
class LiveChoice:
    """Which model is in use from now on, and why; the newest one counts.

    Attributes:
        model_id: The model in use: it predicts, ranks the pool and proposes on the page.
        judged_id: The model this decision was about, in use or not.
        pinned: Whether a person chose; trainings change nothing then.
        reason: In words.
        comparison: Of the judged model with the one in use before, as `Comparison.to_json` writes it; {} without one. Beside it `gate` as
            `Gate.to_json` writes it, `candidate` of a model that may be released, and the `signature` of a release.
    """

    id: str
    model_id: str
    judged_id: str
    pinned: bool
    reason: str
    comparison: Json = field(default_factory=dict)
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """Background work by id and kind.

    Attributes:
        payload: Ids and numbers only, never objects.
        key: Idempotency key: enqueueing a key that is queued or running returns that job.
        progress: 0..1.
        attempt: How often it was started; with `owner` it fences a stale worker out.
    """

    id: str
    kind: str
    payload: Json
    state: JobState
    key: str | None = None
    priority: int = 0
    attempt: int = 0
    max_attempts: int = 3
    progress: float = 0.0
    message: str = ""
    owner: str | None = None
    cancel_requested: bool = False
    error: str = ""
    result: Json = field(default_factory=dict)
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the audit: who, when, verb, noun; chained by hash."""

    seq: int
    at: str
    actor: str
    verb: str
    noun: str
    noun_id: str
    body: Json
    previous: str
    digest: str
