"""What a page is told about an open case: what its draft began with, which annotation stands, why it was left out."""

from typing import Literal, Self

from medloop.core.records import EVALUATION_SPLITS, Annotation, Annotator, AnswerOrigin, Assignment, BeganWith, Case, Model, Prediction
from medloop.loop.annotating.annotations import Opened
from medloop.loop.foundation.in_force import base_of, began
from medloop.loop.foundation.partial_annotations import Part, SlicePart
from medloop.loop.foundation.refusals import Refusal, refusals
from medloop.loop.querying.parts import queried_parts
from medloop.server.wire.schemas import BoxBody, SliceBody
from medloop.server.wire.views import AssignmentView, View
from medloop.store.reader import Reader


class StandingView(View):
    """An annotation: whose, of which kind of origin, and when."""

    annotation_id: str
    annotator: str
    origin: AnswerOrigin
    at: str

    @classmethod
    def of(cls, tx: Reader, annotation: Annotation) -> Self:
        """From the record."""
        by = tx.get(Annotator, annotation.annotator_id).name
        return cls(annotation_id=annotation.id, annotator=by, origin=annotation.origin, at=annotation.created_at)


class BaseView(View):
    """What a draft began with; fields that do not belong to its kind are null."""

    kind: BeganWith
    annotation_id: str | None = None
    annotator: str | None = None
    origin: AnswerOrigin | None = None
    at: str | None = None
    model_index: int | None = None


class WithdrawnView(View):
    """The latest skip or flag of a case that still stands."""

    verb: Literal["skipped", "flagged"]
    reason: str
    by: str
    at: str


class OpenAssignmentView(AssignmentView):
    """An open assignment, and what whoever works on it should know about its case."""

    base: BaseView
    standing: StandingView | None
    evaluation: bool
    withdrawn: WithdrawnView | None
    parts: list[SliceBody | BoxBody]


def open_assignment_view(tx: Reader, opened: Opened) -> OpenAssignmentView:
    """An assignment in front of its annotator."""
    shown = AssignmentView.model_validate(opened.assignment)
    told = refusals(tx, [opened.case.id]).get(opened.case.id)
    return OpenAssignmentView(
        **shown.model_dump(),
        base=_base(tx, opened.assignment),
        standing=StandingView.of(tx, opened.annotation) if opened.annotation else None,
        evaluation=_is_evaluation(opened.case),
        withdrawn=_withdrawn(told) if told else None,
        parts=[_part(part) for part in queried_parts(tx, opened.assignment)],
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
    return BaseView(kind=kind, model_index=model.index)


def _is_evaluation(case: Case) -> bool:
    return case.split in EVALUATION_SPLITS


def _withdrawn(told: Refusal) -> WithdrawnView:
    return WithdrawnView(verb="skipped" if told.verb == "skipped" else "flagged", reason=told.reason, by=told.by, at=told.at)
