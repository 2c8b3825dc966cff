"""The report of a suite: one HTML file that opens offline; what may be said over all, then study by study."""

from html import escape

from medloop.simulation.report import page, study_sections, unfinished, verdict_box
from medloop.simulation.report_tables import penalty_table, ranks_table, table
from medloop.simulation.suite import Part
from medloop.simulation.suite_results import OVERVIEW, SuiteResult, overview


def suite_html(result: SuiteResult) -> str:
    """The report as one HTML document."""
    datasets = len({part.dataset for part in result.suite.parts})
    settings = len(result.suite.parts)
    title = f"Strategies compared on {_counted(datasets, 'data set')}, {_counted(settings, 'setting')}"
    return page(title, [*_overall(result), *(_section(part, study_sections(study)) for part, study in result.studies)])


def _overall(result: SuiteResult) -> list[str]:
    return [
        unfinished(len(result.missing)),
        verdict_box(result.verdict),
        _contents(result),
        "<h2>All settings</h2>",
        table(OVERVIEW, ([escape(cell) for cell in row] for row in overview(result.studies))),
        "<h2>Mean ranks</h2>",
        ranks_table(result.ranks),
        _unranked(result),
        "<h2>Pairwise penalties over all settings</h2>",
        penalty_table(result.penalties),
    ]


def _contents(result: SuiteResult) -> str:
    links = ", ".join(f'<a href="#{part.name}">{escape(part.name)}</a>' for part, _ in result.studies)
    left = f"; not begun: {escape(', '.join(result.not_begun))}" if result.not_begun else ""
    return f'<p class="soft">In detail: {links or "nothing yet"}{left}</p>'


def _unranked(result: SuiteResult) -> str:
    if not result.unranked:
        return ""
    return f'<p class="soft">Not ranked, since not every setting has them: {escape(", ".join(result.unranked))}.</p>'


def _section(part: Part, body: list[str]) -> str:
    budget = f", budget {escape(part.budget)}" if part.budget else ""
    return f'<section id="{part.name}"><h1 class="part">{escape(part.dataset)}{budget}</h1>{"".join(body)}</section>'


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
