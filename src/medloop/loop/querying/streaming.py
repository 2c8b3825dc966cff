"""Stream-based selective sampling: each case is judged when it arrives, without the rest of the pool: annotate now, or keep unlabelled.

With the setting `stream` the model in use predicts what arrives, and a rule compares the case's uncertainty, as the share of the
cases seen before that are surer, with a threshold that moves. A case to annotate becomes a round at once; one that is kept stays
unlabelled, and no query of the pool takes it while the setting lasts. Verdicts, and the state of the rule after each, are events of
the audit.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medloop.core.records import Choice, Event, Json, Model, Query, new_id, now
from medloop.core.states import RoundState
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.round_moves import add_round
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.queries import queried_case_ids
from medloop.query.streams.rules import RULES, StreamRule, judged, taught
from medloop.query.streams.verdicts import StreamState
from medloop.store.reader import Reader
from medloop.store.writer import Writer

JUDGED = "judge"
SCORE = "entropy"
SAME = 0.95
"""An annotation that left this share of the proposal untouched was not worth asking for."""


@dataclass(frozen=True)
class StreamVerdict:
    """Whether to annotate a case that arrived now, as this share (0..1) of the cases seen before was surer, and why in words."""

    case_id: str
    annotate: bool
    score: float
    reason: str
    at: str

    def __str__(self) -> str:
        return f"{'annotate now' if self.annotate else 'keep unlabelled'}: {self.reason}"


def judge_arrivals(workspace: Workspace) -> list[StreamVerdict]:
    """Judge every predicted case that was not judged yet, in the order of their predictions; those to annotate become a round."""
    settings = workspace.settings
    if settings.stream == "off":
        return []
    damaged = {case.case_id for case in damaged_cases(workspace)}
    with workspace.store.write("system") as tx:
        model = tx.live_model()
        if model is None:
            return []
        rule, known = RULES[settings.stream](settings.stream_budget), tx.events_about("case", verbs=[JUDGED])
        state = _state(tx, rule, [event for event in known if event.body["rule"] == _configured(workspace)])
        free = {case.id for case in tx.unlabelled_cases(["train"])} - damaged - tx.refused_cases(["train"])
        free -= {event.noun_id for event in known} | queried_case_ids(tx)
        new: list[StreamVerdict] = []
        earlier: list[float] = []
        for case_id, scores, _ in tx.prediction_scores(model.id):
            if SCORE not in scores:
                continue
            entropy = float(scores[SCORE])
            if case_id in free:
                share = bisect_left(earlier, entropy) / len(earlier) if earlier else 1.0
                verdict, state = judged(rule, state, share)
                body = {"annotate": verdict.query, "score": share, "reason": verdict.reason, "model_id": model.id}
                event = tx.record(JUDGED, "case", case_id, {**body, "rule": _configured(workspace), "state": asdict(state)})
                new.append(_verdict(case_id, event.body, event.at))
            insort(earlier, entropy)
        _open_round(tx, settings.stream, model, [one for one in new if one.annotate])
    return new


def verdicts(tx: Reader, case_ids: Collection[str] | None = None) -> dict[str, StreamVerdict]:
    """The verdict on each case that was judged, by case id, oldest first."""
    return {event.noun_id: _verdict(event.noun_id, event.body, event.at) for event in tx.events_about("case", case_ids, verbs=[JUDGED])}


def _verdict(case_id: str, body: Json, at: str) -> StreamVerdict:
    return StreamVerdict(case_id, body["annotate"], body["score"], body["reason"], at)


def _configured(workspace: Workspace) -> list[Any]:
    return [workspace.settings.stream, workspace.settings.stream_budget]


def _state(tx: Reader, rule: StreamRule, events: Sequence[Event]) -> StreamState:
    """The state after the last of a rule's verdicts, taught by the annotations that came since; a fresh one without any."""
    if not events:
        return rule.start()
    kept: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in events[-1].body["state"].items()}
    state = StreamState(**kept)
    asked = {event.noun_id: float(event.body["score"]) for event in events if event.body["annotate"]}
    for annotation in tx.current_annotations(case_ids=list(asked)):
        if annotation.created_at > events[-1].at:
            worthwhile = annotation.untouched is None or annotation.untouched < SAME
            state = taught(rule, state, asked[annotation.case_id], worthwhile=worthwhile)
    return state


def _open_round(tx: Writer, rule: str, model: Model, asked: Sequence[StreamVerdict]) -> None:
    if not asked:
        return
    choices = tuple(Choice(case_id=one.case_id, score=one.score, reason=str(one)) for one in asked)
    query = Query(id=new_id("query"), strategy=f"stream:{rule}", seed=0, model_id=model.id, choices=choices, created_at=now())
    tx.add(query, verb="choose")
    add_round(tx, query, RoundState.ANNOTATING)
