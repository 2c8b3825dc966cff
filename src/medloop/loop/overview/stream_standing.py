"""How a stream in production stands: what was decided, by which rule, what its audit found, and whether an alarm stopped it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from medloop.core.errors import InputError
from medloop.core.names import counted
from medloop.core.records import Case, Json, Model
from medloop.loop.foundation.disposed import DECISIONS, POOL, Disposition, accepted_cases, began, dispositions, waiting_arrivals
from medloop.loop.foundation.follow_up import is_outdated
from medloop.loop.foundation.readings import awaiting_readings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS, evaluated_cases, evaluated_patients
from medloop.loop.judging.stream_audit import (
    StreamAudit,
    alarmed_rules,
    audit_stream,
    every_rule,
    standing_alarm,
    unread_by_rule,
    watch_stream,
)
from medloop.loop.judging.stream_rule import StreamRule, next_sure, rule_in_force
from medloop.quality.accepting import require_patients
from medloop.store.reader import Reader

SHOWN = 200
"""Cases decided last that are listed."""

BLIND = "audit sample: what was decided shows once people have read it"


@dataclass(frozen=True)
class DisposedCase:
    """A case and what was decided about it.

    Attributes:
        decision: "" for a case of the audit sample that nobody has read so far: whoever reads it must not know.
        stands: False for an acceptance that holds no longer, as its model was rolled back or a person rejected the proposal.
        annotated: People have read the case since.
    """

    case_id: str
    name: str
    decision: str
    reason: str
    score: float | None
    model_index: int
    above: float | None
    at: str
    number: int
    stands: bool
    annotated: bool


@dataclass(frozen=True)
class StreamStanding:
    """The stream now.

    Attributes:
        on: Whether the setting `stream_risk` is above 0.
        counts: Cases by decision; of the accepted, those that stand.
        lapsed: Accepted cases whose acceptance stands no longer and that wait for a new decision, or were read.
        waiting: Arrived cases that were not decided so far.
        unpredicted: Those of them that the model in use has not predicted.
        unread: Accepted cases that stand and that nobody has read, without the audit sample: what a recall brings back.
        rule: What decides; None where nothing is accepted so far.
        lacking: Why there is no rule, in words; "" where there is one.
        audit: Of this rule; None without.
        earlier: Rules of before of which acceptances stand unread, with what their audit found, in words.
        alarm, alarm_at: Why nothing is accepted until a lead has the rule made anew, in words, and since when; "" without.
        cases: The last ones decided, newest first.
    """

    on: bool
    counts: Mapping[str, int]
    lapsed: int
    waiting: int
    unpredicted: int
    unread: int
    rule: StreamRule | None
    lacking: str
    audit: StreamAudit | None
    earlier: tuple[str, ...]
    alarm: str
    alarm_at: str
    cases: tuple[DisposedCase, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The same as lines, without the cases."""
        if not self.on and not sum(self.counts.values()):
            return ("the stream is off: medloop configure DIR stream_risk=0.05",)
        counts = ", ".join(f"{self.counts[decision]} {decision}" for decision in DECISIONS)
        lines = ["" if self.on else "the stream is off (stream_risk=0): nothing is decided any more"]
        lines.append(f"{counts}; {counted(self.waiting, 'case')} not decided yet")
        if self.unpredicted:
            lines.append(f"{self.unpredicted} of these have no prediction so far: a worker makes it, or medloop predict")
        if self.lapsed:
            lines.append(f"{counted(self.lapsed, 'acceptance')} stands no longer: the model was rolled back, or the proposal rejected")
        if self.alarm:
            lines.append(f"ALARM since {self.alarm_at[:16]}: {self.alarm}. Everything is deferred: medloop dispositions DIR renew --why …")
            lines.append(f"{counted(self.unread, 'accepted case')} nobody has read: medloop dispositions DIR recall --why …")
        if self.rule is not None:
            lines.append(self.rule.words)
        elif self.lacking:
            lines.append(f"nothing is accepted: {self.lacking}")
        if self.audit is not None and self.rule is not None and self.rule.above is not None:
            lines.append(self.audit.words)
        lines.extend(self.earlier)
        return tuple(filter(None, lines))


def stream_standing(workspace: Workspace, *, shown: int = SHOWN) -> StreamStanding:
    """The stream now; looks for an alarm on the way, where the project can be written to."""
    settings = workspace.settings
    with workspace.store.read() as tx:
        found, accepted = dispositions(tx), accepted_cases(tx)
        counts = Counter(one.decision for i, one in found.items() if one.decision != "accepted" or i in accepted)
        free = sorted(tx.unread_among(accepted))
        unread = tx.find(Case, where={"id": free}) if free else []
        waiting, cases = waiting_arrivals(tx), _cases(tx, found, accepted, shown)
        live, ids = tx.live_model(), [case.id for case in waiting if case.split in POOL]
        seen = len(tx.latest_predictions(live.id, among=ids)) if live and ids else 0
        rule, lacking = _rule(workspace, tx) if settings.stream_risk > 0 else (None, "")
    alarm, earlier = _alarm(workspace), _earlier(workspace, rule)
    return StreamStanding(
        on=settings.stream_risk > 0,
        counts={decision: counts.get(decision, 0) for decision in DECISIONS},
        lapsed=sum(one.decision == "accepted" for one in found.values()) - len(accepted),
        waiting=len(waiting),
        unpredicted=len(ids) - seen if live else 0,
        unread=sum(case.split != "audit" for case in unread),
        rule=rule,
        lacking=lacking,
        audit=audit_stream(workspace, rule) if rule is not None else None,
        earlier=earlier,
        alarm=alarm["reason"] if alarm else "",
        alarm_at=alarm["at"] if alarm else "",
        cases=cases,
    )


def _alarm(workspace: Workspace) -> Json | None:
    if not workspace.store.read_only:
        return watch_stream(workspace)
    with workspace.store.read() as tx:
        return standing_alarm(tx)


def _earlier(workspace: Workspace, force: StreamRule | None) -> tuple[str, ...]:
    """What stands unread that another rule than the one in force accepted: a line for each, with its audit or that there is none."""
    with workspace.store.read() as tx:
        unread, over, made = unread_by_rule(tx), alarmed_rules(tx), every_rule(tx)
    rules = [made[number] for number in sorted(unread) if number in made and (force is None or number != force.number)]
    return tuple(_earlier_line(workspace, rule, unread[rule.number], rule.number in over) for rule in rules)


def _earlier_line(workspace: Workspace, rule: StreamRule, unread: int, is_over: bool) -> str:
    about = f"earlier rule of model {rule.model_index}: {counted(unread, 'acceptance')} nobody has read"
    if is_over:
        return f"{about}, and its promise is broken: medloop dispositions DIR recall --model {rule.model_index} --why …"
    return f"{about}; {audit_stream(workspace, rule).words}"


def _rule(workspace: Workspace, tx: Reader) -> tuple[StreamRule | None, str]:
    """The rule that decides, or why there is none."""
    settings, live = workspace.settings, tx.live_model()
    rule = rule_in_force(tx, settings)
    if rule is not None or live is None:
        return rule, "" if rule is not None else "there is no model yet"
    return None, _lacking(workspace, tx, live)


def _lacking(workspace: Workspace, tx: Reader, live: Model) -> str:
    if any(is_outdated(tx, live, split) for split in FAIR_SPLITS):
        return f"model {live.index} is not evaluated on the annotations of today: the worker does it"
    settings, patients = workspace.settings, evaluated_patients(evaluated_cases(tx, live.id))
    try:
        require_patients(patients, settings.stream_risk, next_sure(tx, settings, live)[1])
    except InputError as error:
        return f"model {live.index}: {error.message}"
    if began(tx) is None:
        return "no case has arrived since the stream is on"
    return f"model {live.index} gets its rule when the next case arrives"


def _cases(tx: Reader, found: Mapping[str, Disposition], accepted: set[str], shown: int) -> tuple[DisposedCase, ...]:
    newest = sorted(found.values(), key=lambda one: -one.number)[:shown]
    ids = [one.case_id for one in newest]
    cases = {case.id: case for case in tx.find(Case, where={"id": ids})} if ids else {}
    annotated = {a.case_id for a in tx.current_annotations(case_ids=ids)} if ids else set()
    blind = awaiting_readings(tx, [case.id for case in cases.values() if case.split == "audit"])
    return tuple(_line(one, cases[one.case_id], one.case_id in blind, one.case_id in annotated, accepted) for one in newest)


def _line(one: Disposition, case: Case, hidden: bool, annotated: bool, accepted: set[str]) -> DisposedCase:
    return DisposedCase(
        case_id=case.id,
        name=case.name,
        decision="" if hidden else one.decision,
        reason=BLIND if hidden else one.reason,
        score=None if hidden else one.score,
        model_index=one.model_index,
        above=None if hidden else one.above,
        at=one.at,
        number=one.number,
        stands=hidden or one.decision != "accepted" or one.case_id in accepted,
        annotated=annotated,
    )
