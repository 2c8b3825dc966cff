"""What a stream in production decided, by which rule, and what its audit found, as answers hold it."""

from typing import Annotated, Literal

from pydantic import Field

from medloop.core.settings import StreamLabels
from medloop.loop.overview.stream_standing import StreamStanding
from medloop.loop.querying.recalling import LONGEST_REASON
from medloop.server.wire.schemas import Body
from medloop.server.wire.views import Number, View

DecisionHere = Literal["", "accepted", "deferred", "second reader"]


class DisposedCaseView(View):
    """A case and what was decided; `decision` is empty for one of the audit sample that nobody has read so far."""

    case_id: str
    name: str
    decision: DecisionHere
    reason: str
    score: Number
    model_index: int
    above: Number
    at: str
    stands: bool
    annotated: bool


class StreamPointView(View):
    """What accepting every score from here on would have meant on the evaluated cases."""

    score: float
    coverage: float
    share_bad: float


class StreamRuleView(View):
    """The rule: scores above `above` are accepted (null: none are), those not above `second_above` go to two readers."""

    model_index: int
    risk: float
    sure: float
    good: float
    hard: float
    labels: StreamLabels
    attempt: int
    above: Number
    second_above: Number
    patients: int
    accepted: int
    coverage: float
    share_bad: float
    curve: list[StreamPointView]
    at: str
    words: str


class StreamAuditView(View):
    """What people found in the accepted cases of the audit sample; the alarm comes when the stake reaches 20."""

    drawn: int
    read: int
    bad: int
    low: float
    high: float
    stake: float
    broken: bool
    words: str


class StreamStandingView(View):
    """The stream now; `words` say the same in lines, `earlier` what stands unread of earlier rules."""

    on: bool
    counts: dict[str, int]
    lapsed: int
    waiting: int
    unread: int
    rule: StreamRuleView | None
    lacking: str
    audit: StreamAuditView | None
    earlier: list[str]
    alarm: str
    alarm_at: str
    cases: list[DisposedCaseView]
    words: list[str]


class WhyBody(Body):
    """Why a lead does it.

    Attributes:
        why: The reason, which is kept.
    """

    why: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class RecallBody(WhyBody):
    """Which accepted cases are to be read after all.

    Attributes:
        model: Only what this model's rule accepted; null for all.
    """

    model: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None


class RecalledView(View):
    """How many cases people read now that were accepted before."""

    cases: int


def stream_view(found: StreamStanding) -> StreamStandingView:
    """The stream as answers hold it."""
    rule, audit = found.rule, found.audit
    return StreamStandingView(
        on=found.on,
        counts=dict(found.counts),
        lapsed=found.lapsed,
        waiting=found.waiting,
        unread=found.unread,
        rule=None
        if rule is None
        else StreamRuleView(
            model_index=rule.model_index,
            risk=rule.risk,
            sure=rule.sure,
            good=rule.good,
            hard=rule.hard,
            labels=rule.asked["stream_labels"],
            attempt=rule.attempt,
            above=rule.above,
            second_above=rule.second_above,
            patients=rule.patients,
            accepted=rule.accepted,
            coverage=rule.coverage,
            share_bad=rule.share_bad,
            curve=[StreamPointView(score=score, coverage=coverage, share_bad=bad) for score, coverage, bad in rule.curve],
            at=rule.at,
            words=rule.words,
        ),
        lacking=found.lacking,
        audit=None if audit is None else StreamAuditView.model_validate(audit),
        earlier=list(found.earlier),
        alarm=found.alarm,
        alarm_at=found.alarm_at,
        cases=[DisposedCaseView.model_validate(one) for one in found.cases],
        words=list(found.words),
    )
