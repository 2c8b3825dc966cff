"""What the progress page shows; one model per table of `loop.progress`."""

from medloop.server.wire.views import Number, View


class CurvePointView(View):
    """One model on one split; without an interval, `note` says why."""

    model_index: int
    labelled_cases: int
    effort_minutes: float
    split: str
    metric: str
    mean: Number
    low: Number
    high: Number
    selected: bool
    note: str
    leaning: int
    warning: str
    surface: str


class PoolQualityView(View):
    """Expected scores of what is unlabelled."""

    mean: Number
    low_count: int
    histogram: list[int]


class ComparisonView(View):
    """A model against the one in use when it was judged, on the same patients; `low` and `high` are null where they are too few."""

    with_index: int
    difference: Number
    low: Number
    high: Number
    patients: int
    verdict: str
    text: str


class ModelLineView(View):
    """One model: what it learned from, its score, whether it is in use (`live`) and why (`note`).

    Attributes:
        candidate: Whether the gate keeps it out of use until a person releases it.
        on_trial: Whether it proposes in a share of the cases, so that the work on both models' proposals is compared (`trial`).
        gate: What the gate found, one line each.
        before: Whether it was in use once.
    """

    id: str
    index: int
    created_at: str
    steps: int
    seconds: float
    cases: int
    learned: int
    score: Number
    low: Number
    high: Number
    score_split: str
    live: bool
    pinned: bool
    note: str
    comparison: ComparisonView | None
    nothing_new: bool
    score_note: str
    calibration: str
    candidate: bool
    gate: list[str]
    before: bool
    on_trial: bool
    trial: list[str]


class CaseWorkView(View):
    """What a case took on average, of those with a recorded time."""

    cases: int
    minutes: float
    strokes: Number
    prompts: Number
    slices: Number


class ReachView(View):
    """Something with its 95 % interval; null for an end that the cases left do not reach."""

    expected: Number
    low: Number
    high: Number


class DrawnEstimateView(View):
    """One model over the pool that it saw, by the cases drawn since and their chances; `plain` is their biased mean as they are."""

    model_index: int
    mean: Number
    low: Number
    high: Number
    note: str
    cases: int
    patients: int
    pool: int
    plain: Number
    warning: str


class SelectedPoolView(View):
    """What the queried cases say of the pool, beside the evaluation cases of `split`; `warning` says that both contradict each other."""

    estimate: DrawnEstimateView
    split: str
    audit: Number
    audit_low: Number
    audit_high: Number
    basis: str
    warning: str


class TargetView(View):
    """How far the target score is: further cases, hours of work; `note` says what a forecast lacks."""

    target: float
    cases: ReachView | None
    hours: ReachView | None
    left: int
    note: str


class ChangedCaseView(View):
    """One evaluation case: why it is shown, and its score by the older and by the newer model."""

    word: str
    case_id: str
    name: str
    before: float
    after: float


class ModelChangeView(View):
    """The newer of the last two models less the older one, on the same evaluation cases, with a few of them."""

    older: int
    newer: int
    split: str
    mean: float
    low: Number
    high: Number
    note: str
    patients: int
    better: int
    worse: int
    cases: list[ChangedCaseView]


class RoundLineView(View):
    """One round."""

    index: int
    state: str
    strategy: str
    cases: int
    annotated: int
    message: str
    work: CaseWorkView | None


class EffortLineView(View):
    """What one annotator's work took: minutes of all of it, each at the rate of its time; the rate is today's."""

    annotator: str
    kind: str
    annotations: int
    cases: int
    timed: int
    median_seconds: Number
    minutes: float
    idle_minutes: Number
    cost_per_minute: float
    cost: float


class WorkLineView(View):
    """What some work took; null is unknown, "" all rounds, people or cases."""

    round: str
    annotator: str
    case: str
    proposal: str
    annotations: int
    cases: int
    timed: int
    minutes: Number
    idle_minutes: Number
    strokes: int | None
    prompts: int | None
    slices_viewed: int | None
    undos: int | None
    cost: float
    agreement: Number
    skill: Number
    skill_low: Number
    skill_high: Number
    shared: int
    opened_at: str | None
    first_stroke_at: str | None
    submitted_at: str | None
    note: str


class LearnedSkillView(View):
    """One annotator and label: the probability that what is the label is annotated so, and how many annotations hold it."""

    annotator: str
    label: str
    skill: float
    annotations: int
    holding: int
    model_index: int
    method: str


class ClassCountView(View):
    """One label: annotated training cases that hold it, how many of them a query chose, and how many of `cases` say something of it."""

    label: str
    annotated: int
    queried: int
    known: int
    cases: int


class AdviceView(View):
    """Whether to go on querying, in words; the expected gain of the next batch with its 95 % interval, its minutes and their error."""

    stop: bool
    reasons: list[str]
    expected_gain: Number
    interval: tuple[float, float] | None
    minutes: Number
    minutes_note: str


class ProgressView(View):
    """Everything the progress page shows."""

    curve: list[CurvePointView]
    labels_per_hour: Number
    annotated: int
    total: int
    pool_quality: PoolQualityView | None
    models: list[ModelLineView]
    unpredicted: int | None
    pool_note: str
    rounds: list[RoundLineView]
    effort: list[EffortLineView]
    queried: list[ClassCountView]
    stopping: AdviceView
    selected: SelectedPoolView | None
    quality_note: str
    target: TargetView | None
    work: CaseWorkView | None
