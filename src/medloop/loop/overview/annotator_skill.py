"""How right each annotator is over a whole project, as far as the readings of others show, and how agreement went over time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import numpy as np

from medloop.core.records import Annotator, Assignment, Consensus, Expertise, Review
from medloop.loop.foundation.effort import EffortLine, annotator_lines
from medloop.loop.foundation.readings import case_readings, newest_consensuses
from medloop.loop.foundation.skills import skill_estimates
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.intervals import mean_over_cases
from medloop.raters.edges import skill_by_image
from medloop.raters.fused import CONFIDENCE
from medloop.raters.skill_prior import SkillEstimate
from medloop.raters.windows import Window, mean_over_time
from medloop.store.reader import Reader

WEEK = 7.0
"""Days in a window of agreement."""


@dataclass(frozen=True)
class AnnotatorLine(EffortLine):
    """What one annotator's annotations took, how right they are, and what they have to do.

    Attributes:
        skill: 0..1: for masks the mean Dice with the consensus, for classes the expected accuracy; None without a case that
            others read, too.
        skill_low, skill_high: 90 % interval; None with too few cases.
        shared: Cases that others read, too.
        open: Cases that they have open.
        returned: Cases that were returned to them, and that they have not annotated since.
        edges: For masks: how strong the image's edges along the outlines are, the mean over these cases, 1 as for the median reader.
        skill_by_image: For masks: the skill by both, 0..1 (`medloop.raters.skill_by_image`), with its 90 % interval.
        expertise: As stated.
        expected: Skill that routing expects, 0..1: by expertise, gold cases and what others read, too.
        expected_low, expected_high: 90 % interval.
        hours_per_week, cases_per_week: The most that routing gives them; None for no limit.
    """

    skill: float | None = None
    skill_low: float | None = None
    skill_high: float | None = None
    shared: int = 0
    open: int = 0
    returned: int = 0
    edges: float | None = None
    skill_by_image: float | None = None
    skill_by_image_low: float | None = None
    skill_by_image_high: float | None = None
    expertise: Expertise = "expert"
    expected: float = 0.0
    expected_low: float = 0.0
    expected_high: float = 1.0
    hours_per_week: float | None = None
    cases_per_week: int | None = None


@dataclass(frozen=True)
class AgreementWindow:
    """Mean agreement of the readings of a week: from when on, over how many cases, with a 90 % interval; and by label value."""

    start: str
    cases: int
    value: float
    low: float | None
    high: float | None
    by_label: dict[str, float] = field(default_factory=dict)


def skilled_annotators(workspace: Workspace) -> tuple[AnnotatorLine, ...]:
    """Everybody who annotates, with minutes, cost, skill and what they have to do, by name."""
    with workspace.store.read() as tx:
        lines, known = annotator_lines(tx), {a.name: a for a in tx.find(Annotator)}
        newest, estimates = newest_consensuses(tx), skill_estimates(tx)
        opened = Counter(a.annotator_id for a in tx.find(Assignment, where={"state": "open"}))
        returned = _returned(tx)
    tags = workspace.task.kind == "classification"
    found = []
    for line in lines:
        who = known[line.annotator]
        read = _line(line, [c for c in newest if who.id in c.skills], who.id, tags=tags)
        due = replace(read, open=opened[who.id], returned=returned[who.id])
        found.append(_with_terms(due, who, estimates[who.id]))
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
    when = list(zip(made, days, strict=True))
    return tuple(
        _window(w, [c for c, day in when if w.start <= day < w.stop]) for w in mean_over_time([c.agreement for c in made], days, width=WEEK)
    )


def _returned(tx: Reader) -> Counter[str]:
    """How many cases each annotator has to annotate again."""
    cases = {review.case_id for review in tx.find(Review, where={"verdict": "return"})}
    standing = (reading.returned for reading in case_readings(tx, cases).values())
    return Counter(review.returned_to or "" for review in standing if review is not None)


def _line(line: EffortLine, made: Sequence[Consensus], annotator_id: str, *, tags: bool) -> AnnotatorLine:
    known = [c.skills[annotator_id] for c in made]
    if not known:
        return AnnotatorLine(**asdict(line))
    if tags:  # the fusion of classes already judged all of the annotator's cases together
        last = known[-1]
        return AnnotatorLine(
            **asdict(line), skill=last["value"], skill_low=last["low"], skill_high=last["high"], shared=last["annotations"]
        )
    found = mean_over_cases([one["value"] for one in known], confidence=CONFIDENCE)
    edges = [one.get("edges", np.nan) for one in known]
    both = skill_by_image([one["value"] for one in known], edges)
    return AnnotatorLine(
        **asdict(line),
        skill=found.mean,
        skill_low=found.low,
        skill_high=found.high,
        shared=len(known),
        edges=float(np.nanmean(edges)) if np.isfinite(edges).any() else None,
        skill_by_image=both.value,
        skill_by_image_low=both.low,
        skill_by_image_high=both.high,
    )


def _window(window: Window, made: Iterable[Consensus]) -> AgreementWindow:
    found: dict[str, list[float]] = {}
    for consensus in made:
        for label, agreement in consensus.agreement_by_label.items():
            found.setdefault(label, []).append(agreement)
    by_label = {label: float(np.mean(values)) for label, values in sorted(found.items(), key=lambda one: int(one[0]))}
    start = datetime.fromtimestamp(window.start * 86400.0).astimezone().isoformat(timespec="seconds")
    return AgreementWindow(start, window.items, window.value, window.low, window.high, by_label)
