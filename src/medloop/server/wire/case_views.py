"""What the worklist shows and takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field

from medloop.datasets.staging import csv_text
from medloop.loop.foundation.disposed import Disposition
from medloop.loop.foundation.readings import CaseReading
from medloop.loop.foundation.refusals import Refusal
from medloop.loop.judging.domain import Standing
from medloop.loop.overview.acquisition_kept import KeptVerdict
from medloop.loop.querying.streaming import StreamVerdict
from medloop.server.wire.people_views import Name
from medloop.server.wire.schemas import Body, IdText
from medloop.server.wire.standing_views import CaseReadingView
from medloop.server.wire.views import Number, View
from medloop.store.states import SHOWN_STATES, CaseState
from medloop.store.worklist import CaseRow

MOST_ASSIGNED = 1000
ThumbnailSize: TypeAlias = Literal["96", "288"]
"""As text: what an address holds is compared as it is."""

STORED_STATES: dict[str, CaseState | Literal["all"]] = {"all": "all", **{shown: stored for stored, shown in SHOWN_STATES.items()}}
"""States of cases by their names over REST, as the database keeps them."""


class CaseLine(View):
    """One case in the worklist.

    `decided` says what counts for it that is nobody's own reading; `given` which kinds of marks it has, `part` for annotated slices or
    regions, and `rejected` where its proposal was. `domain_p` is filled where the list is asked how cases stand to the model's domain.
    `acquisition` is the verdict on its image that was found last with the model in use ("" where nobody looked), with why and when.
    """

    id: str
    name: str
    patient: str
    split: str
    state: str
    annotations: int
    quality: Number
    entropy: Number
    assignees: list[str]
    updated: str | None
    round: int | None
    reason: str
    reason_by: str | None
    open_with: list[str]
    progress: CaseReadingView
    returned_to: str | None
    decided: Literal["", "consensus", "adjudicated", "restored"]
    lacking: list[str]
    given: list[str]
    domain_p: Number
    outside: bool
    acquisition: str
    acquisition_why: str
    acquisition_at: str | None

    @classmethod
    def of(cls, row: CaseRow, facts: "CaseFacts") -> Self:
        """From the store's row, and what is known about the case besides."""
        refused, reading = facts.refused, facts.reading
        return cls(
            id=row.case_id,
            name=row.name,
            patient=row.patient,
            split=row.split,
            state=SHOWN_STATES[row.state],
            annotations=row.annotations,
            quality=row.quality,
            entropy=row.uncertainty,
            assignees=list(facts.assignees),
            updated=facts.updated,
            round=facts.round,
            reason=refused.reason if refused else str(facts.judged or ""),
            reason_by=refused.by if refused else None,
            open_with=list(facts.open_with),
            progress=CaseReadingView.of(reading),
            returned_to=facts.returned_to,
            lacking=list(facts.lacking),
            given=list(facts.given),
            domain_p=facts.standing.p if facts.standing else None,
            outside=bool(facts.standing and facts.standing.outside),
            acquisition=facts.acquired.verdict if facts.acquired else "",
            acquisition_why="; ".join(facts.acquired.reasons) if facts.acquired else "",
            acquisition_at=facts.acquired.at if facts.acquired else None,
            decided="restored" if facts.restored else reading.decided,
        )


@dataclass(frozen=True)
class CaseFacts:
    """What is known of a case besides its line.

    Attributes:
        reading: How far it is.
        refused: Why it is left out, if it is.
        judged: What a stream decided about it.
        open_with, assignees: Names of who has it open, and of whom it was given to.
        returned_to: Whom a reviewer returned it to.
        restored: What stands was brought back.
        updated: When somebody last did something with it.
        round: Number of the newest round that queried it.
        lacking: Names of the labels that its annotation does not annotate.
        given: What it has that is less than a whole annotation.
        standing: How it stands to the domain of the model in use, where that was looked at.
        acquired: What was found of its image, where that was looked at.
    """

    reading: CaseReading
    refused: Refusal | None = None
    judged: StreamVerdict | Disposition | None = None
    open_with: Sequence[str] = ()
    returned_to: str | None = None
    restored: bool = False
    assignees: Sequence[str] = ()
    updated: str | None = None
    round: int | None = None
    lacking: Sequence[str] = ()
    given: Sequence[str] = ()
    standing: Standing | None = None
    acquired: KeptVerdict | None = None


CSV_COLUMNS = (
    "name", "patient", "split", "state", "reading", "annotations", "quality", "entropy", "domain_p", "outside", "assignees",
    "updated", "round", "open_with", "reason", "given", "lacking", "acquisition", "acquisition_why",
)  # fmt: skip


def cases_csv(lines: Sequence[CaseLine]) -> str:
    """Lines as a table for a spreadsheet, which takes no cell for a formula; what is unknown is empty."""
    shown = [line.model_dump() | {"reading": line.progress.words} for line in lines]
    return csv_text(CSV_COLUMNS, [[_cell(values[name]) for name in CSV_COLUMNS] for values in shown])


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


class RoundCasesView(View):
    """How many of the listed cases a round queried; null for none."""

    round: int | None
    cases: int


class CasePage(View):
    """A part of the worklist, how long it is, and behind which place the next part begins ("" at the end); of `by_round` the rounds."""

    total: int
    rows: list[CaseLine]
    cursor: str
    rounds: list[RoundCasesView]


class AssignBody(Body):
    """Which cases to give to whom; null takes them back."""

    case_ids: Annotated[list[IdText], Field(min_length=1, max_length=MOST_ASSIGNED)]
    annotator: Name | None


class UnassignedCaseView(View):
    """A case that was not given, and why."""

    case: str
    why: str


class AssignedView(View):
    """How many cases were given or taken back, and those that could not be."""

    cases: int
    left: list[UnassignedCaseView]
