"""Cases that people left out by skipping or flagging them, and why."""

from collections.abc import Collection
from dataclasses import dataclass

from medloop.core.records import Annotator, Assignment
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Refusal:
    """Why a case is left out: what was done, why, by whom, when."""

    verb: str
    reason: str
    by: str
    at: str

    def __str__(self) -> str:
        return f"{self.verb} by {self.by} on {self.at[:10]}: {self.reason}"


def refusals(tx: Reader, case_ids: Collection[str]) -> dict[str, Refusal]:
    """Why cases are left out that were skipped or flagged last and have no annotation in force, by case id."""
    answered = {a.case_id for a in tx.current_annotations(case_ids=case_ids)}
    closed = tx.find(Assignment, where={"case_id": list(case_ids), "state": ["submitted", "skipped", "flagged"]}, order=("closed_at",))
    last = {a.case_id: a for a in closed if a.case_id not in answered}
    return {i: _refusal(tx, a) for i, a in last.items() if a.state != "submitted"}


def _refusal(tx: Reader, closed: Assignment) -> Refusal:
    return Refusal(closed.state, closed.reason, tx.get(Annotator, closed.annotator_id).name, closed.closed_at or "")
