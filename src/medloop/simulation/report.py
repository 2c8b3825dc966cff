"""The report of a study: one HTML file that opens offline, in light and dark, without scripts.

Order of reading: what may be said, the curves, areas and labels needed, the pairwise tests, the set-up.
"""

from collections.abc import Iterable, Sequence
from html import escape

from medloop.core.records import now
from medloop.simulation.curves import LABEL_SHARES, LEVEL, Comparison, StrategySummary, Summary
from medloop.simulation.results import StudyResult
from medloop.simulation.style import style_sheet
from medloop.simulation.svg import curves_svg


def study_html(result: StudyResult) -> str:
    """The report as one HTML document."""
    name = result.design.dataset.rstrip("/").rsplit("/", 1)[-1]
    title = f"Strategies compared on {escape(name)}"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{style_sheet()}</style>"
    )
    intro = f'<p class="soft">Simulated annotation by medloop, written {now()[:16]}Z.</p>'
    body = [f"<h1>{title}</h1>", intro, *_findings(result), "<h2>Set-up</h2>", _setup(result)]
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _findings(result: StudyResult) -> list[str]:
    summary = result.summary
    parts = []
    if result.missing:
        left = "1 round is" if len(result.missing) == 1 else f"{len(result.missing)} rounds are"
        parts.append(
            f'<div class="verdict open"><p><strong>Unfinished:</strong> {left} missing; only complete runs are shown. '
            "Run the same command again to finish.</p></div>"
        )
    if summary is None:
        return [*parts, "<p>No run is complete yet.</p>"]
    return [
        *parts,
        f'<div class="verdict"><p>{escape(summary.verdict)}</p></div>',
        "<h2>Learning curves</h2>",
        f"<figure>{curves_svg(summary.strategies, summary.full, metric=result.setup.metric)}",
        f"<figcaption>{_caption(result)}</figcaption></figure>",
        "<h2>Area under the curve, and answers needed</h2>",
        _areas(summary),
        "<h2>Differences between strategies</h2>",
        _matrix(summary),
    ]


def _caption(result: StudyResult) -> str:
    seeds = len(result.design.seeds)
    caption = f"Lines: mean over seeds. Bands: 95 % bootstrap interval over {seeds} {'seed' if seeds == 1 else 'seeds'}"
    caption += ", which is rough with so few." if seeds < 5 else "."
    return caption + " All strategies of a seed share their first round. Dashed: a model that learned from every case of the pool."


def _areas(summary: Summary) -> str:
    head = ["strategy", "area", "95 % interval over seeds", *(f"cases to {share:.0%} of full" for share in LABEL_SHARES), "final score"]
    ordered = sorted(summary.strategies, key=lambda s: (-s.area.mean, s.strategy))
    note = (
        '<p class="soft">Area: mean height of the curve between first and last round, 0 to 1. '
        "Cases needed are interpolated on the mean curve; “&gt;” means not reached.</p>"
    )
    return note + _table(head, (_area_row(s) for s in ordered))


def _area_row(s: StrategySummary) -> list[str]:
    last = s.points[-1]
    return [
        escape(s.strategy),
        f"{s.area.mean:.4f}",
        f"{s.area.low:.4f} to {s.area.high:.4f}",
        *(_needed(s, f"{share:.0%}") for share in LABEL_SHARES),
        f"{last.mean:.4f}",
    ]


def _needed(s: StrategySummary, share: str) -> str:
    value = s.labels_to.get(share)
    return f"{value:.0f}" if value is not None else f"&gt; {s.points[-1].labelled}"


def _matrix(summary: Summary) -> str:
    if not summary.comparisons:
        return '<p class="soft">There is nothing to compare.</p>'
    names = [s.strategy for s in summary.strategies]
    head = "".join(f'<th scope="col">{escape(n)}</th>' for n in names)
    rows = "".join(f'<tr><th scope="row">{escape(a)}</th>{"".join(_cell(a, b, summary.comparisons) for b in names)}</tr>' for a in names)
    note = (
        '<p class="soft">Area of the row minus area of the column, paired over seeds and patients, with its 95 % interval '
        "(seeds and patients drawn anew together) and p (sign flips over patients, Holm-adjusted over all pairs). "
        "P values ask whether other patients would say the same of these runs; intervals ask about other runs too. "
        f"Filled where p &lt; {LEVEL:g} and the interval leaves out zero.</p>"
    )
    table = f'<table class="matrix"><thead><tr><td class="self"></td>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'{note}<div class="scroll">{table}</div>'


def _cell(a: str, b: str, comparisons: Sequence[Comparison]) -> str:
    if a == b:
        return '<td class="self"></td>'
    for c in comparisons:
        if {c.a, c.b} == {a, b}:
            sign = 1.0 if c.a == a else -1.0
            low, high = sorted((sign * c.difference.low, sign * c.difference.high))
            mean = sign * c.difference.mean
            filled = f' class="{"better" if mean > 0 else "worse"}"' if c.significant else ""
            p = "p &lt; 0.001" if c.p_holm < 0.001 else f"p = {c.p_holm:.3f}"
            return f"<td{filled}>{_signed(mean)}<small>{_signed(low)} to {_signed(high)}</small><small>{p}</small></td>"
    return "<td>–</td>"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


def _setup(result: StudyResult) -> str:
    design, setup = result.design, result.setup
    budget = f"{design.steps} steps" if design.steps else f"{design.minutes:g} minutes"
    full = f"{design.full_steps or design.steps} steps" if design.steps or design.full_steps else budget
    annotator = "perfect answers"
    if design.outline_error_mm or design.tag_error:
        annotator = f"outlines off by {design.outline_error_mm:g} mm, {design.tag_error:.0%} wrong tags"
    rows = [
        ("Data", design.dataset),
        ("Question", f"{setup.kind} of {', '.join(setup.labels)}"),
        ("Cases", f"{setup.pool} in the pool, {len(setup.patients)} held out ({setup.split} split, fixed for all runs)"),
        ("Left out", f"{len(setup.refused)} files" if setup.refused else "nothing"),
        ("Rounds", f"{design.start} cases first, drawn at random, then {design.rounds - 1} × {design.batch}"),
        ("Seeds", ", ".join(map(str, design.seeds))),
        ("Model", f"trained anew each round, {budget}; full-data model {full}; {design.samples} samples, {design.members} network(s)"),
        ("Annotator", annotator),
        ("Time", f"{result.seconds / 60:.0f} minutes of one process in all"),
    ]
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in rows)}</dl>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already."""
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join(f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{v}</td>" for v in row[1:])}</tr>' for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
