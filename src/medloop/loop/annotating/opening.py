"""Hand a case to somebody: begin a draft, go on with one, or give back one whose lease ran out.

A draft begins with the annotation in force (if its mask can be read), else with the newest proposal, else with background, and
keeps what it began with; a proposal that is hidden until the first stroke (`medloop.loop.foundation.anchoring`) is no beginning. Where
several people read a case it begins with one's own annotation, and where they read it blind never with somebody else's. A reviewer's
begins with what stands.
One that was edited stays its owner's, also after it was released; one that was not edited begins anew when something else
stands by now.
"""

from medloop.core.errors import BlobError, StateError
from medloop.core.records import Annotation, Assignment, Case, Prediction, Task, new_id, now
from medloop.loop.foundation.anchoring import hides_proposal, is_blind_audit
from medloop.loop.foundation.annotated_labels import annotated_labels, every_as_none
from medloop.loop.foundation.blinding import begun_from
from medloop.loop.foundation.gold import independent_proposal
from medloop.loop.foundation.in_force import beginning, standing_annotation
from medloop.loop.foundation.readings import REVIEWING, is_reviewing, project_settings
from medloop.loop.foundation.removed_images import require_image
from medloop.loop.foundation.trials import proposal_to_show
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.lacking import queried_label
from medloop.store.reader import Reader
from medloop.store.writer import Writer


def open_assignment(workspace: Workspace, tx: Writer, case: Case, annotator_id: str, round_id: str | None, reason: str) -> Assignment:
    """A case opened by somebody who has not got it open: with the draft they left, or with a new one."""
    require_image(case)
    begun = _begun(tx, case.id, annotator_id, reason)
    left = _draft_left(tx, case, annotator_id, reason, begun)
    if left is not None:
        return tx.change(Assignment, left.id, verb="resume", fields={"state": "open", "closed_at": None})
    standing, proposal = shown_at_first(workspace, tx, case, begun)
    assignment_id = new_id("assignment")
    if reason != REVIEWING and (hides_proposal(tx, assignment_id) or is_blind_audit(tx, case.id)):
        proposal = None
    assignment = Assignment(
        id=assignment_id,
        case_id=case.id,
        annotator_id=annotator_id,
        round_id=round_id,
        proposal_id=proposal.id if proposal else None,
        reason=reason,
        opened_at=now(),
        began_with=beginning(standing, proposal),
        base_id=standing.id if standing else None,
        blind=project_settings(tx).blind and reason != REVIEWING,
        annotated=going_to_annotate(tx, workspace.task, standing, queried_label(tx, round_id, case.id)),
    )
    tx.add(assignment, verb="open")
    return assignment


def going_to_annotate(tx: Reader, task: Task, standing: Annotation | None, queried: int | None = None) -> tuple[int, ...]:
    """What a draft is going to annotate until somebody says otherwise.

    That is what the annotation that it begins with does and the only label that is `queried` of the case; without both, every label.
    """
    if task.kind != "segmentation" or (standing is None and queried is None):
        return ()
    known = annotated_labels(tx, task).of(standing) if standing else ()
    return every_as_none(task, {*(label.value for label in known), *([] if queried is None else [queried])})


def open_gold(workspace: Workspace, tx: Writer, case: Case, annotator_id: str, gold_id: str, reason: str) -> Assignment:
    """A gold case opened by somebody: its draft shows nothing of the truth, nor a proposal of a model that may have learned from it."""
    require_image(case)
    assignment_id = new_id("assignment")
    proposal = None if hides_proposal(tx, assignment_id) else _sound_proposal(workspace, independent_proposal(tx, case.id))
    assignment = Assignment(
        id=assignment_id,
        case_id=case.id,
        annotator_id=annotator_id,
        proposal_id=proposal.id if proposal else None,
        reason=reason,
        opened_at=now(),
        began_with=beginning(None, proposal),
        blind=True,
        gold_id=gold_id,
    )
    tx.add(assignment, verb="open")
    return assignment


def shown_at_first(workspace: Workspace, tx: Reader, case: Case, begun: Annotation | None) -> tuple[Annotation | None, Prediction | None]:
    """The annotation that a draft begins with and the newest proposal, as far as their masks can be read; nothing is written."""
    return _readable(workspace, begun), _sound_proposal(workspace, proposal_to_show(tx, case.id))


def _sound_proposal(workspace: Workspace, proposal: Prediction | None) -> Prediction | None:
    return proposal if proposal is not None and _is_sound(workspace, proposal.mask) else None


def go_on(workspace: Workspace, tx: Writer, assignment: Assignment, case: Case) -> Assignment:
    """An open assignment shown again: a sign of life; begun anew if nothing was drawn and another annotation stands by now."""
    begun = _begun(tx, case.id, assignment.annotator_id, assignment.reason) if assignment.gold_id is None else None
    standing = _readable(workspace, begun)
    if assignment.revision == 0 and standing is not None and standing.id != assignment.base_id:
        tx.change(Assignment, assignment.id, verb="release", fields={"state": "released", "closed_at": now()})
        return open_assignment(workspace, tx, case, assignment.annotator_id, assignment.round_id, assignment.reason)
    tx.record("resume", "assignment", assignment.id, {"revision": assignment.revision})
    return assignment


def require_same_purpose(tx: Writer, assignment: Assignment, *, reviewing: bool) -> bool:
    """Whether an open assignment serves what it is opened for; one without edits is released where it does not.

    Raises:
        StateError: It was opened for the other purpose, and holds edits.
    """
    if is_reviewing(assignment) == reviewing:
        return True
    if assignment.revision:
        how, remedy = ("to read it", "submit that reading first") if reviewing else ("as its reviewer", "accept that decision first")
        raise StateError(f"You have this case open {how}, with edits", remedy=f"{remedy}, or skip the case")
    tx.change(Assignment, assignment.id, verb="release", fields={"state": "released", "closed_at": now()})
    return False


def _begun(tx: Reader, case_id: str, annotator_id: str, reason: str) -> Annotation | None:
    """What a draft begins with: for a reviewer what stands, whoever may see it."""
    return standing_annotation(tx, case_id) if reason == REVIEWING else begun_from(tx, case_id, annotator_id)


def _readable(workspace: Workspace, standing: Annotation | None) -> Annotation | None:
    """The annotation in force, unless its mask is damaged or gone: then a draft begins with what comes next."""
    return standing if standing is not None and _is_sound(workspace, standing.blob) else None


def _is_sound(workspace: Workspace, blob: str | None) -> bool:
    try:
        return blob is None or workspace.store.blobs.check(blob) >= 0
    except BlobError:
        return False


def _draft_left(tx: Reader, case: Case, annotator_id: str, reason: str, begun: Annotation | None) -> Assignment | None:
    """The newest released draft of this person that holds edits, unless they closed the case since, by the order of the audit.

    A reviewer's comes back only while what it began with stands, and never as a reading.
    """
    mine = tx.find(Assignment, where={"case_id": case.id, "annotator_id": annotator_id})
    ends = tx.events_about("assignment", [a.id for a in mine], verbs=["submit", "skip", "flag", "release"]) if mine else []
    ended = {event.noun_id: event.seq for event in ends}
    closed = max((ended.get(a.id, 0) for a in mine if a.state in ("submitted", "skipped", "flagged")), default=0)
    reviewing = reason == REVIEWING
    for left in reversed(mine):
        if is_reviewing(left) != reviewing or (reviewing and left.base_id != (begun.id if begun else None)):
            continue
        if left.state == "released" and left.revision > 0 and ended.get(left.id, 0) > closed:
            return left if not tx.count(Annotation, where={"assignment_id": left.id}) else None
    return None
