"""Decisions of a stream as entries of the audit, and the rounds in which people read what was not accepted."""

from collections.abc import Sequence

from medloop.core.names import counted
from medloop.core.records import Case, Choice, Json, Model, Query, new_id, now
from medloop.core.states import RoundState
from medloop.loop.foundation.disposed import DISPOSED, Decision, Disposition
from medloop.loop.foundation.round_moves import add_round
from medloop.loop.querying.queries import AUDIT_REASON, queried_case_ids
from medloop.store.writer import Writer

RANK: dict[Decision, int] = {"second reader": 0, "deferred": 1, "accepted": 2}


def record_disposition(tx: Writer, case: Case, body: Json) -> Disposition:
    """Keep what was decided about a case."""
    event = tx.record(DISPOSED, "case", case.id, body)
    return Disposition(case_id=case.id, at=event.at, number=event.seq, **body)


def open_stream_round(tx: Writer, model: Model | None, cases: Sequence[Case], found: Sequence[Disposition]) -> None:
    """What people are to read, two readers' cases first; nothing tells whether a case of the audit sample was accepted."""
    queried, split = queried_case_ids(tx), {case.id: case.split for case in cases}
    read = [one for one in found if one.case_id not in queried and (one.decision != "accepted" or split[one.case_id] == "audit")]
    if not read:
        return
    ordered = sorted(read, key=lambda one: 1 if split[one.case_id] == "audit" else RANK[one.decision])
    choices = tuple(
        Choice(case_id=one.case_id, score=0.0, reason=AUDIT_REASON if split[one.case_id] == "audit" else str(one)) for one in ordered
    )
    query = Query(
        id=new_id("query"), strategy="stream:accept", seed=0, model_id=model.id if model else None, choices=choices, created_at=now()
    )
    tx.add(query, verb="choose")
    add_round(tx, query, RoundState.ANNOTATING, f"stream: {counted(len(choices), 'case')} to read")
