"""Cases that people left out by skipping or flagging them, and why."""

from collections.abc import Collection
from dataclasses import dataclass

from medloop.core.records import Annotator, Assignment
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

MOST_NAMED = 1000
"""Cases of each kind that are named one by one."""


@dataclass(frozen=True)
class Refusal:
    """Why a case is left out: what was done, why, by whom, when."""

    verb: str
    reason: str
    by: str
    at: str

    def __str__(self) -> str:
        return f"{self.verb} by {self.by} on {self.at[:10]}: {self.reason}"


@dataclass(frozen=True)
class LeftOutCase(Refusal):
    """A case that was skipped or flagged."""

    case_id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} was {super().__str__()}"


def refused_cases(workspace: Workspace) -> tuple[LeftOutCase, ...]:
    """Skipped and flagged cases by name, so many of each."""
    with workspace.store.read() as tx:
        rows = [*tx.worklist(state="flagged", limit=MOST_NAMED), *tx.worklist(state="skipped", limit=MOST_NAMED)]
        told = refusals(tx, [row.case_id for row in rows])
    found = [(row, told[row.case_id]) for row in rows if row.case_id in told]
    return tuple(LeftOutCase(why.verb, why.reason, why.by, why.at, row.case_id, row.name) for row, why in found)


def open_with(tx: Reader, case_ids: Collection[str]) -> dict[str, list[str]]:
    """The names of the annotators who have cases open, by case id; cases that nobody has open are not in it."""
    opened = tx.find(Assignment, where={"case_id": list(case_ids), "state": "open"}, order=("opened_at",))
    names = {who: tx.get(Annotator, who).name for who in {one.annotator_id for one in opened}}
    found: dict[str, list[str]] = {}
    for one in opened:
        found.setdefault(one.case_id, []).append(names[one.annotator_id])
    return found


def refusals(tx: Reader, case_ids: Collection[str]) -> dict[str, Refusal]:
    """Why cases are left out that were skipped or flagged last and have no annotation in force, by case id."""
    answered = {a.case_id for a in tx.current_annotations(case_ids=case_ids)}
    closed = tx.find(Assignment, where={"case_id": list(case_ids), "state": ["submitted", "skipped", "flagged"]}, order=("closed_at",))
    last = {a.case_id: a for a in closed if a.case_id not in answered and a.gold_id is None}
    left = [a for a in last.values() if a.state != "submitted"]
    by = {who: tx.get(Annotator, who).name for who in {a.annotator_id for a in left}}
    return {a.case_id: Refusal(a.state, a.reason, by[a.annotator_id], a.closed_at or "") for a in left}
