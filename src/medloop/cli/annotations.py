"""Commands about annotations that are there, and whose they are: take a case out of use with the reason, list and price annotators."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument, one_of, open_project, option
from medloop.cli.printing import print_table, tell
from medloop.core.errors import NotFoundError, SettingError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.core.records import Case
    from medloop.loop.foundation.workspace import Workspace
    from medloop.loop.overview.annotator_skill import AnnotatorLine

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
            before: list[Annotation] = [*tx.current_annotations(case_ids=[found.id]), *tx.partial_annotations(case_ids=[found.id])]
        opened = open_case(workspace, found.id, annotator_named(workspace, annotator).id)
        closed = (skip_case if skip else flag_case)(workspace, opened.assignment.id, reason=reason)
    document = {"case": found.name, "case_id": found.id, "state": closed.state, "withdrawn": [a.id for a in before]}
    tell(document, lambda: typer.echo(f"{found.name} is {closed.state}; {len(before)} annotations withdrawn"), as_json=as_json)


def annotators(
    folder: ProjectFolder,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Whose terms are set.")] = "",
    cost_per_minute: Annotated[float | None, option("--cost-per-minute", help="What a minute costs, in a unit of yours.")] = None,
    expertise: Annotated[str | None, option("--expertise", help="novice, expert or consultant.")] = None,
    hours_per_week: Annotated[float | None, option("--hours-per-week", help="The most that routing gives; 0 for no limit.")] = None,
    cases_per_week: Annotated[int | None, option("--cases-per-week", help="The same in cases.")] = None,
    as_json: AsJson = False,
) -> None:
    """List who annotates, with minutes, cost and skill, or set what somebody costs, how experienced they are, and their limits.

    Where a rate is set, status, report, the advice on stopping and strategies that weigh time count cost; otherwise minutes.
    After a training with the setting annotator_model a second table says how skilled each annotator is with each label.
    """
    from medloop.core.records import Expertise
    from medloop.loop.foundation.annotators import describe_annotator, set_cost
    from medloop.loop.overview.annotator_skill import skilled_annotators
    from medloop.loop.overview.learned_skills import learned_skills, skill_rows

    level = one_of("--expertise", expertise, get_args(Expertise)) if expertise is not None else None
    terms = {"expertise": level, "hours_per_week": hours_per_week, "cases_per_week": cases_per_week}
    said = any(value is not None for value in (cost_per_minute, *terms.values()))
    if bool(name) != said:
        remedy = "medloop annotators DIR NAME --cost-per-minute X"
        raise SettingError("A name and its terms go together, got one of them", remedy=remedy)
    with open_project(folder) as workspace:
        if cost_per_minute is not None:
            set_cost(workspace, name, cost_per_minute, actor="cli")
        if any(value is not None for value in terms.values()):
            describe_annotator(workspace, name, actor="cli", expertise=level, hours_per_week=hours_per_week, cases_per_week=cases_per_week)
        found, skills = skilled_annotators(workspace), learned_skills(workspace)
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
            _skill(x),
        )
        for x in found
    ]
    head = ("annotator", "expertise", "annotations", "cases", "minutes", "cost per minute", "cost", "per week", "skill")

    def as_text() -> None:
        print_table(head, rows)
        if skills:
            typer.echo(f"\nlearned with model {skills[0].model_index} ({skills[0].method}): skill, and annotations that hold the label")
            print_table(*skill_rows(skills))

    tell({"annotators": found, "learned_skills": skills}, as_text, as_json=as_json)


def _limits(line: "AnnotatorLine") -> str:
    limits = ((line.hours_per_week, "hour"), (line.cases_per_week, "case"))
    return ", ".join(f"{most:g} {unit}s" for most, unit in limits if most is not None) or "-"


def _skill(line: "AnnotatorLine") -> str:
    if line.skill is None:
        return "-"
    interval = "" if line.skill_low is None or line.skill_high is None else f" ({line.skill_low:.2f} to {line.skill_high:.2f})"
    return f"{line.skill:.2f}{interval} in {counted(line.shared, 'case')}"


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
