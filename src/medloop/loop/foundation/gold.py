"""Gold cases: which are left for a person, how far a person's tutorial is.

A gold case is in use while nobody withdrew it and its truth is the annotation in force (`readings.gold_in_force`). A person never
gets one whose images they have opened, nor whose truth they gave or helped to make. To whom it may still come, and while they
have it open, it looks like a case that nobody has annotated.
"""

from dataclasses import dataclass

from medloop.core.records import Annotation, Annotator, Assignment, GoldCase, GoldReading, Prediction
from medloop.core.seeds import drawn_share
from medloop.loop.foundation.learned import learned_annotations
from medloop.loop.foundation.readings import (
    OWN_READINGS,
    CaseHistory,
    CaseReading,
    derive,
    gold_in_force,
    is_reviewing,
    project_settings,
)
from medloop.store.reader import Reader


@dataclass(frozen=True)
class Tutorial:
    """How far the tutorial of somebody new is.

    Attributes:
        done: Gold cases read in it.
        length: Of these the last so many count.
        score: Their mean; None before there are so many.
        needed: The mean that ends it.
        left: Gold cases that the person has not seen.
    """

    done: int
    length: int
    score: float | None
    needed: float
    left: int

    @property
    def passed(self) -> bool:
        """Whether real work may begin."""
        return self.score is not None and self.score >= self.needed

    @property
    def blocked(self) -> bool:
        """Whether it can go on only by somebody's decision."""
        return not self.passed and not self.left

    @property
    def words(self) -> str:
        """How far it is, in words."""
        if self.passed:
            return f"tutorial passed with {self.score:.2f}"
        reached = (
            f"; the last {self.length} have a mean score of {self.score:.2f}, {self.needed:g} is needed" if self.score is not None else ""
        )
        return f"tutorial: {self.done} of {self.length} gold cases read{reached}"


def tutorial_of(tx: Reader, annotator: Annotator) -> Tutorial | None:
    """The tutorial of an annotator; None where none is wanted of them: admitted, or at real work already."""
    settings = project_settings(tx)
    if settings.tutorial == 0 or annotator.admitted or annotator.kind == "model":
        return None
    if tx.find(Annotation, where={"annotator_id": annotator.id, "origin": OWN_READINGS}, limit=1):
        return None
    held = {r.annotation_id: r.score for r in tx.find(GoldReading, where={"annotator_id": annotator.id}) if r.tutorial}
    scores = list(held.values())  # one held against a newer truth counts once
    last = scores[-settings.tutorial :]
    score = sum(last) / len(last) if len(last) == settings.tutorial else None
    return Tutorial(len(scores), settings.tutorial, score, settings.tutorial_score, len(gold_left(tx, annotator.id)))


def gold_left(tx: Reader, annotator_id: str) -> list[GoldCase]:
    """The gold cases in use that an annotator has neither opened nor annotated, in an order of their own."""
    marked = tx.find(GoldCase, where={"withdrawn_at": None})
    case_ids = {one.case_id for one in marked}
    if not case_ids:
        return []
    seen = {a.case_id for a in tx.find(Assignment, where={"annotator_id": annotator_id, "case_id": case_ids})}
    seen |= {a.case_id for a in tx.find(Annotation, where={"annotator_id": annotator_id, "case_id": case_ids})}
    left = gold_in_force(tx, case_ids - seen).values() if case_ids - seen else ()
    return sorted(left, key=lambda one: drawn_share(annotator_id, one.case_id))


def open_checks(tx: Reader, annotator_id: str) -> set[str]:
    """The cases that an annotator has open as gold cases."""
    opened = tx.find(Assignment, where={"annotator_id": annotator_id, "state": "open"})
    return {one.case_id for one in opened if one.gold_id is not None}


def unread_gold(tx: Reader, annotator_id: str) -> set[str]:
    """The cases that must not look annotated to a person: gold cases that they have open, and those that may still come to them."""
    settings = project_settings(tx)
    left = gold_left(tx, annotator_id) if settings.gold_rate or settings.tutorial else []
    return open_checks(tx, annotator_id) | {one.case_id for one in left}


def as_unlabelled(tx: Reader, case_id: str) -> CaseReading:
    """How far a case is as if nobody had annotated it."""
    opened = tx.find(Assignment, where={"case_id": case_id, "state": "open"})
    history = CaseHistory(case_id=case_id, open=tuple(a.annotator_id for a in opened if not is_reviewing(a)))
    return derive(project_settings(tx), history)


def independent_proposal(tx: Reader, case_id: str) -> Prediction | None:
    """The newest prediction of a case by a model before which none had learned from an annotation of it."""
    given, found = {a.id for a in tx.find(Annotation, where={"case_id": case_id})}, None
    for known in tx.learned_models():
        if not given.isdisjoint(learned_annotations(tx, known.model)):
            break
        made = tx.find(Prediction, where={"case_id": case_id, "model_id": known.model.id}, limit=1, descending=True)
        found = made[0] if made else found
    return found
