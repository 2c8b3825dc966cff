"""What responses hold about projects, worklists and work on a case."""

from typing import Any

from medloop.core.records import ProjectSettings, TaskKind
from medloop.server.wire.standing_views import OpenAssignmentView, SituationView
from medloop.server.wire.stream_views import DecisionHere
from medloop.server.wire.views import CaseView, LabelView, ModelBrief, Number, PredictionView, RoundBrief, SharedView, View


class ProjectLine(View):
    """One project in the list."""

    id: str
    name: str
    kind: TaskKind
    labels: list[LabelView]
    shared: list[SharedView]
    cases: int
    annotated: int
    model: ModelBrief | None
    round: RoundBrief | None


class Counts(View):
    """Cases by split and by how far they are."""

    total: int
    train: int
    validation: int
    test: int
    audit: int
    annotated: int
    skipped: int
    flagged: int


class DamagedView(View):
    """A case that is left out because its bytes are damaged or gone, or because its voxel size makes it too large to compute on."""

    case_id: str
    name: str
    reason: str
    remedy: str


class WorkersView(View):
    """Whether anything does background work for the project."""

    alive: bool


class ProjectView(ProjectLine):
    """One project in full."""

    instructions: str
    task_version: int
    label_gaps: list[str]
    settings: ProjectSettings
    counts: Counts
    strategy: str
    workers: WorkersView
    damaged: list[DamagedView]
    oversized: list[DamagedView]
    read_only: str
    archives: bool
    """Whether there is a list of archives that the project may contact."""


class VerdictView(View):
    """What the stream decided about a case: annotate it now or keep it unlabelled, and the share of earlier cases that were surer."""

    annotate: bool
    score: float
    reason: str


class ArrivalView(View):
    """An image that arrived, and its verdict or what was decided about it; `note` says why, or why nothing was."""

    case_id: str
    name: str
    split: str
    verdict: VerdictView | None
    decision: DecisionHere
    note: str


class PreviousView(View):
    """The annotation of the case in force, whoever gave it."""

    id: str
    tag: int | None


class OpenedView(View):
    """A case in front of an annotator, with the proposal drawn on it."""

    assignment: OpenAssignmentView
    case: CaseView
    prediction: PredictionView | None
    previous: PreviousView | None


class SeenView(View):
    """A case to look at: what `OpenedView` holds, without an assignment."""

    situation: SituationView
    case: CaseView
    prediction: PredictionView | None
    previous: PreviousView | None


class NothingLeft(View):
    """Nothing to ask, and why."""

    assignment: None
    reason: str


class CaseOutlookView(View):
    """Where an open case stands; see `medloop.loop.overview.case_outlook.CaseOutlook`."""

    round: int | None
    place: int
    cases: int
    left: int
    verdict: str
    expected: Number
    low: Number
    high: Number
    lacking: str


class OutlookView(View):
    """What an annotator would get next: the case's name and why, or "" and why there is none."""

    annotator: str
    case: str
    reason: str


class UpcomingView(View):
    """What will probably be asked next; null when unknown."""

    case_id: str | None
    prediction_id: str | None


class RevisionView(View):
    """The draft's newest revision."""

    revision: int


class FilledView(View):
    """What a filling did: `runs` lead to `revision`; the slices drawn on, and how many have changed."""

    revision: int
    runs: list[tuple[int, int, int]]
    drawn: list[int]
    filled: int


class PropagatedView(View):
    """What carrying labels would do to the draft of `revision`: its runs, the frames drawn on, and those made anew.

    `weakest` is the frame between drawn ones where the two directions agree least, by `agreement` (Dice of the worst label).
    """

    revision: int
    runs: list[tuple[int, int, int]]
    drawn: list[int]
    reached: list[int]
    weakest: int | None
    agreement: float | None


class TracedView(View):
    """What a trace would add to the draft of `revision`: its runs, and how sure they are (`expected_dice`, 0..1, of a heuristic)."""

    revision: int
    runs: list[tuple[int, int, int]]
    samples: int
    seconds: float
    slices: list[int]
    expected_dice: float


class DraftStepView(View):
    """One saved edit of a draft: what it was, when, its runs, and the prompts it holds the effect of with who refined."""

    revision: int
    what: str
    at: str
    runs: list[tuple[int, int, int]]
    prompts: list[dict[str, Any]]
    engine: str


class DraftStepsView(View):
    """All of them, oldest first, whose they are, and the runs that make what the draft began with out of background."""

    who: str
    began: list[tuple[int, int, int]]
    steps: list[DraftStepView]


class SubmittedView(View):
    """A stored annotation; one of a gold case has feedback."""

    annotation_id: str
    next: bool
    gold: bool


class TimeView(View):
    """Active seconds of every session on an assignment, as far as they count."""

    active_seconds: float


class ClosedView(View):
    """An assignment after it was closed without an annotation, or was not."""

    assignment_id: str
    state: str
    next: bool


class JobRef(View):
    """A job that now waits or runs."""

    job_id: str


class LogLineView(View):
    """One line of a job's log."""

    seq: int
    at: str
    text: str


class LogView(View):
    """Lines of a job's log, in order."""

    lines: list[LogLineView]
