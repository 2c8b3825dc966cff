"""Commands about annotations that are there, and whose they are: take a case out of use with the reason, list and price annotators."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument, one_of, open_project, option
from medloop.cli.printing import print_table, tell
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue, declared, setting
from medloop.core.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    from medloop.core.records import Case
    from medloop.loop.foundation.workspace import Workspace
    from medloop.loop.overview.annotator_skill import AnnotatorLine

NONE = "none"
CaseName = Annotated[str, argument(metavar="CASE", help="The case's name.")]


def flag(
    folder: ProjectFolder,
    case: CaseName,
    reason: Annotated[str, option(help="Why, for whoever looks at it next.")],
    annotator: Annotated[str, typer.Option(help="Who says so.")] = "local",
    skip: Annotated[bool, typer.Option("--skip", help="Skip it instead: it is not worth an annotation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a case out of use, and say why.

    Its annotations, imported ones too, leave training, evaluation and export, and stay in the history. A new annotation
    brings the case back.
    """
    from medloop.core.records import Annotation
    from medloop.loop.annotating.annotations import checked_reason, flag_case, open_case, skip_case
    from medloop.loop.foundation.annotators import annotator_named

    checked_reason(reason)
    with open_project(folder) as workspace:
        found = case_named(workspace, case)
        with workspace.store.read() as tx:
            of_case = [found.id]
            before: list[Annotation] = [*tx.current_annotations(case_ids=of_case), *tx.partial_annotations(case_ids=of_case)]
            before += tx.marked_annotations(case_ids=of_case)
        opened = open_case(workspace, found.id, annotator_named(workspace, annotator).id)
        closed = (skip_case if skip else flag_case)(workspace, opened.assignment.id, reason=reason)
    document = {"case": found.name, "case_id": found.id, "state": closed.state, "withdrawn": [a.id for a in before]}
    tell(document, lambda: typer.echo(f"{found.name} is {closed.state}; {len(before)} annotations withdrawn"), as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """On what terms somebody annotates, as options."""

    cost_per_minute: float = setting(0.0, "What a minute costs, in a unit of yours.", "--cost-per-minute", "at once", shown_default=NONE)
    past: bool = setting(False, "The rate counts for past minutes, too.", "--past", "at once")
    expertise: str = setting("", "novice, expert or consultant.", "--expertise", "at once", shown_default=NONE)
    hours_per_week: float = setting(0.0, "The most that routing gives; 0 for no limit.", "--hours-per-week", "at once", shown_default=NONE)
    cases_per_week: int = setting(0, "The same in cases.", "--cases-per-week", "at once", shown_default=NONE)


@with_setting_options(declared(_Terms))
def annotators(
    folder: ProjectFolder,
    settings: Mapping[str, SettingValue],
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Whose terms are set.")] = "",
    by: Annotated[
        str,
        option(
            "--by",
            help="person, round, case, annotation or proposal (what was seen of it at first): how minutes and cost are added up.",
        ),
    ] = "person",
    csv: Annotated[Path | None, option("--csv", help="Write these lines to a CSV file, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """List who annotates, with minutes, cost, agreement and skill, or set somebody's terms: cost from now on, expertise, limits.

    Minutes are active ones: pauses are left out, and work that was undone, skipped or never submitted counts.
    Where a rate is set, status, report, the advice on stopping and strategies that weigh time count cost; otherwise minutes.
    After a training with the setting annotator_model a second table says how skilled each annotator is with each label.
    """
    from medloop.loop.overview.annotator_skill import skilled_annotators
    from medloop.loop.overview.learned_skills import learned_skills, skill_rows
    from medloop.loop.overview.spending import GROUPINGS, skill_words, work_csv, work_lines, work_rows

    grouping = one_of("--by", by, GROUPINGS)
    if settings.get("past") and "cost_per_minute" not in settings:
        remedy = "medloop annotators DIR NAME --cost-per-minute X --past"
        raise SettingError("--past belongs to --cost-per-minute, got it alone", remedy=remedy)
    if bool(name) != bool(settings):
        remedy = "medloop annotators DIR NAME --cost-per-minute X"
        raise SettingError("A name and its terms go together, got one of them", remedy=remedy)
    with open_project(folder) as workspace:
        _set_terms(workspace, name, settings)
        found, skills = skilled_annotators(workspace), learned_skills(workspace)
        worked = work_lines(workspace, grouping)
    if csv is not None:
        csv.write_text(work_csv(worked), encoding="utf-8", newline="")
    rows = [
        (
            x.annotator,
            x.expertise,
            x.annotations,
            x.cases,
            f"{x.minutes:.1f}",
            f"{x.cost_per_minute:g}",
            f"{x.cost:.4g}",
            _limits(x),
            skill_words(x),
        )
        for x in found
    ]
    head = ("annotator", "expertise", "annotations", "cases", "minutes", "cost per minute", "cost", "per week", "skill")

    def as_text() -> None:
        if by == "person":
            print_table(head, rows)
        else:
            print_table(*work_rows(worked))
        if skills:
            typer.echo(f"\nlearned with model {skills[0].model_index} ({skills[0].method}): skill, and annotations that hold the label")
            print_table(*skill_rows(skills))

    tell({"annotators": found, "learned_skills": skills, "work": worked}, as_text, as_json=as_json)


def _set_terms(workspace: "Workspace", name: str, given: Mapping[str, SettingValue]) -> None:
    from medloop.core.records import Expertise
    from medloop.loop.foundation.annotators import describe_annotator, set_cost

    terms: dict[str, Any] = {term: given[term] for term in ("expertise", "hours_per_week", "cases_per_week") if term in given}
    if "expertise" in terms:
        one_of("--expertise", terms["expertise"], get_args(Expertise))
    if "cost_per_minute" in given:
        set_cost(workspace, name, float(given["cost_per_minute"]), actor="cli", past=bool(given.get("past")))
    if terms:
        describe_annotator(workspace, name, actor="cli", **terms)


def _limits(line: "AnnotatorLine") -> str:
    limits = ((line.hours_per_week, "hour"), (line.cases_per_week, "case"))
    return ", ".join(f"{most:g} {unit}s" for most, unit in limits if most is not None) or "-"


def case_named(workspace: "Workspace", name: str) -> "Case":
    """The case of that name or id.

    Raises:
        NotFoundError: There is none.
    """
    from medloop.core.records import Case

    with workspace.store.read() as tx:
        found = tx.find(Case, where={"name": name}, limit=1) or tx.find(Case, where={"id": name}, limit=1)
    if not found:
        raise NotFoundError(f"There is no case {name!r}", remedy="give its name as the worklist and medloop measure print it")
    return found[0]
