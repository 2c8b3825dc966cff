"""The audit of what a stream accepts, and the alarm when more of it is bad than was promised.

A share of the arriving patients, drawn by the project's key when their first case comes, is read by people who see no proposal, whatever
is decided. Those of them whose case was accepted tell the share of bad ones among the accepted. A bet (`medloop.metrics.betting`) goes on
over them while the rule is in force; each patient counts once, with the first accepted case. After an alarm nothing is accepted until a
lead has a rule made anew, which ends the bet and begins another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from medloop.core.errors import MedloopError
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Json, Label, Model, Prediction
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.disposed import ALARM, RENEW, STREAM, Disposition, dispositions, last_event
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.case_scores import score_case
from medloop.loop.judging.stream_rule import StreamRule, rule_in_force
from medloop.metrics.betting import LEVEL, first_alarm, mean_bounds, stake_against
from medloop.store.reader import Reader


@dataclass(frozen=True)
class StreamAudit:
    """What people found in the accepted cases of the audit sample, since the rule in force was made.

    Attributes:
        drawn: Patients drawn whose case was accepted.
        read, bad: How many of them were read, and were bad.
        low, high: Bounds of the share of bad ones among all accepted, which hold at every look (95 %).
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
    low, high = mean_bounds(known) if known else (0.0, 1.0)
    broken = first_alarm(waiting_as_good, rule.risk) is not None
    return StreamAudit(len(seen), len(known), int(sum(known)), low, high, stake_against(waiting_as_good, rule.risk), broken)


def standing_alarm(tx: Reader) -> Json | None:
    """The alarm since which no lead has had a rule made anew; None without."""
    alarm, renewed = last_event(tx, ALARM), last_event(tx, RENEW)
    return alarm if alarm is not None and (renewed is None or alarm["number"] > renewed["number"]) else None


def watch_stream(workspace: Workspace) -> Json | None:
    """Look whether the promise is broken, and raise the alarm if so; the alarm that stands, if any."""
    with workspace.store.read() as tx:
        alarm, rule = standing_alarm(tx), rule_in_force(tx, workspace.settings)
    if alarm is not None or rule is None:
        return alarm
    found = audit_stream(workspace, rule)
    if not found.broken:
        return None
    words = (
        f"{found.bad} of {found.read} audited accepted patients are bad, though {rule.promise}; "
        f"were the promise kept, it would come to this with a chance of {LEVEL:.0%} at most"
    )
    with workspace.store.write("system") as tx:
        if (stands := standing_alarm(tx)) is None and rule_in_force(tx, workspace.settings) == rule:
            body = {"reason": words, "model_id": rule.model_id, "model_index": rule.model_index, "rule": rule.number}
            event = tx.record(ALARM, STREAM, rule.model_id, {**body, "read": found.read, "bad": found.bad, "stake": found.stake})
            stands = {**event.body, "number": event.seq, "at": event.at}
    return stands


def _drawn(tx: Reader, workspace: Workspace, rule: StreamRule) -> list[_Seen]:
    """The first accepted case of each patient of the audit sample, in the order in which they were decided."""
    own = [one for one in dispositions(tx).values() if _is_own(one, rule)]
    cases = {c.id: c for c in tx.find(Case, where={"id": [d.case_id for d in own], "split": "audit"})} if own else {}
    first: dict[str, tuple[Case, Disposition]] = {}
    for one in sorted(own, key=lambda one: one.number):
        if one.case_id in cases:
            first.setdefault(cases[one.case_id].patient, (cases[one.case_id], one))
    if not first:
        return []
    truths = {a.case_id: a for a in consensus_annotations(tx, "audit") if not leans_on_proposal(tx, a)}
    seen = {p.id: p for p in tx.find(Prediction, where={"id": [one.prediction_id for _, one in first.values()]})}
    learned, scope = set(labels_of_model(tx.get(Model, rule.model_id), workspace.task)), annotated_labels(tx, workspace.task)
    known = {i: tuple(label for label in scope.of(truth) if label in learned) for i, truth in truths.items()}
    return [_Seen(case, seen.get(one.prediction_id), truths.get(case.id), known.get(case.id, ())) for case, one in first.values()]


def _is_own(one: Disposition, rule: StreamRule) -> bool:
    return one.decision == "accepted" and one.rule == rule.number


def _loss(workspace: Workspace, rule: StreamRule, seen: _Seen, kept: Memo) -> float | None:
    """1 for a bad proposal, 0 for a good one, None for one that nobody has read so far, or that cannot be read."""
    if seen.truth is None or seen.prediction is None:
        return None
    try:
        scores = kept.get(seen.key, partial(score_case, workspace, seen.truth, seen.case, seen.prediction, seen.labels))
    except MedloopError:
        return None
    return float(rule.is_bad(list(scores.values()))) if scores else None
