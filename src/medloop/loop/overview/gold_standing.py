"""The gold cases of a project and what people make of them, for whoever leads it."""

from collections import Counter
from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import Annotation, Annotator, Assignment, Case, GoldCase, GoldReading, ProjectSettings
from medloop.loop.annotating.gold_feedback import mean_score
from medloop.loop.foundation.annotators import annotating_people
from medloop.loop.foundation.gold import gold_left, tutorial_of
from medloop.loop.foundation.readings import gold_in_force, project_settings
from medloop.loop.foundation.skills import gold_scores
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.intervals import Interval
from medloop.store.reader import Reader

UNSCORED = {"marks": "marked", "rejected": "its proposal was rejected"}
"""Kinds of annotations of gold cases that score nothing, in words."""


@dataclass(frozen=True)
class GoldLine:
    """A gold case.

    Attributes:
        readings: How many people have read it as such.
        mean: Their mean score; None before the first.
        note: Why it is not in use, or what a reader reported of it; "" otherwise.
    """

    case: str
    case_id: str
    by: str
    since: str
    in_use: bool
    readings: int
    mean: float | None
    note: str


@dataclass(frozen=True)
class GoldPerson:
    """Somebody who is held against gold cases.

    Attributes:
        readings: Gold cases read whose truth stands.
        score: Mean with a 90 % interval; None before the first.
        left: Gold cases that they have not seen.
        tutorial: How far it is, in words; "" where there is none.
        waits: Real work waits for it.
    """

    annotator: str
    readings: int
    score: Interval | None
    left: int
    tutorial: str
    waits: bool


@dataclass(frozen=True)
class GoldStanding:
    """Gold cases, people, and what stands in the way, in words."""

    cases: tuple[GoldLine, ...]
    people: tuple[GoldPerson, ...]
    warnings: tuple[str, ...]


def gold_standing(workspace: Workspace) -> GoldStanding:
    """What a project's gold cases are and what people make of them."""
    with workspace.store.read() as tx:
        marked = tx.find(GoldCase, where={"withdrawn_at": None})
        in_use = gold_in_force(tx, {one.case_id for one in marked})
        lines = tuple(sorted((_line(tx, one, in_use=one.case_id in in_use) for one in marked), key=lambda line: line.case))
        scores, settings = gold_scores(tx), project_settings(tx)
        wanted = bool(settings.gold_rate or settings.tutorial or lines)
        known = annotating_people(tx) if wanted else []
        people = tuple(_person(tx, one, scores.get(one.id, ())) for one in sorted(known, key=lambda one: one.name))
    return GoldStanding(lines, people, tuple(_warnings(lines, people, settings)))


def _line(tx: Reader, gold: GoldCase, *, in_use: bool) -> GoldLine:
    readings = tx.find(GoldReading, where={"gold_id": gold.id})
    reported = tx.find(Assignment, where={"gold_id": gold.id, "state": ["skipped", "flagged"]})
    notes = [] if in_use else ["its truth was replaced or taken back: make it gold again, or withdraw it"]
    notes += [f"{one.state} by {tx.get(Annotator, one.annotator_id).name}: {one.reason}" for one in reported]
    unscored = tx.find(Annotation, where={"case_id": gold.case_id, "origin": "gold", "kind": UNSCORED})
    notes += [f"{UNSCORED[one.kind]} by {tx.get(Annotator, one.annotator_id).name}, not scored" for one in unscored]
    mean = sum(r.score for r in readings) / len(readings) if readings else None
    by = tx.get(Annotator, gold.annotator_id).name
    return GoldLine(tx.get(Case, gold.case_id).name, gold.case_id, by, gold.created_at, in_use, len(readings), mean, "; ".join(notes))


def _person(tx: Reader, annotator: Annotator, scores: tuple[float, ...]) -> GoldPerson:
    tutorial = tutorial_of(tx, annotator)
    words = tutorial.words if tutorial else "admitted without it" if annotator.admitted else ""
    left = tutorial.left if tutorial else len(gold_left(tx, annotator.id))
    return GoldPerson(
        annotator.name, len(scores), mean_score(scores) if scores else None, left, words, tutorial is not None and not tutorial.passed
    )


def _warnings(lines: tuple[GoldLine, ...], people: tuple[GoldPerson, ...], settings: ProjectSettings) -> list[str]:
    """What keeps gold cases from doing what the settings want."""
    rate, tutorial, used = settings.gold_rate, settings.tutorial, sum(line.in_use for line in lines)
    found = [f"{line.case} is no gold case any more: {line.note}" for line in lines if not line.in_use]
    if rate and not used:
        found.append(f"gold_rate is {rate:g}, and there is no gold case: medloop gold add DIR CASE")
    if tutorial > used:
        found.append(
            f"A tutorial needs {counted(tutorial, 'gold case')}, there are {used}: nobody new can begin; medloop gold add DIR CASE"
        )
    if rate and settings.query_unit not in ("case", "best"):
        unit = settings.query_unit
        found.append(f"gold_rate is {rate:g}, but query_unit={unit} queries parts: gold cases come only in place of cases queried whole")
    ended = Counter(not person.left for person in people if person.readings)[True]
    if rate and used and ended:
        found.append(f"{counted(ended, 'annotator')} have read every gold case: add more, or their checks end")
    return found
