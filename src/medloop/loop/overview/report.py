"""One self-contained HTML page about a project: opens offline, prints well, holds no script and no image.

Every text from outside (names, labels) is escaped. The curve is drawn as SVG by `curve_svg`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TypeAlias

from medloop.core.names import counted
from medloop.core.records import LABEL_COLOURS, now
from medloop.loop.foundation.computable import oversized_cases
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.effort import EffortLine
from medloop.loop.foundation.left_out import refused_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.model_history import ModelLine
from medloop.loop.overview.progress import CurvePoint, Progress, progress
from medloop.loop.overview.status import ProjectStatus, status
from medloop.metrics.intervals import MIN_PATIENTS, interval_words
from medloop.query.stopping import Advice

Scale: TypeAlias = Callable[[float], float]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 52, 40, 14, 14

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--line:#d5dae2;--soft:#667084}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ee;--paper:#14181e;--line:#353d49;--soft:#97a1b1}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p.soft,caption{color:var(--soft)}
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}.axis{stroke:var(--line)}
"""


def report_html(workspace: Workspace) -> str:
    """The project's report as one HTML document."""
    state, made = status(workspace), progress(workspace)
    parts = [
        f"<h1>{escape(state.name)}</h1>",
        f'<p class="soft">{escape(state.kind)} of {escape(", ".join(state.labels))}; '
        f"strategy {escape(state.strategy)}; written {now()[:16]}Z</p>",
        _counts(state),
        "<h2>Learning curve</h2>",
        _curve_section(made),
        "<h2>Evaluations</h2>",
        _evaluations(made),
        "<h2>Whether to go on</h2>",
        _advice(made.stopping),
        *_left_out(workspace),
        "<h2>What was asked</h2>",
        _table(("label", "answered cases with it", "of these chosen by a query"), ((c.label, c.answered, c.queried) for c in made.queried)),
        "<h2>Time</h2>",
        _effort(made.effort),
        "<h2>Models</h2>",
        _table(
            ("model", "annotations learned", "steps", "seconds", "made", "in use", "why", "calibration"),
            (
                (m.index, m.learned, m.steps, f"{m.seconds:.0f}", m.created_at[:16] + "Z", _in_use(m), m.note + _repeats(m), m.calibration)
                for m in made.models
            ),
        ),
        "<h2>Rounds</h2>",
        _table(
            ("round", "state", "strategy", "asked", "answered", "note"),
            ((r.index, r.state, r.strategy, r.cases, r.answered, r.message) for r in made.rounds),
        ),
    ]
    title = f"{escape(state.name)}: medloop report"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}{"".join(parts)}</html>\n'


def curve_svg(points: Sequence[CurvePoint]) -> str:
    """Learning curves, one line with its 95 % band per split, against answered cases."""
    by_split: dict[str, list[CurvePoint]] = defaultdict(list)
    for point in points:
        by_split[point.split].append(point)
    most = max(p.labelled_cases for p in points)
    least = max(0.0, min(_ends(p)[0] for p in points) - 0.05)

    def x(cases: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * cases / most

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - least) / (1.0 - least + 1e-9))

    shapes = [_axes(x, y, least, most)]
    for n, (split, line) in enumerate(sorted(by_split.items())):
        colour = LABEL_COLOURS[n % len(LABEL_COLOURS)]
        band = " ".join(f"{x(p.labelled_cases):.1f},{y(_ends(p)[1]):.1f}" for p in line)
        back = " ".join(f"{x(p.labelled_cases):.1f},{y(_ends(p)[0]):.1f}" for p in reversed(line))
        middle = " ".join(f"{x(p.labelled_cases):.1f},{y(p.mean):.1f}" for p in line)
        shapes.append(f'<polygon points="{band} {back}" fill="{colour}" opacity=".15"/>')
        shapes.append(f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x(p.labelled_cases):.1f}" cy="{y(p.mean):.1f}" r="3" fill="{colour}"/>' for p in line]
        shapes.append(f'<text x="{LEFT + 8 + 110 * n}" y="{HEIGHT - 4}"><tspan fill="{colour}">●</tspan> {escape(split)}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="learning curve">{"".join(shapes)}</svg>'


def _ends(point: CurvePoint) -> tuple[float, float]:
    """Ends of the interval; the mean twice where there is none, so that no band is seen."""
    return (point.mean, point.mean) if point.low is None or point.high is None else (point.low, point.high)


def _axes(x: Scale, y: Scale, least: float, most: int) -> str:
    lines = []
    for tick in range(5):
        value = least + (1.0 - least) * tick / 4
        lines.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        cases = round(most * tick / 4)
        lines.append(f'<text x="{x(cases):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{cases}</text>')
    return "".join(lines)


def _curve_section(made: Progress) -> str:
    if not made.curve:
        return '<p class="soft">No model has been evaluated yet.</p>'
    note = f"Bands: 95 % intervals over patients; with fewer than {MIN_PATIENTS} there is none."
    note += " Across: answered cases the model had learned from."
    if any(p.selected for p in made.curve):
        note += " The validation line is optimistic: it also chose the weights."
    return curve_svg(made.curve) + f'<p class="soft">{note}</p>' + _warnings(made)


def _warnings(made: Progress) -> str:
    """Scores that flatter their model, in words."""
    lines = (f"<li>Model {p.model_index}, {escape(p.split)}: {escape(p.warning)}.</li>" for p in made.curve if p.warning)
    listed = "".join(lines)
    return f"<p><strong>Read with care:</strong></p><ul>{listed}</ul>" if listed else ""


def _left_out(workspace: Workspace) -> tuple[str, ...]:
    """Damaged, too large, skipped and flagged cases with their reasons; nothing when there are none."""
    rows = [(case.name, "damaged", case.reason, "", "") for case in damaged_cases(workspace)]
    rows += [(case.name, "too large", f"{case.reason}; {case.remedy}", "", "") for case in oversized_cases(workspace)]
    rows += [(case.name, case.verb, case.reason, case.by, case.at[:16] + "Z") for case in refused_cases(workspace)]
    return ("<h2>Left out</h2>", _table(("case", "what", "why", "by", "when"), rows)) if rows else ()


def _counts(state: ProjectStatus) -> str:
    counts = state.counts
    return f"<p>{counted(counts.total, 'case')}: {counts.answered} answered, {counts.skipped} skipped, {counts.flagged} flagged.</p>"


def _evaluations(made: Progress) -> str:
    rows = (
        (p.model_index, p.split, p.metric, f"{p.mean:.3f}", interval_words(p), p.labelled_cases, f"{p.effort_minutes:.1f}", p.surface)
        for p in made.curve
    )
    return _table(("model", "split", "measure", "mean", "95 % interval", "cases", "minutes", "surfaces"), rows)


def _advice(advice: Advice) -> str:
    verdict = "Stopping is advised." if advice.stop else "Going on is advised."
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in advice.reasons)
    return f"<p><strong>{verdict}</strong></p><ul>{reasons}</ul>"


def _in_use(model: ModelLine) -> str:
    return ("pinned" if model.pinned else "yes") if model.live else "no"


def _repeats(model: ModelLine) -> str:
    return " (learned from the same annotations as an older model: no further evidence)" if model.nothing_new else ""


def _effort(lines: Sequence[EffortLine]) -> str:
    rows = (
        (x.annotator, x.answers, x.timed, "unknown" if x.median_seconds is None else f"{x.median_seconds:.0f}", f"{x.minutes:.1f}")
        for x in lines
    )
    return _table(("annotator", "answers", "with a time", "median seconds", "minutes"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join("<tr>" + "".join(_cell(v) for v in row) + "</tr>" for row in rows)
    if not body:
        return '<p class="soft">None yet.</p>'
    return "<table><tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + f"</tr>{body}</table>"


def _cell(value: object) -> str:
    numeric = isinstance(value, (int, float))
    return f'<td class="n">{value}</td>' if numeric else f"<td>{escape(str(value))}</td>"
