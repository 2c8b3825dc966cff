"""How right each annotator is over a whole project, as far as the readings of others show, and how agreement went over time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import numpy as np

from medloop.core.records import Annotator, Consensus, Expertise
from medloop.loop.foundation.effort import EffortLine, annotator_lines
from medloop.loop.foundation.readings import newest_consensuses
from medloop.loop.foundation.skills import skill_estimates
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.intervals import bootstrap_mean
from medloop.raters.fused import CONFIDENCE
from medloop.raters.skill_prior import SkillEstimate
from medloop.raters.windows import Window, mean_over_time

WEEK = 7.0
"""Days in a window of agreement."""


@dataclass(frozen=True)
class AnnotatorLine(EffortLine):
    """What one annotator's annotations took, and how right they are.

    Attributes:
        skill: 0..1: for masks the mean Dice with the consensus, for classes the expected accuracy; None without a case that
            others read, too.
        skill_low, skill_high: 90 % interval; None with too few cases.
        shared: Cases that others read, too.
        expertise: As stated.
        expected: Skill that routing expects, 0..1: by expertise, gold cases and what others read, too.
        expected_low, expected_high: 90 % interval.
        hours_per_week, cases_per_week: The most that routing gives them; None for no limit.
    """

    skill: float | None = None
    skill_low: float | None = None
    skill_high: float | None = None
    shared: int = 0
    expertise: Expertise = "expert"
    expected: float = 0.0
    expected_low: float = 0.0
    expected_high: float = 1.0
    hours_per_week: float | None = None
    cases_per_week: int | None = None


@dataclass(frozen=True)
class AgreementWindow:
    """Mean agreement of the readings of a week: from when on, over how many cases, with a 90 % interval."""

    start: str
    cases: int
    value: float
    low: float | None
    high: float | None


def skilled_annotators(workspace: Workspace) -> tuple[AnnotatorLine, ...]:
    """Everybody who annotates, with minutes, cost and skill, by name."""
    with workspace.store.read() as tx:
        lines, known = annotator_lines(tx), {a.name: a for a in tx.find(Annotator)}
        newest, estimates = newest_consensuses(tx), skill_estimates(tx)
    tags = workspace.task.kind == "classification"
    found = []
    for line in lines:
        who = known[line.annotator]
        read = _line(line, [c for c in newest if who.id in c.skills], who.id, tags=tags)
        found.append(_with_terms(read, who, estimates[who.id]))
    return tuple(found)


def _with_terms(line: AnnotatorLine, who: Annotator, estimate: SkillEstimate) -> AnnotatorLine:
    return replace(
        line,
        expertise=who.expertise,
        expected=estimate.value,
        expected_low=estimate.low,
        expected_high=estimate.high,
        hours_per_week=who.hours_per_week,
        cases_per_week=who.cases_per_week,
    )


def agreement_over_time(workspace: Workspace) -> tuple[AgreementWindow, ...]:
    """Agreement of the readings by the week in which they were fused, the earliest first."""
    with workspace.store.read() as tx:
        made = [c for c in newest_consensuses(tx) if c.skills]
    if not made:
        return ()
    days = [datetime.fromisoformat(c.created_at).timestamp() / 86400.0 for c in made]
    return tuple(_window(w) for w in mean_over_time([c.agreement for c in made], days, width=WEEK))


def _line(line: EffortLine, made: Sequence[Consensus], annotator_id: str, *, tags: bool) -> AnnotatorLine:
    known = [c.skills[annotator_id] for c in made]
    if not known:
        return AnnotatorLine(**asdict(line))
    if tags:  # the fusion of classes already judged all of the annotator's cases together
        last = known[-1]
        return AnnotatorLine(
            **asdict(line), skill=last["value"], skill_low=last["low"], skill_high=last["high"], shared=last["annotations"]
        )
    found = bootstrap_mean([one["value"] for one in known], range(len(known)), np.random.default_rng(0), confidence=CONFIDENCE)
    return AnnotatorLine(**asdict(line), skill=found.mean, skill_low=found.low, skill_high=found.high, shared=len(known))


def _window(window: Window) -> AgreementWindow:
    start = datetime.fromtimestamp(window.start * 86400.0).astimezone().isoformat(timespec="seconds")
    return AgreementWindow(start, window.items, window.value, window.low, window.high)
