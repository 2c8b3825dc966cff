"""The report of a suite: what to do and what may be said over all, then study by study."""

from markupsafe import Markup

from medloop.core.names import counted
from medloop.report.markup import element, joined, note
from medloop.report.page import advice, page, section
from medloop.report.tables import table
from medloop.simulation.report import INTRO, study_sections, unfinished
from medloop.simulation.report_tables import penalty_table, ranks_table
from medloop.simulation.suite import Part
from medloop.simulation.suite_results import OVERVIEW, SuiteResult, overview


def suite_html(result: SuiteResult) -> str:
    """The report as one HTML document."""
    datasets = len({part.dataset for part in result.suite.parts})
    title = f"Strategies compared on {counted(datasets, 'data set')}, {counted(len(result.suite.parts), 'setting')}"
    return page(title, INTRO, [*_overall(result), *(_section(part, study_sections(study)) for part, study in result.studies)])


def _overall(result: SuiteResult) -> list[Markup | None]:
    return [
        unfinished(len(result.missing)),
        advice(result.verdict),
        _contents(result),
        section("All settings", table(OVERVIEW, overview(result.studies), text=(0, 1, 2))),
        section("Mean ranks", ranks_table(result.ranks), _unranked(result)),
        section("Pairwise penalties over all settings", penalty_table(result.penalties)),
    ]


def _contents(result: SuiteResult) -> Markup:
    links = Markup(", ").join(element("a", part.name, href=f"#{part.name}") for part, _ in result.studies)
    left = f"; not begun: {', '.join(result.not_begun)}" if result.not_begun else ""
    return note("In detail: ", links or "nothing yet", left)


def _unranked(result: SuiteResult) -> Markup:
    return note(f"Not ranked, since not every setting has them: {', '.join(result.unranked)}." if result.unranked else "")


def _section(part: Part, body: list[Markup]) -> Markup:
    budget = f", budget {part.budget}" if part.budget else ""
    return element("section", element("h1", f"{part.dataset}{budget}", class_="part"), joined(body), id=part.name)
