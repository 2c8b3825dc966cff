"""One self-contained HTML page about a project: what to do next on top, then how good the model is, then how the work goes."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from markupsafe import Markup

from medloop.core.names import counted
from medloop.loop.foundation.computable import oversized_cases
from medloop.loop.foundation.damage import LeftOut, damaged_cases
from medloop.loop.foundation.effort import EffortLine, priced
from medloop.loop.foundation.follow_up import damaged_ids
from medloop.loop.foundation.leaning import leaning_words
from medloop.loop.foundation.refusals import refused_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Judged, judged_cases, succession
from medloop.loop.overview.learned_skills import learned_skills, skill_rows
from medloop.loop.overview.model_history import ModelLine
from medloop.loop.overview.next_steps import next_steps, verdict
from medloop.loop.overview.progress import Progress, progress
from medloop.loop.overview.report_classes import class_sections
from medloop.loop.overview.report_masks import dice_section, volume_section
from medloop.loop.overview.report_pictures import case_figures, outline_key, three_of
from medloop.loop.overview.spending import work_lines, work_rows
from medloop.loop.overview.status import ProjectStatus, status
from medloop.metrics.intervals import MIN_PATIENTS, interval_words
from medloop.report.charts import Line, Point, against, bars, curves
from medloop.report.markup import element, joined, listed, note
from medloop.report.page import advice, page, section, steps
from medloop.report.tables import table


def report_html(workspace: Workspace, *, hidden: Collection[str] = ()) -> str:
    """The project's report as one HTML document; without the cases whose annotations are `hidden` from whoever reads it."""
    state, made, left_out = status(workspace), progress(workspace), LeftOut(workspace)
    damaged = damaged_ids(workspace)
    judged = _without(judged_cases(workspace, damaged=damaged), hidden)
    shown = _judged_sections(workspace, judged, left_out)
    if left_out.cases:  # found just now: nothing may rest on them
        judged = _without(judged_cases(workspace, damaged={*damaged, *(case.case_id for case in left_out.cases)}), hidden)
        shown = _judged_sections(workspace, judged, left_out)
    parts = [
        advice(verdict(made.stopping), steps(next_steps(workspace, made, judged)), listed(made.stopping.reasons)),
        _counts(state),
        *shown,
        note("Cases that you are to read blind are not shown one by one." if hidden else ""),
        _succession(workspace),
        section("Learning curve", curve_figure(made), _evaluations(made)),
        section("Time", _time(made.effort), _time_by_round(workspace), _time_by_proposal(workspace)),
        _skills(workspace),
        section("What was annotated", _annotated(made)),
        section("Models", model_table(made.models)),
        section("Rounds", _rounds(made)),
        _left_out(workspace, judged, left_out),
    ]
    intro = f"{state.kind} of {', '.join(state.labels)}; strategy {state.strategy}"
    return page(state.name, intro[0].upper() + intro[1:], parts)


def _without(judged: Judged | None, hidden: Collection[str]) -> Judged | None:
    cases = tuple(one for one in judged.cases if one.case.id not in hidden) if judged else ()
    return replace(judged, cases=cases) if judged and cases else None


def _counts(state: ProjectStatus) -> Markup:
    c = state.counts
    return element("p", f"{counted(c.total, 'case')}: {c.annotated} annotated, {c.skipped} skipped, {c.flagged} flagged.")


def _judged_sections(workspace: Workspace, judged: Judged | None, left_out: LeftOut) -> list[Markup]:
    """How good the model is, case by case; nothing before there is an evaluation."""
    if judged is None:
        return []
    basis = _basis(judged)
    if workspace.task.kind == "classification":
        return [
            section(title, basis if n == 0 else None, body) for n, (title, body) in enumerate(class_sections(workspace, judged, left_out))
        ]
    figures = case_figures(workspace, three_of(judged), left_out)
    return [
        section("Evaluation cases", basis, figures, outline_key(workspace.task.labels), note(_PICTURES)),
        section("Dice per label", dice_section(workspace, judged)),
        section("Predicted and annotated size", volume_section(workspace, judged, left_out)),
    ]


_PICTURES = "A volume is shown by the slice in which annotation and prediction differ most; every picture is cut to its structures."


def _basis(judged: Judged) -> Markup:
    """On what the figures below rest."""
    leaning = leaning_words(sum(one.leans for one in judged.cases), len(judged.cases))
    gone = counted(len(judged.left_out), "case")
    return joined(
        (
            element("p", f"Model {judged.model.index} on {counted(judged.patients, 'patient')}: {judged.words}."),
            element("p", element("strong", "Read with care: "), f"{leaning}.") if leaning else None,
            note(f"{gone} of the evaluation cannot be shown any more; see Left out." if judged.left_out else ""),
        )
    )


def _succession(workspace: Workspace) -> Markup | None:
    """The last two models on the same evaluation cases, pair by pair."""
    found = succession(workspace)
    if found is None:
        return None
    patients = {patient for _, patient, _, _ in found.scores}
    change = found.difference
    better, worse = found.changed
    names = (f"model {found.older}", f"model {found.newer}")
    chart = against([(name, a, b) for name, _, a, b in found.scores], x_title=names[0], y_title=names[1])
    interval = f"{interval_words(change, '+.3f')}{', 95 % interval' if change.low is not None else ''}"
    words = (
        f"Mean change {change.mean:+.3f} over {counted(len(patients), 'patient')} ({interval}). Of {counted(len(found.scores), 'case')}, "
        f"{better} got better and {worse} worse by more than 0.005. A dot per case: above the line model {found.newer} is better."
    )
    return section("Before and after", element("div", element("figure", chart, element("figcaption", words)), class_="figures wide"))


def curve_figure(made: Progress) -> Markup:
    """The learning curve with its intervals, or why there is none yet."""
    if not made.curve:
        return note("No model has been evaluated yet.")
    by_split: dict[str, list[Point]] = defaultdict(list)
    for p in made.curve:
        by_split[p.split].append(Point(p.labelled_cases, p.mean, p.low, p.high))
    words = f"Bands: 95 % intervals over patients; with fewer than {MIN_PATIENTS} there is none."
    if any(p.selected for p in made.curve):
        words += " The validation line is optimistic: it also chose the weights."
    lines = [Line(split, points) for split, points in sorted(by_split.items())]
    if max(len(line.points) for line in lines) == 1:
        return joined((note("One model has been evaluated; a curve needs two."), _care(made)))
    chart = curves(lines, x_title="annotated cases learned from", y_title=made.curve[0].metric)
    return joined((element("figure", chart, element("figcaption", words)), _care(made)))


def _care(made: Progress) -> Markup | None:
    """Scores that flatter their model, in words."""
    warnings = listed(f"Model {p.model_index}, {p.split}: {p.warning}." for p in made.curve if p.warning)
    return joined((element("p", element("strong", "Read with care:")), warnings)) if warnings else None


def _evaluations(made: Progress) -> Markup:
    rows = (
        (p.model_index, p.split, p.metric, f"{p.mean:.3f}", interval_words(p), p.labelled_cases, f"{p.effort_minutes:.1f}", p.surface)
        for p in made.curve
    )
    return table(("model", "split", "measure", "mean", "95 % interval", "cases", "minutes", "surfaces"), rows, text=(0, 1, 2, 7))


def _seconds(median: float | None) -> str:
    return "unknown" if median is None else f"{median:.0f}"


def _time(lines: Sequence[EffortLine]) -> Markup:
    timed = [(x.annotator, x.minutes) for x in lines if x.timed]
    money = ("cost",) if priced(lines) else ()
    rows = (
        (
            *(x.annotator, x.annotations, x.timed, _seconds(x.median_seconds), f"{x.minutes:.1f}"),
            *(f"{x.cost:.4g}" for _ in money),
        )
        for x in lines
    )
    chart = bars(timed, title="minutes") if len(timed) > 1 else None
    return joined((chart, table(("annotator", "annotations", "with a time", "median seconds", "minutes", *money), rows)))


def _time_by_round(workspace: Workspace) -> Markup | None:
    """Work by round and person; nothing before anybody worked."""
    lines = work_lines(workspace, "round")
    head, rows = work_rows(lines)
    words = (
        "Minutes are active ones; work that was undone, skipped or never submitted counts. Cost is at the rate of its time. - is unknown."
    )
    return joined((table(head, rows, text=(0, 1)), note(words))) if lines else None


def _time_by_proposal(workspace: Workspace) -> Markup | None:
    """Work with and without the proposal on the screen at the first stroke; nothing before both occurred."""
    lines = [line for line in work_lines(workspace, "proposal") if line.proposal in ("shown", "hidden")]
    if len(lines) < 2:
        return None
    head, rows = work_rows(lines)
    words = "By what was on the screen of the proposal when the first stroke came. Skill is the agreement with the consensus: who saw the "
    words += "proposal first may lean on it."
    return joined((table(head, rows, text=(0,)), note(words)))


def _skills(workspace: Workspace) -> Markup | None:
    """What an annotator model learned; nothing without one."""
    if not (found := learned_skills(workspace)):
        return None
    words = f"Learned with model {found[0].model_index} ({found[0].method}): the probability that a label is annotated as what it is, "
    words += "and how many annotations hold it."
    return section("Skill of annotators", table(*skill_rows(found)), note(words))


def _annotated(made: Progress) -> Markup:
    head = ("label", "annotated cases with it", "of these chosen by a query", "annotated in")
    return table(head, ((c.label, c.annotated, c.queried, f"{c.known} of {c.cases} cases") for c in made.queried))


def model_table(models: Sequence[ModelLine]) -> Markup:
    """Every model, whether it is in use and why."""
    head = ("model", "annotations learned", "steps", "seconds", "made", "in use", "why", "calibration")
    rows = (
        (m.index, m.learned, m.steps, f"{m.seconds:.0f}", m.created_at[:16] + "Z", _in_use(m), m.note + _repeats(m), m.calibration)
        for m in models
    )
    return table(head, rows, text=(0, 4, 5, 6, 7))


def _in_use(model: ModelLine) -> str:
    return ("pinned" if model.pinned else "yes") if model.live else "no"


def _repeats(model: ModelLine) -> str:
    return " (learned from the same annotations as an older model: no further evidence)" if model.nothing_new else ""


def _rounds(made: Progress) -> Markup:
    rows = ((r.index, r.state, r.strategy, r.cases, r.annotated, r.message) for r in made.rounds)
    return table(("round", "state", "strategy", "queried", "annotated", "note"), rows, text=(0, 1, 2, 5))


def _left_out(workspace: Workspace, judged: Judged | None, found: LeftOut) -> Markup | None:
    """Damaged, too large, skipped, flagged and withdrawn cases with their reasons; nothing when there are none."""
    damaged = {case.case_id: case for case in (*found.cases, *damaged_cases(workspace))}
    rows = [(case.name, "damaged", case.reason, "", "") for case in damaged.values()]
    rows += [(case.name, "too large", f"{case.reason}; {case.remedy}", "", "") for case in oversized_cases(workspace)]
    rows += [(case.name, case.verb, case.reason, case.by, case.at[:16] + "Z") for case in refused_cases(workspace)]
    rows += [(name, "not shown", why, "", "") for name, why in (judged.left_out if judged else ())]
    return section("Left out", table(("case", "what", "why", "by", "when"), rows, text=range(5))) if rows else None
