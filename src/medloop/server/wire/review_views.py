"""What goes over REST about readings of a case: how far they are, reviews, consensus, history, suspects."""

from typing import Annotated, Literal, Self

from pydantic import Field

from medloop.core.records import Annotation, AnnotationOrigin, Assignment, Consensus, Expertise, Review, Verdict
from medloop.loop.annotating.adjudicating import Ruling
from medloop.loop.annotating.review_verdicts import Meaning, Waiting
from medloop.loop.foundation.annotated_labels import AnnotatedLabels
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.partial_annotations import MAX_PARTS, BoxPart
from medloop.loop.foundation.readings import CaseHistory, CaseReading
from medloop.server.wire.progress_views import EffortLineView
from medloop.server.wire.schemas import Body, BoxBody, EffortBody, IdText, LabelValue, Revision, Seconds, TaskVersion, Text
from medloop.server.wire.standing_views import CaseReadingView
from medloop.server.wire.views import Number, View
from medloop.store.reader import Reader

Comment = Annotated[Text, Field(max_length=500)]
MOST_READINGS = 1000
LookedAt = Annotated[tuple[IdText, ...], Field(max_length=MOST_READINGS)] | None


class WaitingView(View):
    """A case that waits for a reviewer, or for whom it was returned to."""

    case_id: str
    name: str
    progress: CaseReadingView
    readers: list[str]
    annotation_id: str | None
    returned_to: str | None
    comment: str

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        """From a line of the queue."""
        return cls(
            case_id=waiting.case_id,
            name=waiting.name,
            progress=CaseReadingView.of(waiting.reading),
            readers=list(waiting.readers),
            annotation_id=waiting.reading.annotation_id,
            returned_to=waiting.returned_to,
            comment=waiting.comment,
        )


class ReadingView(View):
    """One annotation of a case in force: a reading, or what was fused or adjudicated.

    Attributes:
        standing: It counts for the case.
        labels: Values of the labels that it knows; of others its background says nothing.
    """

    annotation_id: str
    annotator: str
    origin: AnnotationOrigin
    at: str
    tag: int | None
    effort_seconds: Number
    blind: bool
    standing: bool
    labels: list[int]


class ConsensusView(View):
    """A consensus: skills by annotator's name, agreement by label value; its uncertainty per voxel is at /consensuses/{id}/uncertainty."""

    id: str
    method: str
    annotation_id: str
    in_force: bool
    at: str
    agreement: Number
    agreement_by_label: dict[str, float]
    skills: dict[str, "SkillView"]
    probabilities: list[float]
    uncertainty: bool
    note: str


class SkillView(View):
    """How right a reader is in this case or over all, 0..1, with a 90 % interval."""

    value: Number
    low: Number
    high: Number


class ReviewView(View):
    """A reviewer's verdict."""

    id: str
    annotation_id: str
    reviewer: str
    verdict: Verdict
    comment: str
    returned_to: str | None
    signature: "SignatureView | None"
    at: str


class SignatureView(View):
    """A signature: printed name, time, what it means."""

    name: str
    time: str
    meaning: str


class ReadingsView(View):
    """The readings of a case side by side, their consensus and the reviews."""

    case_id: str
    name: str
    progress: CaseReadingView
    readings: list[ReadingView]
    consensus: ConsensusView | None
    reviews: list[ReviewView]


class LabelChangeView(View):
    """What changed in one label: voxels added and removed, and the change of volume in ml."""

    label: str
    added: int
    removed: int
    ml: float


class HistoryLineView(View):
    """One thing that happened to a case."""

    at: str
    who: str
    what: str
    annotation_id: str
    in_force: bool
    changes: list[LabelChangeView]
    comment: str
    restorable: bool
    lacking: list[str]
    replayable: bool


class SuspectView(View):
    """An annotation that is probably wrong: against the other readers, or a model that never saw it."""

    case_id: str
    case: str
    annotation_id: str
    annotator: str
    score: float
    against: Literal["readers", "model"]
    reason: str


class AgreementWindowView(View):
    """Mean agreement of the readings of a week, and of each label by its value."""

    start: str
    cases: int
    value: Number
    low: Number
    high: Number
    by_label: dict[str, Number]


class AnnotatorLineView(EffortLineView):
    """What one annotator's annotations took, how right they are, and what they have to do.

    Attributes:
        skill: With its 90 % interval, over the `shared` cases that others read, too.
        edges: How strong the image's edges along their outlines are, 1 as for the median reader; null for classes.
        skill_by_image: The skill by both, with its 90 % interval; null for classes.
        open: Cases that they have open.
        returned: Cases that were returned to them.
        expected: The skill that routing expects, with its interval; its limits per week are null for none.
    """

    skill: Number
    skill_low: Number
    skill_high: Number
    shared: int
    edges: Number
    skill_by_image: Number
    skill_by_image_low: Number
    skill_by_image_high: Number
    open: int
    returned: int
    expertise: Expertise
    expected: float
    expected_low: float
    expected_high: float
    hours_per_week: Number
    cases_per_week: int | None


class ReviewResultView(View):
    """A stored verdict, and how far the case is now."""

    review_id: str | None
    annotation_id: str
    progress: CaseReadingView


class ApproveBody(Body):
    """An approval.

    Attributes:
        annotation_id: What was looked at; 409 when something else stands by now.
        readings: Ids of the readings that were looked at; 409 when the case was read since.
        reviews: Ids of the verdicts that were looked at; 409 when there are others by now.
        signed_as: The signer's printed name; "" for no signature. With accounts it is the account's name.
        meaning: What the signature means.
    """

    annotation_id: IdText | None = None
    readings: LookedAt = None
    reviews: LookedAt = None
    comment: Comment = ""
    signed_as: Annotated[Text, Field(max_length=200)] = ""
    meaning: Meaning = "approval"
    effort: EffortBody | None = None


class ReturnBody(Body):
    """A return: what to correct, and by whom; without `to`, by whose annotation it is."""

    comment: Annotated[Text, Field(min_length=1, max_length=500)]
    to: Annotated[Text, Field(max_length=80)] = ""
    annotation_id: IdText | None = None
    readings: LookedAt = None
    reviews: LookedAt = None
    effort: EffortBody | None = None


class RulingBody(Body):
    """Which annotation counts: for one label only, within one box only, or in all."""

    annotation_id: IdText
    label: LabelValue | None = None
    box: BoxBody | None = None

    def ruling(self) -> Ruling:
        """The choice itself."""
        return Ruling(self.annotation_id, self.label, BoxPart(self.box.start, self.box.stop) if self.box else None)


class AdjudicateBody(Body):
    """A decision between readings: rulings in order, on what stands; or the draft, or a class, of a case opened as its reviewer.

    Attributes:
        choices: Which reading counts where.
        assignment_id: Of `POST …/edit`, in place of choices.
        revision: For a mask: the draft as the page knows it.
        tag: For a classification: the class that the reviewer gives.
        task_version: The version of the task that the reviewer saw.
        annotation_id: What was looked at; 409 when something else stands by now.
        readings: Ids of the readings that were looked at; 409 when the case was read since.
        reviews: Ids of the verdicts that were looked at; 409 when there are others by now.
    """

    choices: Annotated[tuple[RulingBody, ...], Field(max_length=MAX_PARTS)] = ()
    assignment_id: IdText | None = None
    revision: Revision | None = None
    tag: Annotated[int, Field(ge=0, le=255, strict=True)] | None = None
    task_version: Annotated[TaskVersion, Field(strict=True)] | None = None
    annotation_id: IdText | None = None
    readings: LookedAt = None
    reviews: LookedAt = None
    comment: Comment = ""
    effort_seconds: Seconds | None = None
    effort: EffortBody | None = None


class RestoreBody(Body):
    """Why an earlier annotation is restored, and what was looked at: what stood, readings, verdicts; 409 where they changed."""

    comment: Comment = ""
    standing_id: IdText | None = None
    readings: LookedAt = None
    reviews: LookedAt = None


def readings_view(tx: Reader, name: str, history: CaseHistory, reading: CaseReading, scope: AnnotatedLabels) -> ReadingsView:
    """Everything about the readings of a case."""
    people = annotator_names(tx)
    blind = _read_blind(tx, history)
    readings = [
        ReadingView(
            annotation_id=a.id,
            annotator=people[a.annotator_id],
            origin=a.origin,
            at=a.created_at,
            tag=a.tag,
            effort_seconds=a.effort_seconds or None,
            blind=a.id in blind,
            standing=a.id == reading.annotation_id,
            labels=[label.value for label in scope.of(a)],
        )
        for a in history.annotations
    ]
    found, in_force = history.consensus, history.consensus_in_force is not None
    return ReadingsView(
        case_id=history.case_id,
        name=name,
        progress=CaseReadingView.of(reading),
        readings=readings,
        consensus=_consensus(found, people, in_force=in_force) if found else None,
        reviews=[_review(review, people) for review in history.reviews],
    )


def _read_blind(tx: Reader, history: CaseHistory) -> set[str]:
    """Those of a case's annotations that were drawn blind: the first of their annotators, who see everybody's after it."""
    ids = [a.assignment_id for a in history.annotations if a.assignment_id]
    opened = {one.id for one in tx.find(Assignment, where={"id": ids}) if one.blind}
    first: dict[str, str] = {}
    for one in tx.find(Annotation, where={"case_id": history.case_id}):
        if one.is_whole:
            first.setdefault(one.annotator_id, one.id)
    return {a.id for a in history.annotations if a.assignment_id in opened and first[a.annotator_id] == a.id}


def _consensus(made: Consensus, people: dict[str, str], *, in_force: bool) -> ConsensusView:
    return ConsensusView(
        id=made.id,
        method=made.method,
        annotation_id=made.annotation_id,
        in_force=in_force,
        at=made.created_at,
        agreement=made.agreement,
        agreement_by_label=dict(made.agreement_by_label),
        skills={people[who]: SkillView(value=s["value"], low=s["low"], high=s["high"]) for who, s in made.skills.items()},
        probabilities=list(made.probabilities),
        uncertainty=made.uncertainty is not None,
        note=made.note,
    )


def _review(review: Review, people: dict[str, str]) -> ReviewView:
    return ReviewView(
        id=review.id,
        annotation_id=review.annotation_id,
        reviewer=people[review.annotator_id],
        verdict=review.verdict,
        comment=review.comment,
        returned_to=people[review.returned_to] if review.returned_to else None,
        signature=SignatureView(**review.signature) if review.signature else None,
        at=review.created_at,
    )
