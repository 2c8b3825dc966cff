"""Who should look at which prediction, as answers hold it."""

from medloop.core.records import Split
from medloop.quality.deferral import Decision
from medloop.server.wire.views import Number, View


class TriagedCaseView(View):
    """One unanswered case: its decision, and why."""

    case_id: str
    name: str
    decision: Decision
    score: float
    expected: Number
    low: Number
    high: Number
    reason: str
    domain_p: Number
    outside: bool


class ThresholdView(View):
    """Scores above `above` are accepted (null: all may be), and what that measured on the evaluated patients."""

    above: Number
    risk: float
    bound: float
    patients: int
    coverage: float
    accepted_loss: float


class RiskPointView(View):
    """What accepting everything from a score on would have meant on the evaluated cases."""

    score: Number
    coverage: float
    share_bad: float
    share_of_all: float


class TriageView(View):
    """The pool, sorted, those that need most help first."""

    model_index: int
    risk: float
    good: float
    hard: float
    accept: ThresholdView
    second: ThresholdView
    splits: list[Split]
    optimistic: bool
    evaluated: dict[str, int]
    curve: list[RiskPointView]
    cases: list[TriagedCaseView]
    unpredicted: int
    in_part: int
    promise: str
    checked: bool
    drifted: list[str]


class TriageResult(View):
    """The sorted pool, or why it cannot be sorted yet and what to do about it."""

    found: TriageView | None
    reason: str
    remedy: str
