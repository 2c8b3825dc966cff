"""Prompts on the wire: what requests may hold and what answers hold."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from medloop.interaction.prompts import Prompt, prompt_from_json
from medloop.server.wire.schemas import MAX_VOXEL, Body, IdText, LabelValue, Revision
from medloop.server.wire.views import Number, View

if TYPE_CHECKING:
    from medloop.loop.annotating.previewing import Preview
    from medloop.loop.annotating.refining import Refinement

MAX_PROMPTS_HELD = 100_000
"""Voxels of one stroke, corners of one outline."""

MAX_EARLIER = 50

Coordinate: TypeAlias = Annotated[int, Field(ge=-MAX_VOXEL, le=MAX_VOXEL, strict=True)]
VoxelBody: TypeAlias = tuple[Coordinate, Coordinate, Coordinate]
CornerBody: TypeAlias = tuple[float, float]


class PointBody(Body):
    """A click: the voxel has the label, or has it not."""

    kind: Literal["point"]
    voxel: VoxelBody
    label: LabelValue = 1
    positive: Annotated[bool, Field(strict=True)] = True


class ScribbleBody(Body):
    """A stroke: its voxels in the order drawn."""

    kind: Literal["scribble"]
    voxels: Annotated[list[VoxelBody], Field(max_length=MAX_PROMPTS_HELD)]
    label: LabelValue = 1
    positive: Annotated[bool, Field(strict=True)] = True


class BoxPromptBody(Body):
    """The structure lies from `start` up to, not including, `stop`; a 2D box has one axis of length 1."""

    kind: Literal["box"]
    start: VoxelBody
    stop: VoxelBody
    label: LabelValue = 1


class LassoBody(Body):
    """A closed outline on one slice; corners in the two other axes, in order."""

    kind: Literal["lasso"]
    axis: Annotated[int, Field(ge=0, le=2, strict=True)]
    index: Coordinate
    corners: Annotated[list[CornerBody], Field(max_length=MAX_PROMPTS_HELD)]
    label: LabelValue = 1
    positive: Annotated[bool, Field(strict=True)] = True


class ExtremePointsBody(Body):
    """Outermost voxels of the structure."""

    kind: Literal["extreme_points"]
    voxels: Annotated[list[VoxelBody], Field(max_length=MAX_PROMPTS_HELD)]
    label: LabelValue = 1


PromptBody: TypeAlias = Annotated[PointBody | ScribbleBody | BoxPromptBody | LassoBody | ExtremePointsBody, Field(discriminator="kind")]


def prompt_of(body: PromptBody) -> Prompt:
    """The prompt itself."""
    return prompt_from_json(body.model_dump())


class Readiness(Body):
    """Which engine to make ready."""

    engine: Literal["auto", "classical", "network", "any-label", "nninteractive"] = "auto"


class Removal(Readiness):
    """Take a prompt back.

    Attributes:
        base_revision: The revision of the draft as the page knows it.
        locked: Labels that must stay as they are.
        engine: Who computes the remaining prompts.
    """

    base_revision: Revision
    locked: Annotated[tuple[LabelValue, ...], Field(max_length=254)] = ()


class Change(Removal):
    """Put a prompt in another's place."""

    prompt: PromptBody


class Addition(Change):
    """A new prompt.

    Attributes:
        earlier: Prompts made just before whose own answer is superfluous now; saved with this one.
    """

    earlier: Annotated[tuple[PromptBody, ...], Field(max_length=MAX_EARLIER)] = ()


class PreviewBody(Removal):
    """Prompts to be shown, in the order given, each on what those before it made.

    Attributes:
        prompts: All of them again with every further one.
    """

    prompts: Annotated[tuple[PromptBody, ...], Field(min_length=1, max_length=MAX_EARLIER)]


class AcceptanceBody(PreviewBody):
    """A preview to be saved.

    Attributes:
        effect: What was shown, as the preview named it; anything else is refused.
    """

    effect: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Refine(Body):
    """What the server asks the assistant about one assignment."""

    project_id: IdText
    assignment_id: IdText


class AddRequest(_Refine):
    """Answer a new prompt."""

    verb: Literal["add"] = "add"
    said: Addition


class ChangeRequest(_Refine):
    """Put another prompt in the place of one in force."""

    verb: Literal["change"] = "change"
    prompt_id: IdText
    said: Change


class WithdrawRequest(_Refine):
    """Take a prompt back."""

    verb: Literal["withdraw"] = "withdraw"
    prompt_id: IdText
    said: Removal


class PreviewRequest(_Refine):
    """Show what prompts would do."""

    verb: Literal["preview"] = "preview"
    said: PreviewBody


class AcceptRequest(_Refine):
    """Save what was shown."""

    verb: Literal["accept"] = "accept"
    said: AcceptanceBody


RefineRequest: TypeAlias = Annotated[
    AddRequest | ChangeRequest | WithdrawRequest | PreviewRequest | AcceptRequest, Field(discriminator="verb")
]
"""What goes from the server to the assistant; both read it by this one definition."""


class RefinedView(View):
    """What a prompt did; `runs` lead from `base_revision` to `revision`."""

    prompt_id: str | None
    prompt_ids: list[str]
    revision: int
    runs: list[tuple[int, int, int]]
    quality: Number
    engine: str
    note: str = ""
    seconds: float

    @classmethod
    def of(cls, made: "Refinement", seconds: float) -> "RefinedView":
        """From what was saved, and how long it took."""
        last = made.prompt_ids[-1] if made.prompt_ids else None
        return cls.reading(made, prompt_id=last, revision=made.draft.revision, seconds=seconds)


class PreviewView(View):
    """What prompts would do: `runs` lead from the draft to what `effect` names; nothing is saved."""

    runs: list[tuple[int, int, int]]
    effect: str
    quality: Number
    engine: str
    note: str
    seconds: float

    @classmethod
    def of(cls, made: "Preview", seconds: float) -> "PreviewView":
        """From what was computed, and how long it took."""
        last = made.turns[-1]
        return cls(runs=list(made.runs), effect=made.effect, quality=last.quality, engine=last.engine, note=last.note, seconds=seconds)


class EngineView(View):
    """Who computes prompts on a case."""

    engine: str


class PromptView(View):
    """One prompt of an assignment's log."""

    id: str
    revision: int
    prompt: dict[str, Any]
    engine: str
    locked: list[int]
    quality: Number
    replaces: str | None
    withdrawn: int | None
    created_at: str


class PromptsView(View):
    """Every prompt an assignment ever had, and the ids of those in force, in order."""

    prompts: list[PromptView]
    in_force: list[str]


class ProvenanceView(View):
    """How an answer came about; see `medloop.core.records.Provenance`."""

    annotation_id: str
    assignment_id: str
    prompt_ids: list[str]
    withdrawn_prompts: int
    parts: dict[str, Any]
