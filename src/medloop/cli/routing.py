"""Who reads what, and people in training: what everybody would get next and why, gold cases and what people make of them."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medloop.cli.annotations import CaseName, case_named
from medloop.cli.options import AsJson, ProjectFolder, argument, open_project
from medloop.cli.printing import print_table, say, tell

if TYPE_CHECKING:
    from medloop.loop.overview.gold_standing import GoldStanding

gold = typer.Typer(
    name="gold",
    help="Gold cases: the truth that people are held against, in a tutorial and now and then in their work.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
By: TypeAlias = Annotated[str, typer.Option("--annotator", help="Who decides it.")]


def next_(
    folder: ProjectFolder,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Whom it is about; without it, everybody at work.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what everybody at work, or one person, would get next, and why.

    Nothing is opened. With the setting routing the reason says what the reading is expected to bring and to cost.
    """
    from medloop.loop.querying.rounds import outlooks

    with open_project(folder) as workspace:
        found = outlooks(workspace, name)
    rows = [(one.annotator, one.case or "-", one.reason) for one in found]
    empty = "Nobody has opened a case within a week; name somebody: medloop next DIR NAME"
    tell({"next": found}, lambda: print_table(("annotator", "case", "reason"), rows) if rows else typer.echo(empty), as_json=as_json)


@gold.command()
def add(folder: ProjectFolder, case: CaseName, annotator: By = "local") -> None:
    """Make the annotation in force of a case the truth that people are held against.

    After its truth was replaced the same command brings it back, and holds earlier readings against the new truth.
    """
    from medloop.loop.annotating.gold import add_gold
    from medloop.loop.foundation.annotators import annotator_named

    with open_project(folder) as workspace:
        found = case_named(workspace, case)
        add_gold(workspace, found.id, annotator_id=annotator_named(workspace, annotator).id)
    typer.echo(f"{found.name} is a gold case")


@gold.command()
def withdraw(folder: ProjectFolder, case: CaseName, annotator: By = "local") -> None:
    """Take a gold case out of use; scores on it no longer count."""
    from medloop.loop.annotating.gold import withdraw_gold
    from medloop.loop.foundation.annotators import annotator_named

    with open_project(folder) as workspace:
        found = case_named(workspace, case)
        withdraw_gold(workspace, found.id, annotator_id=annotator_named(workspace, annotator).id)
    typer.echo(f"{found.name} is no gold case any more")


@gold.command()
def admit(
    folder: ProjectFolder,
    name: Annotated[str, argument(metavar="NAME", help="Who may begin real work.")],
    annotator: By = "local",
) -> None:
    """Let somebody begin real work without the tutorial, or after one that they did not pass."""
    from medloop.loop.annotating import gold as cases
    from medloop.loop.foundation.annotators import annotator_named

    with open_project(folder) as workspace:
        found = cases.admit(workspace, name, actor=annotator_named(workspace, annotator).id)
    typer.echo(f"{found.name} may begin real work")


@gold.command("list")
def list_(folder: ProjectFolder, as_json: AsJson = False) -> None:
    """List the gold cases, and what each person makes of them."""
    from medloop.loop.overview.gold_standing import gold_standing

    with open_project(folder) as workspace:
        found = gold_standing(workspace)
    tell(found, lambda: _print_gold(found), as_json=as_json)


def _print_gold(found: "GoldStanding") -> None:
    from medloop.metrics.intervals import interval_words

    for warning in found.warnings:
        say(warning)
    if not found.cases:
        typer.echo("There is no gold case: medloop gold add DIR CASE")
    else:
        rows = [(x.case, x.by, x.since[:10], x.readings, "-" if x.mean is None else f"{x.mean:.2f}", x.note or "-") for x in found.cases]
        print_table(("gold case", "by", "since", "readings", "mean score", "note"), rows)
    if found.people:
        people = [
            (
                x.annotator,
                x.readings,
                f"{x.score.mean:.2f} ({interval_words(x.score, '.2f')})" if x.score else "-",
                x.left,
                x.tutorial or "-",
            )
            for x in found.people
        ]
        print_table(("annotator", "gold cases read", "score", "not seen", "tutorial"), people)
