"""What the work took: minutes, money, agreement and skill, per person, per round, per case, or annotation by annotation.

Every stretch of work is on exactly one line of each grouping, so that each adds up to the same total. What was handed out outside
rounds (chosen from the worklist, adjudicated) has lines of its own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

import numpy as np

from medloop.core.names import counted
from medloop.core.records import Annotation, Assignment, Consensus, Effort, Round, time_text
from medloop.datasets.staging import csv_text
from medloop.loop.foundation.anchoring import FirstSight, first_sights
from medloop.loop.foundation.effort_totals import Counted, counted_work
from medloop.loop.foundation.readings import newest_consensuses
from medloop.loop.foundation.spent import OWN_ORIGINS, Spent, people_by_id, spent
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.annotator_skill import AnnotatorLine
from medloop.metrics.intervals import mean_over_cases
from medloop.raters.fused import CONFIDENCE
from medloop.store.pool_rows import AnnotatedRow
from medloop.store.reader import Reader

By: TypeAlias = Literal["person", "round", "case", "annotation", "proposal"]
GROUPINGS: tuple[By, ...] = get_args(By)
OUTSIDE = "outside rounds"

SIGHTS: Mapping[FirstSight | None, str] = {"shown": "shown", "hidden": "hidden", "none": "none", None: "not recorded"}
"""What was on the screen of a proposal when the first stroke came, in words."""

_Key: TypeAlias = tuple[str, str, str, str, str]
"""Ids of round, annotator, case, and assignment (or of the annotation that was made without one), and what was seen of the proposal; ""
where a grouping does not look."""

_LOOKS: Mapping[By, tuple[bool, bool, bool, bool, bool]] = {
    "person": (False, True, False, False, False),
    "round": (True, True, False, False, False),
    "case": (False, False, True, False, False),
    "annotation": (True, True, True, True, True),
    "proposal": (False, False, False, False, True),
}


@dataclass(frozen=True, kw_only=True)
class WorkLine:
    """What some work took; None is unknown, never 0.

    Attributes:
        round: Number of the round, or "outside rounds"; "" for all.
        annotator, case: Names; "" for all.
        proposal: What was on the screen of a proposal when the first stroke came; "" for all.
        annotations, timed: All but those undone, and so many of them with a recorded time.
        cases: How many cases were worked on.
        minutes: Active minutes, also of what was undone, skipped, flagged or never submitted.
        idle_minutes: Minutes for which a case was open and nobody worked on it.
        strokes, prompts, slices_viewed, undos: Sums over the sessions that counted them.
        cost: The minutes, each at the rate of its time.
        agreement: Mean agreement of the readings of the cases that others read, too.
        skill: 0..1: for masks the mean Dice with the consensus, for classes the mean probability that the class is right, over
            these cases; None for lines of several people.
        skill_low, skill_high: 90 % interval; None with too few cases.
        shared: Cases that others read, too.
        opened_at, first_stroke_at, submitted_at: Of a single annotation: when it was opened, first changed and closed.
        note: Why fewer seconds count than were reported.
    """

    round: str = ""
    annotator: str = ""
    case: str = ""
    proposal: str = ""
    annotations: int
    cases: int
    timed: int
    minutes: float | None
    idle_minutes: float | None
    strokes: int | None
    prompts: int | None
    slices_viewed: int | None
    undos: int | None
    cost: float
    agreement: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    shared: int
    opened_at: str | None = None
    first_stroke_at: str | None = None
    submitted_at: str | None = None
    note: str = ""


@dataclass
class _Group:
    made: list[AnnotatedRow] = field(default_factory=list)
    worked: list[Spent] = field(default_factory=list)
    judged: list[tuple[float, float]] = field(default_factory=list)


def work_lines(workspace: Workspace, by: By = "person") -> tuple[WorkLine, ...]:
    """What all work took, grouped; rounds by number, then names, what lies outside rounds last."""
    with workspace.store.read() as tx:
        annotated = tx.annotated_rows(OWN_ORIGINS)
        groups = _grouped(annotated, spent(tx, annotated), _judged(tx, annotated, workspace.task.label_values), by, first_sights(tx))
        named = _naming(tx, OUTSIDE if _LOOKS[by][0] else "")
        details = _details(tx) if by == "annotation" else {}
    lines = [_line(key, group, named(key), details.get(key[3])) for key, group in groups.items()]
    return tuple(
        sorted(lines, key=lambda line: (line.round == OUTSIDE, len(line.round), line.round, line.annotator, line.case, line.proposal))
    )


@dataclass(frozen=True)
class CaseWork:
    """What a case took on average: of those with a recorded time, whoever annotated them; None is unknown.

    What is still in hand for the first time is none of them: its time is not over.
    """

    cases: int
    minutes: float
    strokes: float | None
    prompts: float | None
    slices: float | None


def work_per_case(workspace: Workspace) -> dict[str, CaseWork]:
    """What a case took on average, by number of the round, and of all under ""; rounds without a recorded time are not in it."""
    with workspace.store.read() as tx:
        opened = {one.case_id for one in tx.find(Assignment, where={"state": "open"})}
        unfinished = opened - tx.annotated_among(opened)
        worked = [one for one in counted_work(tx) if one.seconds and one.case_id not in unfinished]
        rounds = {one.id: str(one.index) for one in tx.find(Round)}
    groups: dict[str, list[Counted]] = {"": worked}
    for one in worked:
        groups.setdefault(rounds.get(one.round_id or "", OUTSIDE), []).append(one)
    return {name: _per_case(each) for name, each in groups.items() if each}


def _per_case(worked: Sequence[Counted]) -> CaseWork:
    cases = len({one.case_id for one in worked})
    counts = [_count(getattr(one, name) for one in worked) for name in ("strokes", "prompts", "slices_viewed")]
    return CaseWork(cases, math.fsum(one.seconds for one in worked) / 60 / cases, *(None if n is None else n / cases for n in counts))


def work_csv(lines: Iterable[WorkLine]) -> str:
    """Lines as CSV with the names of the fields on top; what is unknown is empty."""
    header = [one.name for one in fields(WorkLine)]
    return csv_text(header, [[_cell(value) for value in asdict(line).values()] for line in lines])


def work_rows(lines: Sequence[WorkLine]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Lines as a table with its head, and their sum below; "-" is unknown."""
    named = [name for name in ("proposal", "round", "annotator", "case") if any(getattr(line, name) for line in lines)]
    head = ("cases", "annotations", "minutes", "idle", "strokes", "prompts", "slices", "undos", "cost", "agreement", "skill")
    rows = [(*(getattr(line, name) for name in named), *_figures(line)) for line in lines]
    sums = (len(named) or 1) - 1
    total = ("total", *[""] * sums, "", str(sum(line.annotations for line in lines)), f"{total_minutes(lines):.1f}", *[""] * 5)
    return (*named, *head), [*rows, (*total, f"{math.fsum(line.cost for line in lines):.4g}", "", "")] if rows else []


def skill_words(line: AnnotatorLine | WorkLine) -> str:
    """A skill with its interval and on how many cases it rests; "-" where it is unknown."""
    if line.skill is None:
        return "-"
    interval = "" if line.skill_low is None or line.skill_high is None else f" ({line.skill_low:.2f} to {line.skill_high:.2f})"
    both = (line.edges, line.skill_by_image) if isinstance(line, AnnotatorLine) else (None, None)
    edges = "" if both[0] is None or both[1] is None else f", edges {both[0]:.2f}, by both {both[1]:.2f}"
    return f"{line.skill:.2f}{interval} in {counted(line.shared, 'case')}{edges}"


def _figures(line: WorkLine) -> tuple[str, ...]:
    minutes = ("-" if value is None else f"{value:.1f}" for value in (line.minutes, line.idle_minutes))
    counts = ("-" if value is None else str(value) for value in (line.strokes, line.prompts, line.slices_viewed, line.undos))
    agreement = "-" if line.agreement is None else f"{line.agreement:.2f}"
    return (str(line.cases), str(line.annotations), *minutes, *counts, f"{line.cost:.4g}", agreement, skill_words(line))


def total_minutes(lines: Iterable[WorkLine]) -> float:
    """Active minutes of lines together."""
    return math.fsum(line.minutes or 0.0 for line in lines)


def _grouped(
    annotated: Sequence[AnnotatedRow],
    worked: Sequence[Spent],
    judged: Sequence[tuple[AnnotatedRow, float, float]],
    by: By,
    sights: Mapping[str, FirstSight],
) -> dict[_Key, _Group]:
    groups: dict[_Key, _Group] = {}

    def group(round_id: str | None, annotator_id: str, case_id: str, made_with: str) -> _Group:
        parts = (round_id, annotator_id, case_id, made_with, SIGHTS[sights.get(made_with)])
        a, b, c, d, e = ((part or "") if looks else "" for part, looks in zip(parts, _LOOKS[by], strict=True))
        return groups.setdefault((a, b, c, d, e), _Group())

    def of(row: AnnotatedRow) -> _Group:
        return group(row.round_id, row.annotator_id, row.case_id, row.assignment_id or row.id)

    for row in annotated:
        if not row.undone:
            of(row).made.append(row)
    for work in worked:
        e = work.effort
        group(work.round_id, e.annotator_id, e.case_id, e.assignment_id or e.session).worked.append(work)
    for row, agreement, skill in judged:
        of(row).judged.append((agreement, skill))
    return groups


def _judged(tx: Reader, annotated: Sequence[AnnotatedRow], classes: Sequence[int]) -> list[tuple[AnnotatedRow, float, float]]:
    """(annotation, agreement of its case's readings, how right it is) of every reading in a consensus."""
    by_id = {row.id: row for row in annotated}
    newest = [c for c in newest_consensuses(tx) if c.skills]
    ids = [i for c in newest if c.probabilities for i in c.inputs]
    tags = {a.id: a.tag for a in tx.find(Annotation, where={"id": ids})} if ids else {}
    pairs = [(by_id[i], c) for c in newest for i in c.inputs if i in by_id and by_id[i].annotator_id in c.skills]
    return [(row, c.agreement, _rightness(c, row, tags.get(row.id), classes)) for row, c in pairs]


def _rightness(consensus: Consensus, row: AnnotatedRow, tag: int | None, classes: Sequence[int]) -> float:
    if tag is not None and tag in classes and consensus.probabilities:
        return float(consensus.probabilities[list(classes).index(tag)])
    return float(consensus.skills[row.annotator_id]["value"])


def _naming(tx: Reader, outside: str) -> Callable[[_Key], tuple[str, str, str]]:
    rounds, people = {r.id: str(r.index) for r in tx.find(Round)}, people_by_id(tx)
    ids, names, _ = tx.case_columns()
    cases = dict(zip(ids, names, strict=True))
    return lambda key: (rounds.get(key[0], outside), people[key[1]].name if key[1] else "", cases.get(key[2], ""))


def _details(tx: Reader) -> dict[str, dict[str, str | None]]:
    """When each assignment was opened, first changed as far as its drafts show, and closed."""
    first = tx.first_patches()
    return {a.id: {"opened_at": a.opened_at, "first_stroke_at": first.get(a.id), "submitted_at": a.closed_at} for a in tx.find(Assignment)}


def _line(key: _Key, group: _Group, names: tuple[str, str, str], details: Mapping[str, str | None] | None) -> WorkLine:
    efforts = [work.effort for work in group.worked]
    agreement, skill = (list(values) for values in zip(*group.judged, strict=True)) if group.judged else ([], [])
    several = skill and key[1] and not key[3]
    found = mean_over_cases(skill, confidence=CONFIDENCE) if several else None
    when = dict(details or {})
    when["first_stroke_at"] = min(filter(None, map(_first_stroke, efforts)), default=when.get("first_stroke_at"))
    seconds, idle = _sum(work.seconds for work in group.worked), _sum(e.idle_seconds for e in efforts)
    return WorkLine(
        round=names[0],
        annotator=names[1],
        case=names[2],
        proposal=key[4],
        annotations=len(group.made),
        cases=len({row.case_id for row in group.made} | {e.case_id for e in efforts}),
        timed=sum(row.seconds > 0 for row in group.made),
        minutes=None if seconds is None else seconds / 60,
        idle_minutes=None if idle is None else idle / 60,
        strokes=_count(e.strokes for e in efforts),
        prompts=_count(e.prompts for e in efforts),
        slices_viewed=_count(e.slices_viewed for e in efforts),
        undos=_count(e.undos for e in efforts),
        cost=math.fsum(work.cost for work in group.worked),
        agreement=float(np.mean(agreement)) if agreement else None,
        skill=float(np.mean(skill)) if skill and key[1] else None,
        skill_low=found.low if found else None,
        skill_high=found.high if found else None,
        shared=len(skill),
        note="; ".join(dict.fromkeys(e.note for e in efforts if e.note)) if key[3] else "",
        **when,
    )


def _first_stroke(effort: Effort) -> str | None:
    if effort.first_stroke_seconds is None or effort.began_at is None:
        return None
    return time_text(datetime.fromisoformat(effort.began_at) + timedelta(seconds=effort.first_stroke_seconds))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _count(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
