"""What requests may hold. Unknown fields, NaN, infinity and endless lists are refused with 422."""

from dataclasses import replace
from typing import Annotated, Self, TypeAlias

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from medloop.core.templates import MAX_NAME
from medloop.interaction.dwell import SPREAD_SHARE
from medloop.loop.annotating.drafts import MAX_RUNS
from medloop.loop.annotating.propagating import MAX_REACH, REACH
from medloop.loop.foundation.anchoring import FirstSight
from medloop.loop.foundation.effort_log import MAX_COUNT, MAX_SPAN_SECONDS, Reported, plain_seconds
from medloop.loop.foundation.partial_annotations import MAX_PARTS, BoxPart, Part, SlicePart

MAX_VOXEL = 2**48
MAX_REVISION = 2**31
MAX_PROMPTS = 1000
MAX_TRACE = 16_000_000
"""Characters of a trace: an hour of gaze at 60 samples a second."""

Id: TypeAlias = Annotated[str, Path(max_length=80, pattern=r"^[A-Za-z0-9_-]+$", description="An id as this interface gave it.")]
IdText: TypeAlias = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_-]+$")]
Text: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Run: TypeAlias = tuple[
    Annotated[int, Field(ge=0, le=MAX_VOXEL, strict=True)],
    Annotated[int, Field(ge=1, le=MAX_VOXEL, strict=True)],
    Annotated[int, Field(ge=0, le=255, strict=True)],
]
Corner: TypeAlias = Annotated[int, Field(ge=0, le=MAX_VOXEL, strict=True)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
LongSeconds: TypeAlias = Annotated[float, Field(ge=0, le=MAX_SPAN_SECONDS, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]
SessionName: TypeAlias = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_-]+$")]
Revision: TypeAlias = Annotated[int, Field(ge=0, le=MAX_REVISION, strict=True)]
PlaceNumber: TypeAlias = Annotated[int, Path(ge=0, le=MAX_REVISION, description="A place's number, from 0.")]
ModelIndex: TypeAlias = Annotated[int, Path(ge=1, le=MAX_REVISION, description="A model's index, from 1.")]
TaskVersion: TypeAlias = Annotated[int, Field(ge=1, le=MAX_REVISION)]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="Rows to give.")]
Offset: TypeAlias = Annotated[int, Query(ge=0, le=10_000_000, description="Rows to leave out first.")]
Search: TypeAlias = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Part of a case's name or patient.")]
After: TypeAlias = Annotated[int, Query(ge=0, le=2**62, description="Number of the last line already known.")]
Renamed = BeforeValidator(lambda value: {"answer": "annotation", "answered": "annotated", "unanswered": "unlabelled"}.get(value, value))
"""Words of queries that had another name before, which programs may still send."""
LabelValue: TypeAlias = Annotated[int, Field(ge=1, le=254, strict=True)]
LabelValues: TypeAlias = Annotated[tuple[LabelValue, ...], Field(min_length=1, max_length=254)]


class Body(BaseModel):
    """The rules every request body shares."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Nothing(Body):
    """An empty object: the request says everything by its address."""


class TrainBody(Body):
    """What to train.

    Attributes:
        again: Train also when nothing is new since the last model.
    """

    again: Annotated[bool, Field(strict=True)] = False


class ReleaseBody(Body):
    """A release of a candidate.

    Attributes:
        why: The reason, which the change record repeats.
        signed_as: The signer's printed name; with accounts it is the account's name.
        instead_of: Index of the model that was in use when the signer looked; null where that does not matter.
    """

    why: Annotated[str, Field(min_length=1, max_length=500)]
    signed_as: Annotated[str, Field(max_length=100)] = ""
    instead_of: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None


class RefusalBody(Body):
    """A refusal of a candidate.

    Attributes:
        why: The reason, which the change record repeats.
    """

    why: Annotated[str, Field(min_length=1, max_length=500)]


class BackBody(Body):
    """A roll back.

    Attributes:
        index: Of the model that is to be out of use: two people who do it at once go back once; null for whichever is in use.
    """

    index: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None


class DraftEdit(Body):
    """One autosaved edit.

    Attributes:
        base_revision: The revision it was drawn on.
        runs: (start, length, value) with flat voxel index i + I·(j + J·k).
        withdraws: Prompts whose effect the runs take back (undo).
        restores: Prompts whose effect the runs bring back (redo).
        locked: Labels that must stay as they are: the runs change other voxels only.
        taken: The runs put something that the model proposed, such as a hypothesis, into the mask.
        propagated, traced: The runs are what `POST …/propagate` or `POST …/trace` showed.
    """

    base_revision: Revision
    runs: Annotated[list[Run], Field(max_length=MAX_RUNS)]
    withdraws: Annotated[tuple[IdText, ...], Field(max_length=MAX_PROMPTS)] = ()
    restores: Annotated[tuple[IdText, ...], Field(max_length=MAX_PROMPTS)] = ()
    locked: Annotated[tuple[LabelValue, ...], Field(max_length=254)] = ()
    taken: Annotated[bool, Field(strict=True)] = False
    propagated: Annotated[bool, Field(strict=True)] = False
    traced: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.taken + self.propagated + self.traced > 1:
            raise ValueError("runs are taken from the model, propagated or traced, one of these at most")
        return self


class TraceBody(Body):
    """A trace of a pointer or of gaze on the case.

    Attributes:
        base_revision: The revision it is asked on.
        text: CSV or JSON, as docs/formats.md describes it.
        label: The value of the label that it proposes.
        spread_share: How far somebody looked around a sample, as a share of the slice's longer side.
        locked: Labels that must stay as they are.
    """

    base_revision: Revision
    text: Annotated[str, Field(max_length=MAX_TRACE, pattern=r"^[^\x00]*$")]
    label: LabelValue
    spread_share: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = SPREAD_SHARE
    locked: Annotated[tuple[LabelValue, ...], Field(max_length=254)] = ()


class PropagateBody(Body):
    """How far to carry labels from the frames that were drawn on.

    Attributes:
        base_revision: The revision it is asked on.
        reach: Frames from such a frame at most.
        locked: Labels that must stay as they are.
    """

    base_revision: Revision
    reach: Annotated[int, Field(ge=1, le=MAX_REACH, strict=True)] = REACH
    locked: Annotated[tuple[LabelValue, ...], Field(max_length=254)] = ()


class PlaceBody(Body):
    """A name of the template, and the slice along its axis that it is to stand for, from 0."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00]*$")]
    index: Annotated[int, Field(ge=0, le=MAX_VOXEL, strict=True)]


class AnnotatedBody(Body):
    """The values of the labels that a draft is going to annotate."""

    annotated: LabelValues


class FillBody(Body):
    """Which slices to fill between those drawn on.

    Attributes:
        base_revision: The revision it is asked on.
        axis: The voxel axis the slices are perpendicular to.
        locked: Labels that must stay as they are.
    """

    base_revision: Revision
    axis: Annotated[int, Field(ge=0, le=2, strict=True)]
    locked: Annotated[tuple[LabelValue, ...], Field(max_length=254)] = ()


class SliceBody(Body):
    """One whole slice: the voxel axis it is perpendicular to, and which one."""

    axis: Annotated[int, Field(ge=0, le=2, strict=True)]
    index: Annotated[int, Field(ge=0, le=MAX_VOXEL, strict=True)]


class BoxBody(Body):
    """A box of voxels (I, J, K) from `start` up to, not including, `stop`."""

    start: tuple[Corner, Corner, Corner]
    stop: tuple[Corner, Corner, Corner]


def part_of(body: SliceBody | BoxBody) -> Part:
    """The part of a case itself."""
    return SlicePart(body.axis, body.index) if isinstance(body, SliceBody) else BoxPart(body.start, body.stop)


class EffortBody(Body):
    """What a client knows of its work on an assignment in one session, all of it so far; what is left out is unknown.

    Attributes:
        session: A name of this load of the page or run of the program, its own for each; reports of one session may come again.
        active_seconds: At work, without pauses, by a clock that only goes forward.
        idle_seconds: The case was open and nobody worked on it.
        first_stroke_seconds: From opening the case in this session to the first change of the mask.
        proposal: What was on the screen of a proposal when the first stroke came; left out as long as none did.
        ago_seconds: How long ago the last sign of life was, for a report that comes late.
    """

    session: SessionName
    active_seconds: Seconds | None = None
    idle_seconds: LongSeconds | None = None
    first_stroke_seconds: LongSeconds | None = None
    strokes: Count | None = None
    prompts: Count | None = None
    slices_viewed: Count | None = None
    undos: Count | None = None
    proposal: FirstSight | None = None
    ago_seconds: LongSeconds = 0.0

    def reported(self) -> Reported:
        """The report, to be held against the clock of this machine."""
        return Reported(**dict(self), observed=True)


def reported(effort: EffortBody | None, seconds: float | None = None) -> Reported:
    """The report of a client that sends its sessions, or of one that knows seconds only."""
    return effort.reported() if effort else replace(plain_seconds(seconds), observed=True)


class Submission(Body):
    """An answer: a draft's revision, or a tag.

    Attributes:
        revision: For a mask: the draft as the page knows it.
        parts: For a mask: the only slices and boxes that are answered; the case may be asked again.
        tag: For a classification: the label's value.
        effort_seconds: Active time spent, without pauses; left out, null or 0 where it is unknown.
        effort: What is known of the session that submits, in place of `effort_seconds`.
        replace: Replace an annotation that somebody else gave; without it that is a 409 `replaces_annotation`.
        task_version: The version of the task that the annotator saw, since labels may have been added meanwhile.
        whole: All of the mask counts, though only parts of the case were queried.
        returned: Id of the return (`returned` of the open case) that the annotator saw; a later one is a 409 `returned`.
        annotated: For a mask: the values of the labels that it annotates; left out, those that the draft is for, and what was drawn.
    """

    revision: Revision | None = None
    parts: Annotated[list[SliceBody | BoxBody], Field(min_length=1, max_length=MAX_PARTS)] | None = None
    tag: Annotated[int, Field(ge=0, le=255, strict=True)] | None = None
    effort_seconds: Seconds | None = None
    effort: EffortBody | None = None
    replace: Annotated[bool, Field(strict=True)] = False
    task_version: Annotated[TaskVersion, Field(strict=True)] | None = None
    whole: Annotated[bool, Field(strict=True)] = False
    returned: IdText | None = None
    annotated: LabelValues | None = None

    @model_validator(mode="after")
    def _one_submission(self) -> Self:
        if (self.revision is None) == (self.tag is None):
            raise ValueError("give either revision (a mask) or tag (a classification)")
        if self.parts is not None and self.tag is not None:
            raise ValueError("parts belong to a mask, a tag annotates the whole case")
        if self.annotated is not None and self.tag is not None:
            raise ValueError("annotated belongs to a mask, a tag is chosen among all labels")
        return self


class Rejection(Body):
    """The work on a case until its proposal was rejected."""

    effort: EffortBody | None = None


class Reason(Body):
    """Why a case is skipped or flagged, and the work until then."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
    effort: EffortBody | None = None
