"""Which case a person should read next, and why: the part of routing that knows the project (`medloop.raters.routing` decides).

A case goes to somebody who is in its best plan: the readers, of those at work and with capacity left, whose readings are worth most
beyond their cost. Of these cases comes first the one whose annotation, or for a new one whose proposal, can be trusted least,
whether it was read already or not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Annotator, Assignment, Case, Prediction, ProjectSettings, Routed, new_id, now
from medloop.loop.foundation.effort import predict_minutes
from medloop.loop.foundation.readings import CaseReading, case_readings, project_settings
from medloop.loop.foundation.skills import skill_estimates
from medloop.loop.foundation.spent import UNPRICED
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.workforce import Worker, workforce
from medloop.raters.case_quality import AnyScale, ClassScale, MaskScale, Standing
from medloop.raters.routing import CaseReader, Plan, best_plan, relabel_score
from medloop.raters.skill_prior import SkillEstimate
from medloop.store.reader import Reader
from medloop.store.writer import Writer

MOST_COMPARED = 200
"""Cases that are compared at a time, those of the open rounds first: they differ little, and each costs some milliseconds."""

USUAL_WORTH = 50.0
"""What a case is worth by default, in readings of the dearest person: one of these is made for two hundredths of quality."""


@dataclass(frozen=True)
class NextChoice:
    """What to open next: a case of a round, an assignment that was left open, or a gold case.

    Attributes:
        routed: Why routing chose it for this person; None where it did not.
        gold_id: The gold case that it is, if it is one.
    """

    case_id: str
    round_id: str | None
    reason: str
    assignment_id: str | None = None
    routed: Routed | None = field(default=None, compare=False)
    gold_id: str | None = None


@dataclass(frozen=True)
class Route:
    """What routing makes of the cases that a person might read.

    Attributes:
        choice: The one to read; None for none.
        held: How many cases are planned for others, by annotator id.
        worthless: Cases for which no reading is worth its cost.
        full: Why the person gets nothing for now, in words; "" where that is not so.
    """

    choice: NextChoice | None
    held: Mapping[str, int] = field(default_factory=dict)
    worthless: int = 0
    full: str = ""


@dataclass(frozen=True)
class _Knowledge:
    """What is known of people and cases, read once for all candidates."""

    settings: ProjectSettings
    scale: AnyScale
    values: tuple[int, ...]
    workers: tuple[Worker, ...]
    skills: Mapping[str, SkillEstimate]
    minutes: Mapping[str, float]
    readings: Mapping[str, CaseReading]
    proposals: Mapping[str, Prediction]

    @property
    def chance(self) -> float:
        """Score of somebody who guesses."""
        return 1.0 / self.scale.classes if isinstance(self.scale, ClassScale) else 0.0

    def minutes_of(self, worker: Worker, case_id: str) -> float:
        """What a person probably takes for a case."""
        return self.minutes[case_id] * worker.pace

    def reader(self, worker: Worker, case_id: str) -> CaseReader:
        """A person as a reader of a case."""
        cost = self.minutes_of(worker, case_id) * worker.annotator.cost_per_minute
        return CaseReader(worker.annotator.id, self.skills[worker.annotator.id].value, cost)


def route(workspace: Workspace, tx: Reader, candidates: Sequence[NextChoice], annotator_id: str) -> Route:
    """Which of these cases, all of which this person may read, they should read next.

    Args:
        workspace: The project.
        tx: Its state.
        candidates: In the order in which they were queried, at least one.
        annotator_id: The person, who has capacity left.
    """
    compared = candidates[:MOST_COMPARED]
    known = _knowledge(workspace, tx, [choice.case_id for choice in compared], annotator_id)
    own = next(w for w in known.workers if w.annotator.id == annotator_id)
    plans = [(choice, _plan(known, choice.case_id, annotator_id)) for choice in compared]
    mine = [(_trust(known, choice.case_id), choice, plan) for choice, plan in plans if plan is not None and annotator_id in plan.readers]
    if not mine:
        held = Counter(name for _, plan in plans if plan is not None for name in plan.readers)
        return Route(None, held, sum(plan is None for _, plan in plans))
    trust, choice, plan = min(mine, key=lambda one: one[0])
    others = [tx.get(Annotator, name).name for name in plan.readers if name != annotator_id]
    reason = f"{choice.reason}; you read it because {_because(known, own, choice.case_id, plan, others)}"
    return Route(replace(choice, reason=reason, routed=_routed(known, own, choice.case_id, plan, trust, reason)))


def note_routing(tx: Writer, assignment: Assignment, choice: NextChoice) -> None:
    """Keep why a case was handed out; nothing for one that routing did not choose."""
    if choice.routed is not None:
        tx.add(replace(choice.routed, id=new_id("routing"), assignment_id=assignment.id, created_at=now()), verb="route")


def unrouted_words(tx: Reader, found: Route) -> str:
    """Why routing has nothing for a person, and what to do."""
    if found.full:
        return f"{found.full}; a lead can raise it (medloop annotators DIR NAME --hours-per-week N --cases-per-week N)"
    lines = []
    if found.held:
        names = ", ".join(f"{tx.get(Annotator, who).name} ({counted(cases, 'case')})" for who, cases in found.held.items())
        lines.append(
            f"Open cases are planned for {names}, whose readings are worth more beyond their cost; you get those that stay uncertain"
        )
    if found.worthless:
        remedy = "raise case_worth, or lower sure_enough (medloop configure)"
        lines.append(f"{counted(found.worthless, 'open case')} of which no further reading is worth its cost: {remedy}")
    return "; ".join(lines)


def _knowledge(workspace: Workspace, tx: Reader, case_ids: Sequence[str], annotator_id: str) -> _Knowledge:
    cases = tx.find(Case, where={"id": case_ids})
    live = tx.live_model()
    seen = tx.find(Prediction, where={"model_id": live.id, "case_id": case_ids}) if live else []
    proposals = {one.case_id: one for one in seen}
    minutes = predict_minutes(tx, cases, proposals)
    return _Knowledge(
        settings=project_settings(tx),
        scale=ClassScale(workspace.task.classes) if workspace.task.kind == "classification" else MaskScale(),
        values=workspace.task.label_values,
        workers=workforce(tx, annotator_id),
        skills=skill_estimates(tx),
        minutes={case.id: minutes[case.name] for case in cases},
        readings=case_readings(tx, case_ids),
        proposals=proposals,
    )


def _plan(known: _Knowledge, case_id: str, annotator_id: str) -> Plan | None:
    """The readers a case should get; those who have it open count as if they had read it."""
    reading = known.readings[case_id]
    given = {*reading.readers, *reading.open}
    every = [known.reader(worker, case_id) for worker in known.workers]
    able = [r for r, worker in zip(every, known.workers, strict=True) if r.name not in given and not worker.full]
    worth = known.settings.case_worth or USUAL_WORTH * max(r.cost for r in every) or 1.0
    most = reading.needed - len(given)
    enough = known.settings.sure_enough
    return best_plan(_standing(known, reading), able, known.scale, most=most, worth=worth, enough=enough, preferred=annotator_id)


def _standing(known: _Knowledge, reading: CaseReading) -> Standing:
    """What the readings amount to, those that somebody is at work on included."""
    now_ = reading.standing or Standing(known.chance, 0.0)
    working = [known.skills[who].value for who in reading.open if who not in reading.readers]
    if not working:
        return now_
    weight = now_.weight + sum(known.scale.weight(skill) for skill in working)
    return Standing(float(known.scale.quality(np.array(weight), now_.spread)), weight, now_.spread)


def _trust(known: _Knowledge, case_id: str) -> float:
    """How far what stands for a case can be trusted, by its readings, or for a new one by the model's proposal."""
    reading, proposal = known.readings[case_id], known.proposals.get(case_id)
    readers = [(known.skills[who].value, share) for who, share in zip(reading.readers, reading.agreeing, strict=True)]
    read = [len(one.readers) for one in known.readings.values() if one.readers]
    skills = [known.skills[worker.annotator.id].value for worker in known.workers]
    return relabel_score(
        model=_believed(known, reading, proposal) if proposal else None,
        readers=readers,
        typical_skill=sum(skills) / len(skills),
        chance=known.chance,
        readings_per_case=sum(read) / len(read) if read else 1.0,
    )


def _believed(known: _Knowledge, reading: CaseReading, proposal: Prediction) -> float | None:
    """What the model gives to what stands for a case; None where it says nothing of it."""
    if isinstance(known.scale, MaskScale):
        return None if reading.readers else proposal.quality
    if reading.tag is None:
        return max(proposal.probabilities)
    return proposal.probabilities[known.values.index(reading.tag)]


def _routed(known: _Knowledge, own: Worker, case_id: str, plan: Plan, trust: float, reason: str) -> Routed:
    reading, reader = known.readings[case_id], known.reader(own, case_id)
    return Routed(
        id="",
        assignment_id="",
        case_id=case_id,
        annotator_id=own.annotator.id,
        purpose="relabel" if reading.readers else "new",
        skill=reader.skill,
        minutes=known.minutes_of(own, case_id),
        cost=reader.cost,
        quality=reading.quality or 0.0,
        expected=plan.quality,
        readers=plan.readers,
        trust=trust,
        reason=reason,
        created_at="",
    )


def _because(known: _Knowledge, own: Worker, case_id: str, plan: Plan, others: Sequence[str]) -> str:
    """The decision in words."""
    reading, reader = known.readings[case_id], known.reader(own, case_id)
    priced = any(worker.annotator.cost_per_minute != UNPRICED for worker in known.workers)
    cost = f", a cost of {reader.cost:.3g}" if priced else ""
    yours = f"your reading (skill {reader.skill:.2f}, about {known.minutes_of(own, case_id):.1f} minutes{cost})"
    together = f" together with {', '.join(others)}" if others else ""
    if reading.quality is None:
        return f"{yours} is worth most beyond its cost{together}: expected quality {plan.quality:.2f}"
    verb = "gives" if len(reading.readers) == 1 else "give"
    so_far = f"{counted(len(reading.readers), 'reading')} so far {verb} an expected quality of {reading.quality:.2f}"
    return f"{so_far}, below the {known.settings.sure_enough:g} wanted, and {yours}{together} should raise it to {plan.quality:.2f}"
