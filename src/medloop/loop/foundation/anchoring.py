"""When a proposal is shown: from the start, or after the annotator's own first stroke, because who sees an answer first leans on it.

A draft whose proposal is hidden begins blank (or with the annotation that stands); once it holds an edit the proposal is shown beside it,
to be compared and taken. The audit keeps what was on the screen when the first stroke came, so that both ways can be compared.
"""

from collections.abc import Collection
from typing import Literal, TypeAlias

from medloop.core.records import Assignment, Case, Prediction, Task
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.gold import independent_proposal
from medloop.loop.foundation.readings import is_reviewing, project_settings
from medloop.loop.foundation.trials import proposal_to_show
from medloop.store.reader import Reader
from medloop.store.writer import Writer

FirstSight: TypeAlias = Literal["shown", "hidden", "none"]
"""What was on the screen of a proposal when the first stroke came; "hidden" where there was one that was not drawn."""

FIRST_STROKE = "first-stroke"
"""Verb of that entry of the audit."""


def hides_proposal(tx: Reader, assignment_id: str) -> bool:
    """Whether the setting hides the proposal from an assignment until its first edit; "random" draws half of them by their ids."""
    shown = project_settings(tx).proposals
    if shown == "at-once" or tx.find(Task, limit=1)[0].kind != "segmentation":
        return False
    return shown == "after-first-stroke" or drawn_share("proposal", assignment_id) < 0.5


def is_blind_audit(tx: Reader, case_id: str) -> bool:
    """Whether a case is of the audit sample of a stream that accepts proposals: who reads it sees none, or the audit would echo them."""
    return project_settings(tx).stream_risk > 0 and tx.get(Case, case_id).split == "audit"


def hidden_proposal(tx: Reader, assignment: Assignment) -> Prediction | None:
    """The proposal that an assignment was opened without, to be shown after its first edit; None where none is hidden."""
    if is_blind_audit(tx, assignment.case_id):
        return None
    if assignment.proposal_id is not None or is_reviewing(assignment) or not hides_proposal(tx, assignment.id):
        return None
    return (proposal_to_show if assignment.gold_id is None else independent_proposal)(tx, assignment.case_id)


def record_first_sight(tx: Writer, assignment_id: str, seen: FirstSight) -> None:
    """Keep what was on the screen when the first stroke of an assignment came; what is known already stays."""
    if not tx.events_about("assignment", [assignment_id], verbs=[FIRST_STROKE]):
        tx.record(FIRST_STROKE, "assignment", assignment_id, {"proposal": seen})


def first_sights(tx: Reader, assignment_ids: Collection[str] | None = None) -> dict[str, FirstSight]:
    """What was on the screen at first strokes, by assignment."""
    return {event.noun_id: event.body["proposal"] for event in tx.events_about("assignment", assignment_ids, verbs=[FIRST_STROKE])}
