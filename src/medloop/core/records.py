"""The nouns of medloop as frozen values; see the design's table for their meaning.

Rules: a record never changes; a change makes a new record (or, for the few nouns with a state, the
store's `change`). Ids are strings made by `new_id`. Times are UTC in ISO 8601 with a `Z`, as `now()`
gives them. Everything here can be written as JSON; arrays live in blobs and are named by SHA-256.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from medloop.core.errors import LabelError
from medloop.core.geometry import Grid
from medloop.core.states import JobState, RoundState

TaskKind: TypeAlias = Literal["segmentation", "classification"]
Split: TypeAlias = Literal["train", "validation", "test", "audit"]
AnnotatorKind: TypeAlias = Literal["person", "model", "simulated"]
AssignmentState: TypeAlias = Literal["open", "submitted", "skipped", "flagged", "released"]
AnswerKind: TypeAlias = Literal["mask", "tag", "partial"]
AnswerOrigin: TypeAlias = Literal["human", "imported", "simulated"]
WarmStart: TypeAlias = Literal["scratch", "all", "new", "replay", "misclassified"]
ColdStart: TypeAlias = Literal["descriptors", "selfsup"]
Summed: TypeAlias = Literal["mean", "sum", "top", "foreground", "contour", "classes", "box"]
Json: TypeAlias = Mapping[str, Any]

EVALUATION_SPLITS: tuple[Split, ...] = ("validation", "test", "audit")
"""Splits whose answers no model ever trains on."""

LABEL_COLOURS = ("#e6550d", "#3182bd", "#31a354", "#d6c428", "#8c6bb1", "#e377c2", "#17becf", "#bcbd22", "#969696")
"""Default overlay colours, told apart in light and dark and by most colour-blind readers."""


def now() -> str:
    """The current time, UTC, ISO 8601 with microseconds, for example 2026-03-01T09:30:00.000000Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_id(noun: str) -> str:
    """A fresh random id such as `case-3f9a1c27b04e`; safe in URLs and file names."""
    return f"{noun}-{secrets.token_hex(6)}"


@dataclass(frozen=True, kw_only=True)
class Label:
    """One label of a task. `value` is 1..255 for segmentation (0 is background), 0.. for classification."""

    value: int
    name: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """The question put to every case; versioned, never edited in place."""

    id: str
    version: int
    kind: TaskKind
    labels: tuple[Label, ...]
    instructions: str = ""
    created_at: str

    @property
    def label_values(self) -> tuple[int, ...]:
        """The values of the labels, in order."""
        return tuple(label.value for label in self.labels)

    @property
    def classes(self) -> int:
        """Outputs of a network for this task: labels, plus background for a segmentation."""
        return len(self.labels) + (self.kind == "segmentation")

    def label_named(self, name: str) -> Label:
        """The label of that name.

        Raises:
            LabelError: When the task has none.
        """
        for label in self.labels:
            if label.name == name:
                return label
        raise LabelError(f"Unknown label {name!r}", remedy=f"use one of {', '.join(x.name for x in self.labels)}")


USUAL_STRATEGY: Mapping[TaskKind, str] = MappingProxyType({"segmentation": "foreground", "classification": "random"})
"""Chosen by comparisons on real images, not by literature; see docs/strategies.md."""


@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """What a project's loop does by itself.

    Attributes:
        strategy: Name in the strategy registry used for queries; a project made with "" takes `USUAL_STRATEGY`.
        first_strategy: Strategy of the first round, when there is no model.
        batch_size: Cases per round.
        start_size: Cases of the first round; 0 means `batch_size`.
        train_after: New answers that start a background training before the round ends; 0 waits for its end.
        validation_fraction, test_fraction: Share of labelled patients kept for evaluation at import.
        audit_fraction: Share of unlabelled patients drawn as the audit sample at import.
        train_minutes: Wall-clock budget of one training.
        train_steps: Step budget of one training; 0 leaves it to the recipe.
        warm_start: What a training begins with: "scratch" learns all answers anew; the others go on from the newest
            model's weights with "all" answers, the "new" ones, the new ones and as many old ones ("replay"), or the new
            ones and the old ones that the model gets wrong ("misclassified"). Trainings that go on can be short, but
            early answers weigh more, or are forgotten.
        cold_start: Features of cases before there is a model: "descriptors" (gradients and intensities, no learning)
            or "selfsup" (a small network trained on the images alone).
        members: Networks per model (ensemble), trained one after the other.
        samples: Answers drawn per case for uncertainty (MC dropout and flips).
        summed: How a segmentation's voxel scores become one number per case; see `medloop.loop.judging.sum_up`.
        pseudo_labels: Let a training also learn from confident predictions of unanswered training cases.
        bias_correction: Show drawn cases to a training by LURE weights, so that they stand for the whole pool; works
            with strategies that draw by known chances, and is logged as impossible with others.
        guided: Train networks that also take gestures: half of what they see comes with simulated corrections, so that one
            network proposes and refines. Segmentation only; a training in the same time sees fewer images.
        correction_weight: How much a voxel that a person has drawn over counts in training against one of the proposal that was
            merely accepted, 1..100; 1 makes no difference.
        right_reasons: Weight of the penalty on evidence from regions that people called irrelevant in an explanation; 0 is off.
        budget_labels: Answers after which the advice is to stop; 0 sets no limit. Nothing is ever stopped by itself.
        budget_minutes: Minutes of human time after which the advice is to stop; 0 sets no limit.
        budget_money: Cost of human time (minutes × each annotator's cost per minute) likewise; 0 sets no limit.
        target_score: Score whose lower bound, once reached, brings the advice to stop; 0 sets no target.
        seed: Root of all randomness.
    """

    strategy: str = ""
    first_strategy: str = "random"
    batch_size: int = 4
    start_size: int = 0
    train_after: int = 2
    validation_fraction: float = 0.1
    test_fraction: float = 0.15
    audit_fraction: float = 0.1
    train_minutes: float = 10.0
    train_steps: int = 0
    warm_start: WarmStart = "scratch"
    cold_start: ColdStart = "descriptors"
    members: int = 1
    samples: int = 6
    summed: Summed = "mean"
    pseudo_labels: bool = False
    bias_correction: bool = False
    guided: bool = False
    correction_weight: float = 1.0
    right_reasons: float = 0.0
    budget_labels: int = 0
    budget_minutes: float = 0.0
    budget_money: float = 0.0
    target_score: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Project:
    """One human-in-the-loop effort."""

    id: str
    name: str
    task_id: str
    settings: ProjectSettings
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a case came from, enough to write masks with the source's own geometry.

    Attributes:
        format: "nifti", "raster", "dicom" or "phantom".
        names: File names, one per channel (a folder name for a DICOM series); never a full path.
        sha256: Digest over the source files' bytes, in that order; finds duplicate cases.
        nifti_header: Base64 of the raw NIfTI-1/2 header of the first channel, or "".
        dicom: Identifying UIDs of a series (study, series, frame of reference, instances), or {}.
    """

    format: str
    names: tuple[str, ...]
    sha256: str
    nifti_header: str = ""
    dicom: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """The unit that is split, queried and answered.

    Attributes:
        name: Unique within the project; from the file name.
        patient: Pseudonymous patient; all cases of one patient share a split.
        voxels: Blob of the raw voxels: file order (I fastest, then J, K, channel), little endian, gzip.
        dtype: numpy name of the voxels' dtype: uint8, int8, uint16, int16, uint32, int32 or float32.
        window: Intensities (low, high) to draw first: 0.5 and 99.5 percentile of the first channel.
        value_range: Smallest and largest intensity.
        split: Fixed at import, never migrates.
        stratum: Key used to stratify the split ("" when none).
        notes: What the reader noticed and did not repair, one line each (gantry tilt, uneven spacing).
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


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """Who answers."""

    id: str
    name: str
    kind: AnnotatorKind = "person"
    roles: tuple[str, ...] = ("annotator",)
    cost_per_minute: float = 1.0
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A case given to an annotator.

    Attributes:
        proposal_id: The prediction shown, None when there was none.
        revision: Number of the last saved patch; 0 is the untouched proposal.
        reason: Why this case was asked, in words, or why it was skipped or flagged.
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
    """A gesture by which the annotator of an assignment steered its draft; kept for ever, also when taken back.

    Attributes:
        revision: Number of the patch that holds its effect.
        prompt: The gesture, as `medloop.interaction.prompts.prompt_to_json` writes it.
        engine: Name of the engine that answered.
        locked: Labels that had to stay as they were.
        quality: Dice the engine expected of its answer, 0..1; None when it could not tell.
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
class Provenance:
    """How a submitted mask came about.

    Attributes:
        prompt_ids: The prompts in force when it was submitted, in order.
        withdrawn_prompts: How many gestures were taken back or changed on the way.
        parts: What differs from the mask that the edit began with, by hand: "prompt", "brush" and "elsewhere" (a mask
            made outside the page), each {"voxels", "labels": {value: voxels}, "start", "stop"}; absent hands are left out.
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
    """One annotator's answer; immutable, superseded rather than changed.

    Attributes:
        kind: "partial" answers some slices or boxes of a case only; it teaches, but the case may be asked again.
        blob: For a mask: blob of uint8 values, file order, gzip. For a partial answer: mask and parts. None for a tag.
        tag: For a classification: the label's value.
        supersedes: The annotation this one replaces, by the same annotator.
        proposal_id: The prediction that was corrected, if any.
    """

    id: str
    case_id: str
    task_id: str
    annotator_id: str
    kind: AnswerKind
    blob: str | None = None
    tag: int | None = None
    origin: AnswerOrigin = "human"
    assignment_id: str | None = None
    proposal_id: str | None = None
    supersedes: str | None = None
    effort_seconds: float = 0.0
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One pick of a query, in the order of picking.

    Attributes:
        probability: Chance of this pick among the cases left at that moment; None where the choice was certain or
            is not known. Kept so that selection bias can be corrected.
    """

    case_id: str
    score: float
    reason: str
    probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """The ordered choices of a strategy and what they were made from."""

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
    """The exact answers a model learned from. `digest` hashes the sorted annotation ids and their blobs."""

    id: str
    annotation_ids: tuple[str, ...]
    digest: str
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """The immutable result of a training.

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


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A model's answer to a case, on the case's own grid.

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
    """Numbers that describe a case without its answer: features before there is a model, latent codes, distances.

    Attributes:
        method: What they are: "descriptors", "selfsup", "latent" or "adversarial_distance".
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
        effort_minutes: Recorded human minutes behind these answers.
        per_case: Case id → {label name: score}.
        selected: Whether selection touched these cases (queries, or the choice of the best weights); then the
            figure is optimistic.
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
