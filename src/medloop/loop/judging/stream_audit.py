"""The audit of what a stream accepts, and the alarm when more of it is bad than was promised.

A share of the arriving patients, drawn by the project's key when their first case comes, is read by people who see no proposal, whatever
is decided. Those of them whose case was accepted tell the share of bad ones among the accepted. A bet (`medloop.metrics.betting`) goes on
over them while the rule is in force, and afterwards for as long as something that it accepted stands unread; each patient counts once, with
the first case that the rule accepted, whatever was decided about it later. One whom people had annotated before the rule was made does not
count, as the rule rests on them. After an alarm nothing is accepted until a lead has a rule made anew.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from medloop.core.errors import MedloopError
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Json, Label, Model, Prediction, ProjectSettings, Withdrawal
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.disposed import (
    ALARM,
    CALIBRATE,
    RENEW,
    STREAM,
    Disposition,
    every_disposition,
    last_event,
    standing_dispositions,
)
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.readings import awaiting_readings, project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.case_scores import score_case
from medloop.loop.judging.stream_rule import StreamRule, rule_in_force, rule_of
from medloop.metrics.betting import LEVEL, first_alarm, mean_bounds, stake_against
from medloop.store.reader import Reader


@dataclass(frozen=True)
class StreamAudit:
    """What people found in the accepted cases of the audit sample, of one rule.

    Attributes:
        drawn: Patients drawn whose case was accepted.
        read, bad: How many of them were read, and were bad.
        low, high: Bounds of the share of bad ones among all accepted, which hold at every look (95 %) whatever those to read will show.
        stake: What a stake of 1 against the promise has become; the alarm comes at 20.
        broken: Whether it ever came so far.
    """

    drawn: int
    read: int
    bad: int
    low: float
    high: float
    stake: float
    broken: bool

    @property
    def words(self) -> str:
        """The same as a line."""
        found = f"{self.bad} bad of {self.read} read, {counted(self.drawn - self.read, 'patient')} to read"
        share = f"share of bad ones {self.low:.1%} to {self.high:.1%}"
        return f"audit of the accepted: {found}; {share}; stake {self.stake:.2g}, alarm at {1 / LEVEL:.0f}"


@dataclass(frozen=True)
class _Seen:
    """An accepted case of the audit sample with what people and the model say of it; None for nothing that counts."""

    case: Case
    prediction: Prediction | None
    truth: Annotation | None
    labels: Sequence[Label]

    @property
    def key(self) -> str:
        """What its score hangs on."""
        pair = f"{self.prediction.id if self.prediction else ''} {self.truth.id if self.truth else ''}"
        return f"{pair} {','.join(label.name for label in self.labels)}"


def audit_stream(workspace: Workspace, rule: StreamRule) -> StreamAudit:
    """The audit of a rule as it stands."""
    with workspace.store.read() as tx:
        seen = _drawn(tx, workspace, rule)
    with memo(workspace, "stream-audit") as kept:
        losses = [_loss(workspace, rule, one, kept) for one in seen]
    known, waiting_as_good = [loss for loss in losses if loss is not None], [loss or 0.0 for loss in losses]
    low, high = mean_bounds(waiting_as_good)[0], mean_bounds([1.0 if loss is None else loss for loss in losses])[1]
    broken = first_alarm(waiting_as_good, rule.risk) is not None
    return StreamAudit(len(seen), len(known), int(sum(known)), low, high, stake_against(waiting_as_good, rule.risk), broken)


def standing_alarm(tx: Reader) -> Json | None:
    """The alarm since which no lead has had a rule made anew; None without."""
    alarm, renewed = last_event(tx, ALARM), last_event(tx, RENEW)
    return alarm if alarm is not None and (renewed is None or alarm["number"] > renewed["number"]) else None


def watch_stream(workspace: Workspace) -> Json | None:
    """Look whether the promise is broken, and raise the alarm if so; the alarm that stands, if any."""
    with workspace.store.read() as tx:
        alarm, rules = standing_alarm(tx), watched_rules(tx, workspace.settings)
    if alarm is not None:
        return alarm
    audits = ((rule, audit_stream(workspace, rule)) for rule in rules)
    broken = next(((rule, found) for rule, found in audits if found.broken), None)
    return _raise_alarm(workspace, *broken) if broken is not None else None


def watched_rules(tx: Reader, settings: ProjectSettings) -> list[StreamRule]:
    """The rules that are audited: the one in force, and before it those of which accepted cases stand unread and no alarm was raised."""
    made = every_rule(tx)
    if not made:
        return []
    over, force = alarmed_rules(tx), rule_in_force(tx, settings)
    earlier = [made[number] for number in sorted(unread_by_rule(tx)) if number in made and number not in over]
    return [*([force] if force is not None else []), *(rule for rule in earlier if force is None or rule.number != force.number)]


def every_rule(tx: Reader) -> dict[int, StreamRule]:
    """Every rule that was made, by its number."""
    return {rule.number: rule for rule in map(rule_of, tx.events_about(STREAM, verbs=[CALIBRATE]))}


def alarmed_rules(tx: Reader) -> set[int]:
    """Numbers of the rules whose promise was found broken."""
    return {int(event.body["rule"]) for event in tx.events_about(STREAM, verbs=[ALARM])}


def unread_by_rule(tx: Reader) -> Counter[int]:
    """Number of a rule → how many cases that it accepted stand and nobody has read, without the audit sample."""
    standing = {i: one.rule for i, one in standing_dispositions(tx).items() if one.decision == "accepted"}
    ids = tx.unread_among(standing)
    drawn = {case.id for case in tx.find(Case, where={"id": sorted(ids), "split": "audit"})} if ids else set()
    return Counter(standing[case_id] for case_id in ids - drawn)


def _raise_alarm(workspace: Workspace, rule: StreamRule, found: StreamAudit) -> Json | None:
    words = (
        f"{found.bad} of {found.read} audited patients accepted by model {rule.model_index} are bad, though {rule.promise}; "
        f"were the promise kept, it would come to this with a chance of {LEVEL:.0%} at most"
    )
    with workspace.store.write("system") as tx:
        if (stands := standing_alarm(tx)) is None and rule in watched_rules(tx, project_settings(tx)):
            body = {"reason": words, "model_id": rule.model_id, "model_index": rule.model_index, "rule": rule.number}
            event = tx.record(ALARM, STREAM, rule.model_id, {**body, "read": found.read, "bad": found.bad, "stake": found.stake})
            stands = {**event.body, "number": event.seq, "at": event.at}
    return stands


def _drawn(tx: Reader, workspace: Workspace, rule: StreamRule) -> list[_Seen]:
    """The first accepted case of each patient of the audit sample, in the order in which they were decided."""
    cases = {case.id: case for case in tx.find(Case, where={"split": "audit"})}
    own = [one for one in every_disposition(tx, list(cases)) if one.decision == "accepted" and one.rule == rule.number]
    known_before = _annotated_before(tx, {cases[one.case_id].patient for one in own}, rule)
    first: dict[str, tuple[Case, Disposition]] = {}
    for one in own:
        if cases[one.case_id].patient not in known_before:
            first.setdefault(cases[one.case_id].patient, (cases[one.case_id], one))
    if not first:
        return []
    truths = _truths(tx, [case.id for case, _ in first.values()])
    seen = {p.id: p for p in tx.find(Prediction, where={"id": [one.prediction_id for _, one in first.values()]})}
    learned, scope = set(labels_of_model(tx.get(Model, rule.model_id), workspace.task)), annotated_labels(tx, workspace.task)
    known = {i: tuple(label for label in scope.of(truth) if label in learned) for i, truth in truths.items()}
    return [_Seen(case, seen.get(one.prediction_id), truths.get(case.id), known.get(case.id, ())) for case, one in first.values()]


def _annotated_before(tx: Reader, patients: Collection[str], rule: StreamRule) -> set[str]:
    """Which of these patients had an annotated case when the rule was made: it may rest on them, so they tell nothing new of it."""
    whose = {case.id: case.patient for case in tx.find(Case, where={"patient": sorted(patients)})} if patients else {}
    given = {a.id: a.case_id for a in tx.find(Annotation, where={"case_id": list(whose)})} if whose else {}
    return {whose[given[i]] for i, number in tx.event_numbers(Annotation, list(given)).items() if number < rule.number} if given else set()


def _truths(tx: Reader, case_ids: Collection[str]) -> dict[str, Annotation]:
    """What people found without a proposal, by case id: what stands, or where that leans on a proposal the last before it that does not.

    None of a case that somebody is still to read: an alarm that one reader alone raised would stand whatever the others find.
    """
    due = awaiting_readings(tx, case_ids)
    read = [case_id for case_id in case_ids if case_id not in due]
    found = {i: deciding(each) for i, each in by_case(tx.current_annotations(case_ids=read)).items()} if read else {}
    leaning = [i for i, one in found.items() if leans_on_proposal(tx, one)]
    blind = [one for one in _once_given(tx, leaning) if not leans_on_proposal(tx, one)]
    return {i: one for i, one in found.items() if i not in leaning} | {one.case_id: one for one in blind}


def _once_given(tx: Reader, case_ids: Collection[str]) -> list[Annotation]:
    """Every full annotation of these cases, replaced ones too, in their order; none that was taken back, and no gold reading."""
    given = tx.find(Annotation, where={"case_id": list(case_ids)}) if case_ids else []
    gone = {one.annotation_id for one in tx.find(Withdrawal, where={"case_id": list(case_ids)})} if given else set()
    return [one for one in given if one.kind in ("mask", "tag") and one.origin != "gold" and one.id not in gone]


def _loss(workspace: Workspace, rule: StreamRule, seen: _Seen, kept: Memo) -> float | None:
    """1 for a bad proposal, 0 for a good one, None for one that nobody has read so far, or that cannot be read."""
    if seen.truth is None or seen.prediction is None:
        return None
    try:
        scores = kept.get(seen.key, partial(score_case, workspace, seen.truth, seen.case, seen.prediction, seen.labels))
    except MedloopError:
        return None
    return float(rule.is_bad(list(scores.values()))) if scores else None
