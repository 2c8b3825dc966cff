"""Cases that nothing learns from, is judged by or is exported, and why: skipped, flagged, or damaged."""

from dataclasses import dataclass
from typing import Literal

from medloop.loop.foundation.refusals import refusals
from medloop.loop.foundation.workspace import Workspace

REFUSED: tuple[Literal["flagged", "skipped"], ...] = ("flagged", "skipped")
MOST_NAMED = 1000
"""Cases of each kind that are named one by one."""


@dataclass(frozen=True)
class LeftOutCase:
    """A case that was skipped or flagged."""

    case_id: str
    name: str
    verb: str
    reason: str
    by: str
    at: str

    def __str__(self) -> str:
        return f"{self.name} was {self.verb} by {self.by} on {self.at[:10]}: {self.reason}"


def refused_cases(workspace: Workspace, *, most: int = MOST_NAMED) -> tuple[LeftOutCase, ...]:
    """Skipped and flagged cases by name, at most so many of each."""
    with workspace.store.read() as tx:
        rows = [row for state in REFUSED for row in tx.worklist(state=state, limit=most)]
        told = refusals(tx, [row.case_id for row in rows])
    found = [(row, told[row.case_id]) for row in rows if row.case_id in told]
    return tuple(LeftOutCase(row.case_id, row.name, why.verb, why.reason, why.by, why.at) for row, why in found)
