"""What a stream decided about each case that arrived: entries of the audit, the last of a case counts.

An accepted case is answered by its proposal and by nobody: it has no annotation, nothing is trained on it, and no query takes it. That
stands until the model is rolled back or a person rejects the proposal: then the case is decided anew.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from medloop.core.records import Case, Json, Split
from medloop.loop.foundation.model_choices import rolled_back
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

Decision: TypeAlias = Literal["accepted", "deferred", "second reader"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)

DISPOSED = "dispose"
"""Verb of these entries."""

STREAM = "stream"
"""What the audit calls the stream; its verbs are those below."""

POOL: tuple[Split, ...] = ("train", "audit")
"""Splits whose cases are predicted when they arrive."""

BEGIN, END, CALIBRATE, ALARM, RENEW, RECALL = "begin", "end", "calibrate", "alarm", "renew", "recall"


@dataclass(frozen=True)
class Disposition:
    """What becomes of one case.

    Attributes:
        decision: Its proposal is accepted without a look, or people read it: one, or two.
        reason: Why, in words.
        score: What decided; None where no threshold was asked.
        model_id, model_index: The model whose proposal was judged.
        prediction_id: That proposal; "" without one.
        rule: Number of the entry in the audit that made the rule; 0 where none decided.
        above: The rule's threshold; None without one.
        number: Of the entry in the audit.
    """

    case_id: str
    decision: Decision
    reason: str
    score: float | None
    model_id: str
    model_index: int
    prediction_id: str
    rule: int
    above: float | None
    at: str
    number: int

    def __str__(self) -> str:
        return f"{self.decision}: {self.reason}"


def every_disposition(tx: Reader, case_ids: Collection[str] | None = None) -> list[Disposition]:
    """Every decision there was about these cases, in the order in which they were made; the last one of a case counts."""
    return [
        Disposition(
            case_id=event.noun_id,
            decision=event.body["decision"],
            reason=event.body["reason"],
            score=event.body["score"],
            model_id=event.body["model_id"],
            model_index=event.body["model_index"],
            prediction_id=event.body["prediction_id"],
            rule=event.body["rule"],
            above=event.body["above"],
            at=event.at,
            number=event.seq,
        )
        for event in tx.events_about("case", case_ids, verbs=[DISPOSED])
    ]


def dispositions(tx: Reader, case_ids: Collection[str] | None = None) -> dict[str, Disposition]:
    """The last decision about each case, by case id, in the order in which cases were first decided."""
    return {one.case_id: one for one in every_disposition(tx, case_ids)}


def standing_dispositions(tx: Reader, case_ids: Collection[str] | None = None) -> dict[str, Disposition]:
    """The decisions that stand: an acceptance does not once its model was rolled back, or a person rejected the proposal."""
    found = dispositions(tx, case_ids)
    if not any(one.decision == "accepted" for one in found.values()):
        return found
    gone, rejected = rolled_back(tx), {a.case_id for a in tx.rejections()}
    lapsed = {i for i, one in found.items() if one.decision == "accepted" and (one.model_id in gone or i in rejected)}
    return {case_id: one for case_id, one in found.items() if case_id not in lapsed}


def accepted_cases(tx: Reader) -> set[str]:
    """Ids of the cases whose proposal stands as accepted, whether or not people have read them since."""
    return {case_id for case_id, one in standing_dispositions(tx).items() if one.decision == "accepted"}


def streamed(tx: Reader) -> bool:
    """Whether the stream was ever on: what it decided then stands also while it is off."""
    return bool(tx.events_about(STREAM, verbs=[BEGIN]))


def read_by_two(tx: Reader, case_ids: Collection[str]) -> frozenset[str]:
    """Which of these cases were sent to a second reader, whether or not the stream is on now."""
    if not streamed(tx):
        return frozenset()
    return frozenset(case_id for case_id, one in dispositions(tx, case_ids).items() if one.decision == "second reader")


def last_event(tx: Reader, verb: str) -> Json | None:
    """The last entry about the stream of that verb, with its number and time; None without."""
    found = tx.events_about(STREAM, verbs=[verb])
    return {**found[-1].body, "number": found[-1].seq, "at": found[-1].at} if found else None


def began(tx: Reader) -> Json | None:
    """The entry since which added cases arrive in the stream; None while it is off."""
    begun, ended = last_event(tx, BEGIN), last_event(tx, END)
    return begun if begun is not None and (ended is None or begun["number"] > ended["number"]) else None


def note_stream(workspace: Workspace) -> None:
    """Note that the stream is on or off by now: cases added while it is on arrive in it, all others are the project's pool."""
    is_on = workspace.settings.stream_risk > 0
    with workspace.store.read() as tx:
        noted = is_on == (began(tx) is not None)
    if noted:
        return
    with workspace.store.write("system") as tx:
        if is_on != (began(tx) is not None):
            tx.record(BEGIN if is_on else END, STREAM, workspace.project.id, {})


def waiting_arrivals(tx: Reader) -> list[Case]:
    """Unlabelled cases that arrived and for which no decision stands, in the order of arrival; none whose image was removed."""
    begun = began(tx)
    if begun is None:
        return []
    ids = tx.arrived_since(begun["number"])
    decided = standing_dispositions(tx, ids)
    left = [case_id for case_id in ids if case_id not in decided]
    cases = {case.id: case for case in tx.find(Case, where={"id": left})} if left else {}
    return [cases[case_id] for case_id in left if cases[case_id].voxels]


def kept_from_queries(tx: Reader, *, on: bool) -> set[str]:
    """Cases that no query of the pool takes: those whose proposal stands as accepted, and while the stream is `on` those to be decided."""
    if tx.live_model() is None or not streamed(tx):
        return set()
    if not on:
        return accepted_cases(tx)
    return accepted_cases(tx) | {case.id for case in waiting_arrivals(tx) if case.split in POOL}
