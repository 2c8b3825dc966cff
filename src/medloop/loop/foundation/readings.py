"""How far the readings of a case are: derived from annotations, assignments, reviews and the consensus, and stored nowhere.

    unlabelled   nobody has read it
    in progress  nobody has read it, somebody has it open
    read         it has some of its readings, or all of them and waits for its consensus
    in review    it has its readings, and a reviewer must approve what stands
    accepted     it has its readings and, where due, its review
    returned     a reviewer returned it, and whom it was returned to has not annotated it since

A reading is one annotator's annotation of a case in force. What came first is said by the numbers of the audit's events, so
that a clock that runs backwards changes nothing. With the setting `routing` the number of readings are a maximum: a case has its
readings as soon as what they amount to is sure enough (`medloop.raters.case_quality`), by the skill that each reader was estimated
to have when the case was handed to them. A gold case has its readings: its truth is known.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar, get_args

from medloop.core.records import Annotation, Annotator, Assignment, Consensus, GoldCase, Project, ProjectSettings, Review, Routed, Task
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels, may_lack_labels
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.disposed import read_by_two, streamed
from medloop.raters.case_quality import ClassScale, MaskScale, Standing, classes_standing, masks_standing, no_surer_than
from medloop.raters.skill_prior import PRIORS
from medloop.store.reader import Reader
from medloop.store.states import DECIDED, FUSED

T = TypeVar("T", Assignment, Review)
ROUNDING = 1e-9
ReadingState: TypeAlias = Literal["unlabelled", "in progress", "read", "in review", "accepted", "returned"]
Decided: TypeAlias = Literal["", "consensus", "adjudicated"]
READING_STATES: tuple[ReadingState, ...] = get_args(ReadingState)

OWN_READINGS = ("human", "simulated")
"""Origins of readings that somebody gave here."""

DERIVED = (FUSED, DECIDED)
"""Origins of annotations that are made of readings and are none."""


RESTORE = "restore"
"""What the audit calls an adjudication that brings an earlier annotation back."""

REVIEWING = "opened as its reviewer"
"""Reason of an assignment whose draft is a reviewer's decision, and no reading."""


def is_reviewing(assignment: Assignment) -> bool:
    """Whether the draft of an assignment is a reviewer's decision, and no reading."""
    return assignment.reason == REVIEWING


@dataclass(frozen=True, kw_only=True)
class CaseHistory:
    """What the readings of a case are derived from.

    Attributes:
        case_id: The case.
        annotations: Full ones in force, in the order they were given.
        open: Annotators who have it open to read it.
        declined: Annotators who skipped it, and the number of the event by which they last did.
        reviews: In the order they were made.
        consensus: The newest one; it need not be in force.
        order: Id of an annotation or review → number of its event; not needed without reviews.
        skills: Id of a reading → skill of its reader when it was given, 0..1; not needed without routing.
        classes: How many classes the task has; 0 for masks.
        gold: It is a gold case in use, whose truth stands.
        second: The stream sent it to a second reader: it needs two readings.
        complementary: Another reading annotates a label that the one which stands without a consensus does not.
    """

    case_id: str
    annotations: tuple[Annotation, ...] = ()
    open: tuple[str, ...] = ()
    declined: Mapping[str, int] = field(default_factory=dict)
    reviews: tuple[Review, ...] = ()
    consensus: Consensus | None = None
    order: Mapping[str, int] = field(default_factory=dict)
    skills: Mapping[str, float] = field(default_factory=dict)
    classes: int = 0
    gold: bool = False
    complementary: bool = False
    second: bool = False

    @property
    def readings(self) -> tuple[Annotation, ...]:
        """The annotations that people gave on their own."""
        return tuple(a for a in self.annotations if a.origin not in DERIVED)

    @property
    def adjudicated(self) -> Annotation | None:
        """What a reviewer put together, if that stands."""
        return next((a for a in reversed(self.annotations) if a.origin == DECIDED), None)

    @property
    def consensus_in_force(self) -> Consensus | None:
        """The consensus, if its inputs are the readings as they are."""
        found = self.consensus
        if found is None or set(found.inputs) != {a.id for a in self.readings}:
            return None
        return found if any(a.id == found.annotation_id for a in self.annotations) else None

    @property
    def standing(self) -> Standing | None:
        """What the readings amount to; None for several masks that no consensus was made of so far."""
        readings, consensus = self.readings, self.consensus_in_force
        skills = [self.skills[a.id] for a in readings]
        error = consensus.expected_error if consensus is not None and len(readings) > 1 else None
        if self.classes:
            found = classes_standing([a.tag or 0 for a in readings], skills, self.classes)
            return no_surer_than(found, ClassScale(self.classes), error)
        if len(readings) < 2:
            return masks_standing(skills)
        if consensus is None:
            return None
        return no_surer_than(masks_standing(skills, [_dice_with(consensus, a) for a in readings]), MaskScale(), error)


@dataclass(frozen=True, kw_only=True)
class CaseReading:
    """How far the readings of a case are.

    Attributes:
        state: See the module.
        needed: Readings that it must have; with routing the most it may get, or as many as it has where these are enough.
        readers: Annotators who have read it, in the order they did.
        open: Annotators who have it open.
        declined: Annotators who skipped it.
        annotation_id: What stands for it; None without an annotation.
        agreement: Of its readings, 0..1; None while there is no consensus.
        consensus_due: It has its readings, and a consensus must be made of them.
        returned: The review that returned it, while that stands.
        approved: The last review approved what stands, and nobody has read the case since.
        decided: What stands is nobody's own reading: "consensus" or "adjudicated"; else "".
        standing: With routing, what its readings amount to; None without, and while a consensus is due.
        agreeing: With routing, how far each reading agrees with what stands, 0..1, in the order of `readers`.
        tag: The class that stands for it; None for masks and without an annotation.
        return_declined: Whom it was returned to has skipped it since.
    """

    state: ReadingState
    needed: int
    readers: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()
    annotation_id: str | None = None
    agreement: float | None = None
    consensus_due: bool = False
    returned: Review | None = None
    approved: bool = False
    decided: Decided = ""
    return_declined: bool = False
    standing: Standing | None = None
    agreeing: tuple[float, ...] = ()
    tag: int | None = None

    @property
    def quality(self) -> float | None:
        """Expected of its consensus, 0..1, once it was read; None where routing is off, or while a consensus is due."""
        return self.standing.quality if self.standing is not None and self.readers else None

    @property
    def words(self) -> str:
        """The state for people."""
        return f"read {len(self.readers)} of {self.needed}" if self.state == "read" else self.state

    def wants(self, annotator_id: str) -> bool:
        """Whether it needs one more reading, and may get it from this annotator."""
        given = {*self.readers, *self.open}
        lacking = self.state in ("unlabelled", "in progress", "read") and not self.consensus_due and len(given) < self.needed
        return lacking and annotator_id not in given and annotator_id not in self.declined

    def is_returned_to(self, annotator_id: str) -> bool:
        """Whether it waits for this annotator to annotate it again."""
        return self.returned is not None and self.returned.returned_to == annotator_id and not self.return_declined


def readings_needed(settings: ProjectSettings, case_id: str) -> int:
    """How many people must read a case: `readings`, and one more for the share `read_twice` of cases, drawn by a hash of the id."""
    return settings.readings + (drawn_share(case_id) < settings.read_twice)


def readings_due(tx: Reader, case_id: str) -> int:
    """How many people must read a case, also by what a stream decided about it."""
    settings = project_settings(tx)
    return max(readings_needed(settings, case_id), 2 if read_by_two(tx, [case_id]) else 1)


def routes(settings: ProjectSettings) -> bool:
    """Whether `routing` decides who reads a case."""
    return settings.routing != "none"


def needs_several(tx: Reader) -> bool:
    """Whether a case may need more than one reading."""
    return most_readings(tx) > 1


def usual_readings(settings: ProjectSettings) -> int:
    """The most readings that a case may need whatever a stream decides about it."""
    return settings.readings + (settings.read_twice > 0)


def most_readings(tx: Reader) -> int:
    """The most readings that a case may need: one that the stream sends to a second reader needs two, also once the stream is off."""
    settings = project_settings(tx)
    return max(usual_readings(settings), 2 if settings.stream_risk > 0 or streamed(tx) else 1)


def reads_several(tx: Reader) -> bool:
    """Whether a case may need more than one reading, or a consensus of those that it happens to get."""
    return needs_several(tx) or project_settings(tx).consensus != "latest"


def derive(settings: ProjectSettings, history: CaseHistory) -> CaseReading:
    """How far the readings of a case are, from its history alone."""
    readings, amount = history.readings, history.standing if routes(settings) else None
    needed = _needed(settings, history, amount)
    standing = deciding(history.annotations) if history.annotations else None
    returned, consensus = _returned(history), history.consensus_in_force
    enough = len(readings) >= needed or history.adjudicated is not None
    approved = _approved(history, standing)
    judged = enough or (routes(settings) and not history.classes)  # the agreement of masks decides whether another reading is due
    several = usual_readings(settings) > 1 or settings.consensus != "latest" or history.second or history.complementary
    fuses = several or any(a.origin == FUSED for a in history.annotations)  # of a method that is no longer set
    wants = judged and len(readings) > 1 and fuses and not history.adjudicated and not approved
    due = wants and (consensus is None or consensus.method != settings.consensus or (settings.targets == "soft" and _is_hard(consensus)))
    state: ReadingState
    if returned is not None:
        state = "returned"
    elif standing is None:
        state = "in progress" if history.open else "unlabelled"
    elif not enough or due:
        state = "read"
    else:
        state = "in review" if _review_due(settings, consensus, history) and not approved else "accepted"
    return CaseReading(
        state=state,
        needed=needed,
        readers=tuple(a.annotator_id for a in readings),
        open=history.open,
        declined=tuple(history.declined),
        annotation_id=standing.id if standing else None,
        agreement=consensus.agreement if consensus else None,
        consensus_due=due,
        returned=returned,
        approved=approved,
        decided=_decided(standing),
        standing=amount,
        agreeing=tuple(_agreeing(history, a, standing) for a in readings) if routes(settings) else (),
        tag=standing.tag if standing else None,
        return_declined=returned is not None and history.declined.get(str(returned.returned_to), 0) > history.order[returned.id],
    )


def _decided(standing: Annotation | None) -> Decided:
    origin = standing.origin if standing is not None else ""
    return origin if origin in ("consensus", "adjudicated") else ""


def _agreeing(history: CaseHistory, reading: Annotation, standing: Annotation | None) -> float:
    """How far a reading agrees with what stands: a class does or does not, a mask by its Dice with the consensus."""
    consensus = history.consensus_in_force
    if history.classes or consensus is None:
        return float(not history.classes or (standing is not None and reading.tag == standing.tag))
    return _dice_with(consensus, reading)


def _dice_with(consensus: Consensus, reading: Annotation) -> float:
    """A mask's Dice with a consensus; 0 for one that could not be read."""
    found = consensus.skills.get(reading.annotator_id)
    return float(found["value"]) if found else 0.0


def _needed(settings: ProjectSettings, history: CaseHistory, amount: Standing | None) -> int:
    """How many readings a case must have."""
    sure = amount is not None and amount.quality >= settings.sure_enough - ROUNDING
    given = len(history.readings)
    return given if given and (sure or history.gold) else max(readings_needed(settings, history.case_id), 2 if history.second else 1)


def _is_hard(consensus: Consensus) -> bool:
    """Whether it was fused before the probabilities of its voxels were kept."""
    return consensus.uncertainty is not None and consensus.voxel_probabilities is None


def _review_due(settings: ProjectSettings, consensus: Consensus | None, history: CaseHistory) -> bool:
    if settings.review != "disagreement":
        return settings.review == "all" and any(a.origin != "imported" for a in history.readings)
    if history.adjudicated is not None:
        return True
    return consensus is not None and consensus.agreement < settings.minimum_agreement


def _approved(history: CaseHistory, standing: Annotation | None) -> bool:
    """Whether the last review approved what stands, and nobody has read the case since."""
    if not history.reviews or standing is None:
        return False
    last = history.reviews[-1]
    since = any(history.order[a.id] > history.order[last.id] for a in history.readings)
    return last.verdict == "approve" and last.annotation_id == standing.id and not since


def _returned(history: CaseHistory) -> Review | None:
    """The last review, if it returned the case, and neither whom it was returned to nor a reviewer has annotated it since.

    Where every annotation was taken back, nothing is left to correct.
    """
    last = history.reviews[-1] if history.reviews and history.annotations else None
    if last is None or last.verdict != "return":
        return None
    done = (a for a in history.annotations if a.annotator_id == last.returned_to or a.origin == DECIDED)
    return None if any(history.order[a.id] > history.order[last.id] for a in done) else last


def most_leaning(readings: Sequence[Annotation]) -> Annotation:
    """Of several readings the one that owes most to a model's proposal: what is made of them owes as much."""
    return max(readings, key=lambda a: a.untouched or 0.0)


def project_settings(tx: Reader) -> ProjectSettings:
    """The project's settings as they are in this transaction."""
    return tx.find(Project, limit=1)[0].settings


def histories(tx: Reader, case_ids: Collection[str]) -> dict[str, CaseHistory]:
    """What the readings of these cases are derived from, by case id."""
    given = by_case(tx.current_annotations(case_ids=case_ids))
    opened = _grouped(a for a in tx.find(Assignment, where={"case_id": case_ids, "state": ["open", "skipped"]}) if a.gold_id is None)
    reviews = _grouped(tx.find(Review, where={"case_id": case_ids}))
    newest = {c.case_id: c for c in newest_consensuses(tx, case_ids)}
    reviewed = [a.id for case_id in reviews for a in given.get(case_id, [])]
    skipped = {a.id for each in opened.values() for a in each if a.state == "skipped"}
    skips = {event.noun_id: event.seq for event in tx.events_about("assignment", skipped, verbs=["skip"])} if skipped else {}
    order = tx.event_numbers(Annotation, reviewed) | tx.event_numbers(Review, [r.id for each in reviews.values() for r in each])
    project, gold = tx.find(Project, limit=1)[0], gold_in_force(tx, case_ids, given)
    skills = _skills_given(tx, given) if routes(project.settings) else {}
    task = tx.get(Task, project.task_id)
    scope = annotated_labels(tx, task)
    classes = len(task.labels) if task.kind == "classification" else 0
    second = read_by_two(tx, case_ids)
    return {
        case_id: CaseHistory(
            case_id=case_id,
            annotations=tuple(given.get(case_id, ())),
            open=tuple(a.annotator_id for a in opened.get(case_id, ()) if a.state == "open" and not is_reviewing(a)),
            declined={a.annotator_id: skips[a.id] for a in opened.get(case_id, ()) if a.state == "skipped"},
            reviews=tuple(reviews.get(case_id, ())),
            consensus=newest.get(case_id),
            order=order,
            skills=skills,
            classes=classes,
            gold=case_id in gold,
            complementary=_complementary(scope, given.get(case_id, ())),
            second=case_id in second,
        )
        for case_id in case_ids
    }


def _complementary(scope: AnnotatedLabels, given: Sequence[Annotation]) -> bool:
    """Whether readings of a case say together more than the one of them that decides."""
    readings = [a for a in given if a.origin not in DERIVED and a.kind == "mask"]
    return len(readings) > 1 and any(set(scope.lacking(deciding(readings))) & set(scope.of(a)) for a in readings)


def gold_in_force(tx: Reader, case_ids: Collection[str], given: Mapping[str, Sequence[Annotation]] | None = None) -> dict[str, GoldCase]:
    """The gold cases among these that are in use and whose truth stands, by case id; `given` holds their current annotations."""
    marked = {one.case_id: one for one in tx.find(GoldCase, where={"case_id": case_ids, "withdrawn_at": None})}
    if not marked:
        return {}
    known = given if given is not None else by_case(tx.current_annotations(case_ids=list(marked)))
    return {i: one for i, one in marked.items() if known.get(i) and deciding(known[i]).id == one.annotation_id}


def _skills_given(tx: Reader, given: Mapping[str, Sequence[Annotation]]) -> dict[str, float]:
    """The skill that each reading counts by: its reader's when the case was handed out, else what their expertise says."""
    readings = [a for each in given.values() for a in each if a.origin not in DERIVED]
    handed = {one.assignment_id: one.skill for one in tx.find(Routed, where={"case_id": list(given)})} if given else {}
    usual = {one.id: PRIORS[one.expertise].mean for one in tx.find(Annotator)}
    return {a.id: handed.get(a.assignment_id or "", usual[a.annotator_id]) for a in readings}


def newest_consensuses(tx: Reader, case_ids: Collection[str] | None = None) -> list[Consensus]:
    """The newest consensus of each of these cases, or of every case that has one."""
    found = tx.find(Consensus) if case_ids is None else tx.find(Consensus, where={"case_id": case_ids})
    return list({c.case_id: c for c in found}.values())


def case_readings(tx: Reader, case_ids: Collection[str]) -> dict[str, CaseReading]:
    """How far the readings of these cases are, by case id."""
    if not case_ids:
        return {}
    settings = project_settings(tx)
    return {case_id: derive(settings, history) for case_id, history in histories(tx, case_ids).items()}


def restored_among(tx: Reader, readings: Iterable[CaseReading]) -> set[str]:
    """Ids of the annotations that stand for these cases and brought an earlier one back."""
    decided = [r.annotation_id for r in readings if r.decided == "adjudicated" and r.annotation_id]
    return {event.noun_id for event in tx.events_about("annotation", decided, verbs=[RESTORE])} if decided else set()


def awaiting_readings(tx: Reader, case_ids: Collection[str]) -> set[str]:
    """Which of these cases lack a reading, the consensus of those that they have, or the approval that they need; returned ones, too."""
    return {i for i, one in case_readings(tx, case_ids).items() if one.state != "accepted"}


def cases_read(tx: Reader, state: ReadingState) -> list[str]:
    """Ids of the cases with an annotation whose readings are in a state."""
    begun, unsettled = begun_readings(tx)
    other = {case_id for case_id, reading in unsettled.items() if reading.state != state}
    return [i for i in begun if i not in other] if state == "accepted" else [i for i in unsettled if i not in other]


def begun_readings(tx: Reader) -> tuple[list[str], dict[str, CaseReading]]:
    """Ids of the cases that somebody has read, here or elsewhere, and how far those are that are not plainly accepted."""
    settings, begun = project_settings(tx), tx.begun_cases((*OWN_READINGS, "imported"))
    most = most_readings(tx)
    least = {"none": 0.0, "disagreement": settings.minimum_agreement, "all": math.inf}[settings.review]
    settled = tx.settled_cases(most, settings.consensus, least, soft=settings.targets == "soft") if not routes(settings) else set()
    if usual_readings(settings) == 1 and not routes(settings) and settings.review != "all":
        single = tx.single_cases()
        settled |= single - (read_by_two(tx, single) if most > 1 else frozenset())
    return begun, case_readings(tx, [case_id for case_id in begun if case_id not in settled])


def due_for_consensus(tx: Reader, case_id: str | None = None) -> list[str]:
    """Ids of the cases, or this one alone, that have their readings and no consensus of them."""
    settings = project_settings(tx)
    if not reads_several(tx) and not tx.find(Consensus, limit=1) and not may_lack_labels(tx):
        return []
    if case_id is not None:
        return [case_id] if case_readings(tx, [case_id])[case_id].consensus_due else []
    fused = tx.fused_cases(settings.consensus, soft=settings.targets == "soft")
    several = [i for i in tx.contested_cases(["train", "validation", "test", "audit"]) if i not in fused]
    return [case_id for case_id, reading in case_readings(tx, several).items() if reading.consensus_due]


def _grouped(records: Iterable[T]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for record in records:
        found.setdefault(record.case_id, []).append(record)
    return found
