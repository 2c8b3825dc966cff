"""Who reads what, and people in training: what everybody would get next and why, gold cases and what people make of them."""

from typing import Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, open_project
from medloop.cli.printing import print_table, tell


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
