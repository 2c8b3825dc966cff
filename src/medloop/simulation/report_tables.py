"""Tables of the reports: areas and final scores, labels needed, foreground, pairwise differences, penalties, ranks."""

from collections.abc import Iterable, Sequence
from html import escape

from medloop.metrics.intervals import Interval, interval_words
from medloop.simulation.comparisons import Comparison
from medloop.simulation.curves import LEVEL
from medloop.simulation.efficiency import LABEL_SHARES, Needed
from medloop.simulation.ranking import PenaltyMatrix, RankSummary
from medloop.simulation.strategy_summary import StrategySummary
from medloop.simulation.summary import Summary


def areas_table(summary: Summary) -> str:
    """Area, area as a share of the full-data score, and final score of every strategy, best first."""
    head = ["strategy", "area (AUBC)", "95 % interval", "% of full data", "final score", "95 % interval", "seeds"]
    note = "Area: mean height of the curve between first and last round, 0 to 1. Intervals are over seeds."
    rows = (
        [escape(s.strategy), *_mean_and_range(s.area), _share(s.area_of_full), *_mean_and_range(s.final), str(s.seeds)]
        for s in _ordered(summary)
    )
    return _note(note) + table(head, rows)


def labels_table(summary: Summary) -> str:
    """Labels to a share of the full-data score."""
    if summary.full is None:
        return _note("There is no full-data model yet, so the labels to reach its score are not known.")
    head = ["strategy", *(f"cases to {share:.0%} of full data" for share in LABEL_SHARES)]
    note = (
        "Where the mean curve first reaches that share of the full-data score, by linear interpolation; below it the 95 % interval "
        "over seeds, and the share of the pool. “Not reached” is a result: these rounds do not get there."
    )
    rows = (
        [escape(s.strategy), *(needed_words(s.labels_to[f"{share:.0%}"], s.points[-1].labelled) for share in LABEL_SHARES)]
        for s in _ordered(summary)
    )
    return _note(note) + table(head, rows)


def foreground_table(summary: Summary) -> str:
    """What annotated foreground buys; nothing for a classification."""
    if all(s.foreground.rate is None and s.foreground.per_doubling is None for s in summary.strategies):
        return ""
    head = ["strategy", "gap closed (rate)", "95 % interval", "score per doubling", "95 % interval"]
    note = (
        "Annotation measured in foreground voxels of the truth instead of cases, since background costs little. Rate: how fast the "
        "gap to the full-data score closes per share of the pool’s foreground (FG-Eff of nnActive; higher is better). Score per doubling: "
        "slope against the logarithm of the annotated foreground, which needs no full-data score. Compare within one set-up only."
    )
    rows = (
        [escape(s.strategy), *_optional(s.foreground.rate, ".2f"), *_optional(s.foreground.per_doubling, "+.4f")] for s in _ordered(summary)
    )
    return "<h3>What annotated foreground buys</h3>" + _note(note) + table(head, rows)


def differences_table(summary: Summary) -> str:
    """Area of the row minus area of the column, for all pairs."""
    if not summary.comparisons:
        return _note("There is nothing to compare.")
    names = [s.strategy for s in summary.strategies]
    note = (
        "Area of the row minus area of the column, paired over seeds and patients, with its 95 % interval and p "
        "(Holm-adjusted over all pairs; the intervals are not). Both ask whether other seeds and other patients, together, would say "
        f"the same. Filled where p < {LEVEL:g}."
    )
    return _note(escape(note)) + _matrix(names, [[_difference(a, b, summary.comparisons) for b in names] for a in names])


def penalty_table(penalties: PenaltyMatrix) -> str:
    """The pairwise penalty matrix, its column means below."""
    names = penalties.strategies
    if len(names) < 2:
        return ""
    note = (
        "How often the row significantly beats the column: share of rounds, summed over settings, out of as many settings as stand after "
        "the stroke (tests over seeds and patients together, p values Holm-adjusted over all pairs and rounds; in small print without the "
        "adjustment). With three seeds such a test finds only large and steady leads. Penalty: mean of the column, lower is better."
    )
    cells = [[_win(penalties, a, b) for b in range(len(names))] for a in range(len(names))]
    last = "".join(f"<td>{p:.2f}</td>" for p in penalties.penalty)
    return _note(note) + _matrix(names, cells, foot=f'<tr><th scope="row">penalty</th>{last}</tr>')


def ranks_table(ranks: Sequence[RankSummary]) -> str:
    """Mean ranks, best first."""
    if not ranks:
        return _note("Fewer than two strategies have been run everywhere.")
    note = (
        "Rank among all strategies (1 is best) by score, averaged over rounds after the shared first one, seeds and settings; "
        "95 % interval over seeds. It says nothing about data sets and patients that are not here. "
        "Best in: share of the runs in which no strategy ranks before it."
    )
    rows = ([escape(r.strategy), f"{r.rank.mean:.2f}", interval_words(r.rank, ".2f"), f"{r.best:.0%}"] for r in ranks)
    return _note(note) + table(["strategy", "mean rank", "95 % interval", "best in"], rows)


def needed_words(needed: Needed, last: int) -> str:
    """Labels needed as a cell: number, interval, share of the pool."""
    high = f"{needed.high:.0f}" if needed.high is not None else "not reached"
    if needed.labels is None or needed.of_pool is None:
        found = f"<small>reached by {needed.reached:.0%} of seeds</small>" if needed.reached else ""
        return f"not reached with {last}{found}"
    if needed.note:
        return f"{needed.labels:.0f}<small>{needed.note}</small><small>{needed.of_pool:.0%} of the pool</small>"
    low = f"{needed.low:.0f}" if needed.low is not None else "not reached"
    return f"{needed.labels:.0f}<small>{low} to {high}</small><small>{needed.of_pool:.0%} of the pool</small>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already."""
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join(f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{v}</td>" for v in row[1:])}</tr>' for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _ordered(summary: Summary) -> list[StrategySummary]:
    return sorted(summary.strategies, key=lambda s: (-s.area.mean, s.strategy))


def _note(text: str) -> str:
    return f'<p class="soft">{text}</p>'


def _mean_and_range(value: Interval) -> tuple[str, str]:
    return f"{value.mean:.4f}", interval_words(value, ".4f")


def _optional(value: Interval | None, form: str) -> tuple[str, str]:
    if value is None:
        return "–", "–"
    return _minus(f"{value.mean:{form}}"), _minus(interval_words(value, form))


def _share(value: Interval | None) -> str:
    return "–" if value is None else f"{100 * value.mean:.1f}"


def _matrix(names: Sequence[str], cells: Sequence[Sequence[str]], *, foot: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(n)}</th>' for n in names)
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th>{"".join(row)}</tr>' for name, row in zip(names, cells, strict=True))
    body = f'<thead><tr><td class="self"></td>{head}</tr></thead><tbody>{rows}{foot}</tbody>'
    return f'<div class="scroll"><table class="matrix">{body}</table></div>'


def _difference(a: str, b: str, comparisons: Sequence[Comparison]) -> str:
    if a == b:
        return '<td class="self"></td>'
    c = next((c for c in comparisons if {c.a, c.b} == {a, b}), None)
    if c is None:
        return "<td>–</td>"
    sign = 1.0 if c.a == a else -1.0
    mean = sign * c.difference.mean
    if c.p_holm is None:
        return f"<td>{_signed(mean)}<small>{escape(c.difference.note)}</small></td>"
    ends = escape(c.difference.note)
    if c.difference.low is not None and c.difference.high is not None:
        ends = " to ".join(_signed(end) for end in sorted((sign * c.difference.low, sign * c.difference.high)))
    filled = f' class="{"better" if mean > 0 else "worse"}"' if c.significant else ""
    p = "p &lt; 0.001" if c.p_holm < 0.001 else f"p = {c.p_holm:.3f}"
    return f"<td{filled}>{_signed(mean)}<small>{ends}</small><small>{p}</small></td>"


def _win(penalties: PenaltyMatrix, a: int, b: int) -> str:
    if a == b:
        return '<td class="self"></td>'
    settings = penalties.settings[a][b]
    if not settings:
        return "<td>–<small>needs three seeds</small></td>"
    filled = ' class="better"' if penalties.wins[a][b] > 0 else ""
    return f"<td{filled}>{penalties.wins[a][b]:.2f} / {settings:.0f}<small>{penalties.uncorrected[a][b]:.2f}</small></td>"


def _signed(value: float) -> str:
    return _minus(f"{value:+.4f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
