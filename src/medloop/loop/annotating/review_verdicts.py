"""The reviewer's verbs: which cases wait, approve with a signature, return to somebody with a comment."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medloop.core.errors import ConflictError, ForbiddenError, InputError, StateError
from medloop.core.names import checked_title, in_natural_order, one_line
from medloop.core.records import Annotation, Annotator, Case, Json, Review, Verdict, new_id, now
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.consensus import deciding
from medloop.loop.foundation.effort_log import UNKNOWN_EFFORT, Reported, record_outside
from medloop.loop.foundation.readings import DERIVED, CaseReading, begun_readings, case_readings, derive, histories, project_settings
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

Meaning: TypeAlias = Literal["review", "approval", "responsibility", "authorship"]
"""What a signature means (21 CFR 11.50 (a)(3))."""

MAX_COMMENT = 500


@dataclass(frozen=True)
class Looked:
    """What a reviewer has looked at when they decide; what has changed since is refused.

    Attributes:
        annotation_id: What stood; None for what stands now.
        readings: Ids of the readings; None for those there are.
        reviews: Ids of the verdicts so far; None for those there are.
    """

    annotation_id: str | None = None
    readings: Collection[str] | None = None
    reviews: Collection[str] | None = None


NOW = Looked()


@dataclass(frozen=True)
class Waiting:
    """A case that waits for a reviewer, or for whom it was returned to."""

    case_id: str
    name: str
    reading: CaseReading
    readers: tuple[str, ...]
    returned_to: str | None = None

    @property
    def comment(self) -> str:
        """Of the return that stands."""
        return self.reading.returned.comment if self.reading.returned else ""


def review_queue(workspace: Workspace) -> tuple[Waiting, ...]:
    """The cases in review, those with the least agreement first, then those that were returned and still stand so."""
    with workspace.store.read() as tx:
        found = {i: r for i, r in begun_readings(tx)[1].items() if r.state in ("in review", "returned")}
        names = {case_id: name for case_id, (name, _) in tx.patients_of(found).items()}
        people = annotator_names(tx)
    lines = [
        Waiting(i, names[i], r, tuple(people[who] for who in r.readers), people[r.returned.returned_to or ""] if r.returned else None)
        for i, r in found.items()
    ]
    order = {name: n for n, name in enumerate(in_natural_order(names.values()))}
    return tuple(sorted(lines, key=lambda w: (w.reading.state, _or_one(w.reading.agreement), order[w.name])))


@dataclass(frozen=True)
class Signed:
    """The signer's printed name, and what the signature means."""

    name: str
    meaning: Meaning = "approval"


def approve(
    workspace: Workspace,
    case_id: str,
    reviewer_id: str,
    *,
    looked: Looked = NOW,
    comment: str = "",
    signed: Signed | None = None,
    effort: Reported = UNKNOWN_EFFORT,
) -> Review:
    """Approve what stands for a case.

    Args:
        workspace: The project.
        case_id: The case.
        reviewer_id: Who approves.
        looked: What the reviewer has looked at.
        comment: In words.
        signed: In whose name, and what that means; None for no signature.
        effort: What is known of the work.

    Raises:
        NotFoundError: No such case.
        InputError: An effort out of range.
        StateError: It has no annotation, or lacks readings, or the reviewer has approved this already.
        ConflictError: Something else stands by now, or the case was read since.
    """
    signature = {"name": checked_title(signed.name), "time": now(), "meaning": signed.meaning} if signed else None
    with workspace.store.write(reviewer_id) as tx:
        standing = require_standing(tx, case_id, looked)
        history = histories(tx, [case_id])[case_id]
        reading = derive(project_settings(tx), history)
        last = history.reviews[-1] if history.reviews and reading.approved else None
        if last is not None and last.annotator_id == reviewer_id and (last.signature is not None or signed is None):
            raise StateError(f"You have approved this annotation already, at {last.created_at[:16]}", remedy="load the case again")
        if reading.state == "read":
            remedy = "wait for the other readings, or set readings lower"
            raise StateError(f"A case is approved once it has its readings and their consensus; this one is {reading.words}", remedy=remedy)
        review = make_review(case_id, standing.id, reviewer_id, "approve", comment, signature=signature)
        tx.add(review, verb="approve")
        record_outside(tx, review, effort)
    after_annotation(workspace, case_id)
    return review


def return_case(
    workspace: Workspace,
    case_id: str,
    reviewer_id: str,
    *,
    comment: str,
    to: str = "",
    looked: Looked = NOW,
    effort: Reported = UNKNOWN_EFFORT,
) -> Review:
    """Return a case to be annotated again.

    Args:
        workspace: The project.
        case_id: The case.
        reviewer_id: Who returns it.
        comment: What is to be corrected; not empty.
        to: Id of the annotator who shall do it; "" for the one whose annotation stands.
        looked: What the reviewer has looked at; its annotation is returned, which may be one of several readings.
        effort: What is known of the work.

    Raises:
        InputError: No comment, an effort out of range, or nobody to return a consensus to.
        NotFoundError: No such case or annotator.
        StateError: It has no annotation.
        ConflictError: The annotation no longer stands, or the case was read since.
    """
    if not one_line(comment):
        raise InputError("A return needs a comment that says what to correct", remedy="give one of 1 to 500 characters")
    with workspace.store.write(reviewer_id) as tx:
        require_looked(tx, case_id, looked)
        returned = returned_annotation(tx, case_id, looked.annotation_id)
        author = tx.get(Annotator, to or returned.annotator_id)
        if author.kind == "model":
            raise InputError(f"A {returned.origin} annotation is nobody's to correct", remedy="say to whom it is returned")
        review = make_review(case_id, returned.id, reviewer_id, "return", comment, returned_to=author.id)
        tx.add(review, verb="return")
        record_outside(tx, review, effort)
    return review


def require_independent(tx: Reader, case_id: str, reviewer_id: str, *, approves: bool) -> None:
    """Refuse a verdict on what nobody but its reviewer gave; between one's own reading and others' one may decide.

    Raises:
        ForbiddenError: Every reading is theirs, or what they approve is.
    """
    history = histories(tx, [case_id])[case_id]
    readers = {a.annotator_id for a in history.readings}
    standing = deciding(history.annotations) if history.annotations else None
    own = standing is not None and standing.annotator_id == reviewer_id and standing.origin not in DERIVED
    if (approves and own) or readers == {reviewer_id}:
        raise ForbiddenError("Nobody decides on their own reading where others review, too", remedy="let another reviewer decide")


def require_looked(tx: Reader, case_id: str, looked: Looked) -> None:
    """Refuse a verdict on readings that are no longer those in force, and one beside a verdict that its reviewer has not seen.

    Raises:
        ConflictError: The case was read or reviewed since, or a reading was taken back.
    """
    history = histories(tx, [case_id])[case_id]
    if looked.readings is not None and set(looked.readings) != {a.id for a in history.readings}:
        raise ConflictError(f"{tx.get(Case, case_id).name} has other readings by now", remedy="look at them first")
    if looked.reviews is not None and set(looked.reviews) != {one.id for one in history.reviews}:
        raise ConflictError(f"{tx.get(Case, case_id).name} has another verdict by now", remedy="look at it first")


def require_standing(tx: Reader, case_id: str, looked: Looked = NOW) -> Annotation:
    """What stands for a case, if that and its readings are what a reviewer has seen; None stands for any.

    Raises:
        NotFoundError: No such case.
        StateError: It has no annotation.
        ConflictError: Something else stands, or there are other readings.
    """
    name = tx.get(Case, case_id).name
    standing = case_readings(tx, [case_id])[case_id].annotation_id
    if standing is None:
        raise StateError(f"{name} has no annotation to review", remedy="annotate it first")
    require_looked(tx, case_id, looked)
    if looked.annotation_id not in (None, standing):
        raise ConflictError(f"Another annotation of {name} stands by now", remedy="look at it first")
    return tx.get(Annotation, standing)


def returned_annotation(tx: Reader, case_id: str, annotation_id: str | None) -> Annotation:
    """What a return that looked at an annotation is about: this one while it is in force, else what stands.

    Raises:
        NotFoundError: No such case.
        StateError: It has no annotation.
        ConflictError: The annotation is no longer in force.
    """
    current = {a.id: a for a in tx.current_annotations(case_ids=[case_id])}
    if annotation_id is not None and annotation_id in current:
        return current[annotation_id]
    return require_standing(tx, case_id, Looked(annotation_id))


def make_review(
    case_id: str,
    annotation_id: str,
    reviewer_id: str,
    verdict: Verdict,
    comment: str,
    *,
    returned_to: str | None = None,
    signature: Json | None = None,
) -> Review:
    """The record of a verdict.

    Raises:
        InputError: An over-long comment.
    """
    cleaned = one_line(comment)
    if len(cleaned) > MAX_COMMENT:
        raise InputError(f"A comment may have {MAX_COMMENT} characters, got {len(cleaned)}", remedy="shorten it")
    return Review(
        id=new_id("review"),
        case_id=case_id,
        annotation_id=annotation_id,
        annotator_id=reviewer_id,
        verdict=verdict,
        comment=cleaned,
        returned_to=returned_to,
        signature=signature,
        created_at=now(),
    )


def _or_one(agreement: float | None) -> float:
    return 1.0 if agreement is None else agreement
