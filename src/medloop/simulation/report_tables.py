"""Tables of the reports: areas and final scores, labels needed, foreground, pairwise differences, penalties, ranks."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from medloop.metrics.intervals import Interval, interval_words
from medloop.report.markup import element, joined, note
from medloop.report.tables import matrix, table
from medloop.simulation.comparisons import Comparison
from medloop.simulation.curves import LEVEL
from medloop.simulation.efficiency import LABEL_SHARES, Needed
from medloop.simulation.minutes import MinutesNeeded
from medloop.simulation.ranking import PenaltyMatrix, RankSummary
from medloop.simulation.strategy_summary import StrategySummary
from medloop.simulation.summary import Summary


def areas_table(summary: Summary) -> Markup:
    """Area, area as a share of the full-data score, and final score of every strategy, best first."""
    head = ["strategy", "area (AUBC)", "95 % interval", "% of full data", "final score", "95 % interval", "seeds"]
    words = "Area: mean height of the curve between first and last round, 0 to 1. Intervals are over seeds."
    rows = (
        [s.strategy, *_mean_and_range(s.area), _share(s.area_of_full), *_mean_and_range(s.final), str(s.seeds)] for s in _ordered(summary)
    )
    return note(words) + table(head, rows) + _reasons(one for s in summary.strategies for one in (s.area, s.final))


def labels_table(summary: Summary) -> Markup:
    """Labels to a share of the full-data score."""
    if summary.full is None:
        return note("There is no full-data model yet, so the labels to reach its score are not known.")
    head = ["strategy", *(f"cases to {share:.0%} of full data" for share in LABEL_SHARES)]
    words = (
        "Where the mean curve first reaches that share of the full-data score, by linear interpolation; below it the 95 % interval "
        "over seeds, and the share of the pool. “Not reached” is a result: these rounds do not get there."
    )
    rows = (
        [s.strategy, *(needed_words(s.labels_to[f"{share:.0%}"], s.points[-1].labelled) for share in LABEL_SHARES)]
        for s in _ordered(summary)
    )
    return note(words) + table(head, rows) + _reasons(needed for s in summary.strategies for needed in s.labels_to.values())


def minutes_table(summary: Summary) -> Markup:
    """Minutes of annotation to a share of the full-data score; nothing where they are not known."""
    if summary.full is None or not all(s.minutes_to for s in summary.strategies):
        return Markup("")
    head = ["strategy", *(f"minutes to {share:.0%} of full data" for share in LABEL_SHARES)]
    words = (
        "Minutes of annotation, by a stated model, at which each seed’s own curve first reaches that share, mean over seeds; below it the "
        "95 % interval over seeds. Where not every seed gets there, only how many do: a mean would leave out the slowest."
    )
    rows = ([s.strategy, *(_minutes_words(s.minutes_to[f"{share:.0%}"]) for share in LABEL_SHARES)] for s in _ordered(summary))
    return element("h3", "Minutes needed") + note(words) + table(head, rows)


def _minutes_words(needed: MinutesNeeded) -> Markup:
    if needed.minutes is None:
        return joined(("not reached", _small(f"reached by {needed.reached:.0%} of seeds") if needed.reached else None))
    return joined((f"{needed.minutes.mean:.0f}", None if needed.minutes.note else _small(interval_words(needed.minutes, ".0f"))))


def foreground_table(summary: Summary) -> Markup:
    """What annotated foreground buys; nothing for a classification."""
    if all(s.foreground.rate is None and s.foreground.per_doubling is None for s in summary.strategies):
        return Markup("")
    head = ["strategy", "gap closed (rate)", "95 % interval", "score per doubling", "95 % interval"]
    words = (
        "Annotation measured in foreground voxels of the truth instead of cases, since background costs little. Rate: how fast the "
        "gap to the full-data score closes per share of the pool’s foreground (FG-Eff of nnActive; higher is better). Score per doubling: "
        "slope against the logarithm of the annotated foreground, which needs no full-data score. Compare within one set-up only."
    )
    rows = ([s.strategy, *_optional(s.foreground.rate, ".2f"), *_optional(s.foreground.per_doubling, "+.4f")] for s in _ordered(summary))
    reasons = _reasons(one for s in summary.strategies for one in (s.foreground.rate, s.foreground.per_doubling))
    return element("h3", "What annotated foreground buys") + note(words) + table(head, rows) + reasons


def differences_table(summary: Summary) -> Markup:
    """Area of the row minus area of the column, for all pairs."""
    if not summary.comparisons:
        return note("There is nothing to compare.")
    names = [s.strategy for s in summary.strategies]
    words = (
        "Area of the row minus area of the column, paired over seeds and patients, with its 95 % interval and p "
        "(Holm-adjusted over all pairs; the intervals are not). Both say whether other seeds and other patients, together, would show "
        f"the same. Filled where p < {LEVEL:g}."
    )
    cells = [[_difference(a, b, summary.comparisons) for b in names] for a in names]
    return note(words) + matrix(names, cells) + _reasons(c.difference for c in summary.comparisons)


def penalty_table(penalties: PenaltyMatrix) -> Markup:
    """The pairwise penalty matrix, its column means below."""
    names = penalties.strategies
    if len(names) < 2:
        return Markup("")
    words = (
        "How often the row significantly beats the column: share of rounds, summed over settings, out of as many settings as stand after "
        "the stroke (tests over seeds and patients together, p values Holm-adjusted over all pairs and rounds; in small print without the "
        "adjustment). With three seeds such a test finds only large and steady leads. Penalty: mean of the column, lower is better."
    )
    cells = [[_win(penalties, a, b) for b in range(len(names))] for a in range(len(names))]
    last = [element("th", "penalty", scope="row"), *(element("td", f"{p:.2f}") for p in penalties.penalty)]
    return note(words) + matrix(names, cells, foot=last)


def ranks_table(ranks: Sequence[RankSummary]) -> Markup:
    """Mean ranks, best first."""
    if not ranks:
        return note("Fewer than two strategies have been run everywhere.")
    words = (
        "Rank among all strategies (1 is best) by score, averaged over rounds after the shared first one, seeds and settings; "
        "95 % interval over seeds. It says nothing about data sets and patients that are not here. "
        "Best in: share of the runs in which no strategy ranks before it."
    )
    rows = ([r.strategy, f"{r.rank.mean:.2f}", interval_words(r.rank, ".2f"), f"{r.best:.0%}"] for r in ranks)
    return note(words) + table(["strategy", "mean rank", "95 % interval", "best in"], rows)


def needed_words(needed: Needed, last: int) -> Markup:
    """Labels needed as a cell: number, interval, share of the pool."""
    high = f"{needed.high:.0f}" if needed.high is not None else "not reached"
    if needed.labels is None or needed.of_pool is None:
        return joined((f"not reached with {last}", _small(f"reached by {needed.reached:.0%} of seeds") if needed.reached else None))
    low = f"{needed.low:.0f}" if needed.low is not None else "not reached"
    return joined(
        (f"{needed.labels:.0f}", None if needed.note else _small(f"{low} to {high}"), _small(f"{needed.of_pool:.0%} of the pool"))
    )


def _ordered(summary: Summary) -> list[StrategySummary]:
    return sorted(summary.strategies, key=lambda s: (-s.area.mean, s.strategy))


def _mean_and_range(value: Interval) -> tuple[str, str]:
    return f"{value.mean:.4f}", _ends(value, ".4f")


def _ends(value: Interval, form: str) -> str:
    """The interval as a cell; why there is none stands once, below the table."""
    return "–" if value.note else interval_words(value, form)


def _reasons(values: Iterable[Interval | Needed | None]) -> Markup:
    """Why cells hold no interval, each reason once."""
    said = sorted({value.note for value in values if value is not None and value.note})
    return note("; ".join(said)) if said else Markup("")


def _optional(value: Interval | None, form: str) -> tuple[str, str]:
    if value is None:
        return "–", "–"
    return _minus(f"{value.mean:{form}}"), _minus(_ends(value, form))


def _share(value: Interval | None) -> str:
    return "–" if value is None else f"{100 * value.mean:.1f}"


def _difference(a: str, b: str, comparisons: Sequence[Comparison]) -> Markup:
    if a == b:
        return element("td", class_="self")
    c = next((c for c in comparisons if {c.a, c.b} == {a, b}), None)
    if c is None:
        return element("td", "–")
    sign = 1.0 if c.a == a else -1.0
    mean = sign * c.difference.mean
    if c.p_holm is None:
        return element("td", _signed(mean))
    ends = ""
    if c.difference.low is not None and c.difference.high is not None:
        ends = " to ".join(_signed(end) for end in sorted((sign * c.difference.low, sign * c.difference.high)))
    filled = ("better" if mean > 0 else "worse") if c.significant else None
    p = "p < 0.001" if c.p_holm < 0.001 else f"p = {c.p_holm:.3f}"
    return element("td", _signed(mean), _small(ends) if ends else None, _small(p), class_=filled)


def _win(penalties: PenaltyMatrix, a: int, b: int) -> Markup:
    if a == b:
        return element("td", class_="self")
    settings = penalties.settings[a][b]
    if not settings:
        return element("td", "–", _small("needs three seeds"))
    filled = "better" if penalties.wins[a][b] > 0 else None
    won = f"{penalties.wins[a][b]:.2f} / {settings:.0f}"
    return element("td", won, _small(f"{penalties.uncorrected[a][b]:.2f}"), class_=filled)


def _small(text: str) -> Markup:
    return element("small", text)


def _signed(value: float) -> str:
    return _minus(f"{value:+.4f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
