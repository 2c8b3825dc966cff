"""What a page is told about an open case: what its draft began with, which annotation stands, why it was left out."""

from dataclasses import dataclass
from typing import Literal, Self

from medloop.core.records import (
    EVALUATION_SPLITS,
    Annotation,
    AnnotationOrigin,
    Annotator,
    Assignment,
    BeganWith,
    Case,
    Model,
    Prediction,
    QueryKind,
    Review,
    Round,
)
from medloop.loop.annotating.annotations import Opened
from medloop.loop.foundation.anchoring import hidden_proposal
from medloop.loop.foundation.annotated_labels import scope_in_force
from medloop.loop.foundation.blinding import is_hidden
from medloop.loop.foundation.effort_log import spent_on
from medloop.loop.foundation.gold import as_unlabelled
from medloop.loop.foundation.in_force import base_of, began
from medloop.loop.foundation.named_frames import named_slices
from medloop.loop.foundation.partial_annotations import Part, SlicePart
from medloop.loop.foundation.readings import CaseReading, ReadingState, case_readings, is_reviewing
from medloop.loop.foundation.refusals import refusals
from medloop.loop.foundation.trials import is_blinded
from medloop.loop.querying.gold_checks import choice_shown
from medloop.loop.querying.parts import queried_parts
from medloop.server.wire.schemas import BoxBody, SliceBody
from medloop.server.wire.views import AssignmentView, Number, View
from medloop.store.reader import Reader


class StandingView(View):
    """An annotation: whose, of which kind of origin, when, and the names of the labels that it does not annotate."""

    annotation_id: str
    annotator: str
    origin: AnnotationOrigin
    at: str
    lacking: tuple[str, ...] = ()

    @classmethod
    def of(cls, tx: Reader, annotation: Annotation) -> Self:
        """From the record."""
        by = tx.get(Annotator, annotation.annotator_id).name
        lacking = tuple(label.name for label in scope_in_force(tx).lacking(annotation)) if annotation.tag is None else ()
        return cls(annotation_id=annotation.id, annotator=by, origin=annotation.origin, at=annotation.created_at, lacking=lacking)


class BaseView(View):
    """What a draft began with; fields that do not belong to its kind are null."""

    kind: BeganWith
    annotation_id: str | None = None
    annotator: str | None = None
    origin: AnnotationOrigin | None = None
    at: str | None = None
    lacking: tuple[str, ...] = ()
    model_index: int | None = None
    model_name: str = ""


class WithdrawnView(View):
    """The latest skip or flag of a case that still stands."""

    verb: Literal["skipped", "flagged"]
    reason: str
    by: str
    at: str


class CaseReadingView(View):
    """How far the readings of a case are; `words` says it to people. With routing `quality` is what is expected of the consensus."""

    state: ReadingState
    words: str
    read: int
    needed: int
    agreement: Number
    quality: Number

    @classmethod
    def of(cls, reading: CaseReading) -> Self:
        """From what was derived."""
        words, read = reading.words, len(reading.readers)
        return cls(state=reading.state, words=words, read=read, needed=reading.needed, agreement=reading.agreement, quality=reading.quality)


class ReturnedView(View):
    """The return of a case that still stands."""

    review_id: str
    by: str
    to: str
    comment: str
    at: str

    @classmethod
    def of(cls, tx: Reader, review: Review) -> Self:
        """From the record."""
        by, to = (tx.get(Annotator, who).name for who in (review.annotator_id, review.returned_to or ""))
        return cls(review_id=review.id, by=by, to=to, comment=review.comment, at=review.created_at)


class SituationView(View):
    """What whoever looks at a case should know about it; `returned` only where it is for them, or they may see others' readings.

    `task_version`: in force, so that a page that was opened earlier knows whether labels or instructions changed since.
    """

    task_version: int
    base: BaseView
    standing: StandingView | None
    evaluation: bool
    withdrawn: WithdrawnView | None
    progress: CaseReadingView
    returned: ReturnedView | None


class NamedSliceView(View):
    """A name of the project's template, and the slice that it stands for; `placed` by a person, else by the template."""

    name: str
    axis: int
    index: int
    placed: bool


class NamedFramesView(View):
    """The named frames of an open case, and the parts of it that a submission counts."""

    frames: list[NamedSliceView]
    parts: list[SliceBody | BoxBody]

    @classmethod
    def of(cls, tx: Reader, assignment: Assignment) -> Self:
        """As they stand."""
        named = [NamedSliceView.model_validate(one) for one in named_slices(tx, assignment)]
        return cls(frames=named, parts=[_part(part) for part in queried_parts(tx, assignment)])


class AnnotatedView(View):
    """The values of the labels that a draft is going to annotate."""

    annotated: list[int]

    @classmethod
    def of(cls, tx: Reader, assignment: Assignment) -> Self:
        """As it is remembered; a draft that says nothing is for every label."""
        return cls(annotated=list(assignment.annotated or scope_in_force(tx).task.label_values))


class OpenAssignmentView(SituationView, AssignmentView):
    """An open assignment, the active seconds that it took so far, and what whoever works on it should know about its case.

    `kind`: what its query found worth most per minute; "" where that was not weighed. `minutes`: predicted for it.
    `proposal_hidden`: there is a proposal, which `GET …/proposal` gives after the first edit. `annotated`: the values of the labels that
    the draft is going to annotate. `queried_label`: the only one of them that is queried; null for all.
    """

    kind: QueryKind
    minutes: float | None
    parts: list[SliceBody | BoxBody]
    frames: list[NamedSliceView]
    active_seconds: float
    proposal_hidden: bool
    annotated: list[int]
    queried_label: int | None


def open_assignment_view(tx: Reader, opened: Opened) -> OpenAssignmentView:
    """An assignment in front of its annotator; one of a gold case looks like real work on a case that nobody has annotated."""
    shown, check = AssignmentView.model_validate(opened.assignment), opened.assignment.gold_id is not None
    if check:
        rounds = tx.find(Round, where={"state": "annotating"}, limit=1, order=("index",))
        shown = shown.model_copy(update={"round_id": rounds[0].id if rounds else None})
    who = opened.assignment.annotator_id
    sees = is_reviewing(opened.assignment) or not is_hidden(tx, opened.case.id, who)
    situation = _situation(tx, opened.case, opened.annotation, _base(tx, opened.assignment), Sight(who, sees, check))
    named, chosen = NamedFramesView.of(tx, opened.assignment), choice_shown(tx, opened.assignment)
    hidden = opened.assignment.revision == 0 and hidden_proposal(tx, opened.assignment) is not None
    seconds = spent_on(tx, opened.assignment)
    return OpenAssignmentView(
        **shown.model_dump(),
        **situation.model_dump(),
        kind=chosen.kind if chosen else "",
        minutes=chosen.minutes if chosen else None,
        frames=named.frames,
        parts=named.parts,
        active_seconds=seconds,
        proposal_hidden=hidden,
        annotated=AnnotatedView.of(tx, opened.assignment).annotated,
        queried_label=chosen.label if chosen else None,
    )


@dataclass(frozen=True)
class Sight:
    """Who looks at a case, whether they may see others' readings, and whether it must look as if there were none."""

    annotator_id: str
    sees: bool
    unread: bool


def seen_case_view(
    tx: Reader, case: Case, shown: Annotation | None, proposal: Prediction | None, standing: Annotation | None, sight: Sight
) -> SituationView:
    """A case that is only looked at: `shown`, as far as it can be read, or the proposal lies on it; `standing` is in force."""
    if shown is not None:
        base = BaseView(kind="annotation", **StandingView.of(tx, shown).model_dump())
    elif proposal is not None:
        base = _of_model(tx, "prediction", tx.get(Model, proposal.model_id))
    else:
        base = BaseView(kind="blank")
    return _situation(tx, case, standing, base, sight)


def _situation(tx: Reader, case: Case, standing: Annotation | None, base: BaseView, sight: Sight) -> SituationView:
    reading = as_unlabelled(tx, case.id) if sight.unread else case_readings(tx, [case.id])[case.id]
    returned = reading.returned if reading.returned and (sight.sees or reading.returned.returned_to == sight.annotator_id) else None
    refused = refusals(tx, [case.id]).get(case.id)
    return SituationView(
        task_version=scope_in_force(tx).task.version,
        base=base,
        standing=StandingView.of(tx, standing) if standing else None,
        evaluation=case.split in EVALUATION_SPLITS and not sight.unread,
        withdrawn=WithdrawnView.model_validate(refused) if refused else None,
        progress=CaseReadingView.of(reading),
        returned=ReturnedView.of(tx, returned) if returned else None,
    )


def _part(part: Part) -> SliceBody | BoxBody:
    return SliceBody(axis=part.axis, index=part.index) if isinstance(part, SlicePart) else BoxBody(start=part.start, stop=part.stop)


def _base(tx: Reader, assignment: Assignment) -> BaseView:
    base = base_of(tx, assignment)
    if base is not None:
        return BaseView(kind="annotation", **StandingView.of(tx, base).model_dump())
    kind = began(tx, assignment)
    if kind != "prediction" or assignment.proposal_id is None:
        return BaseView(kind=kind)
    model = tx.get(Model, tx.get(Prediction, assignment.proposal_id).model_id)
    return _of_model(tx, kind, model)


def _of_model(tx: Reader, kind: BeganWith, model: Model) -> BaseView:
    return BaseView(kind=kind, model_index=None if is_blinded(tx, model.id) else model.index, model_name=model.outside)
