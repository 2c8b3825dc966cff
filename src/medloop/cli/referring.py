"""`medloop reference`: other series of a case's patient, to look at beside the case."""

from pathlib import Path
from typing import Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument, open_project, option
from medloop.cli.printing import print_json, print_table, tell

reference = typer.Typer(
    name="reference",
    help="Other series of a case's patient, to look at beside it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@reference.command()
def add(
    folder: ProjectFolder,
    case: Annotated[str, argument(metavar="CASE", help="The case's name.")],
    files: Annotated[list[Path], argument(metavar="FILE…", help="One image, the folder of a DICOM series, or its files.")],
    name: Annotated[str, option(help="What it is called; by default words of its sequence, or the end of the file's name.")] = "",
    registered: Annotated[
        bool, typer.Option("--registered", help="Its positions are those of the case, whatever its header says.")
    ] = False,
    same_patient: Annotated[bool, typer.Option("--same-patient", help="It is of the case's patient, whatever its header says.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep an image beside a case: nobody annotates it, nothing is trained on it or exported."""
    from medloop.loop.data.adding_references import add_reference
    from medloop.loop.data.listed_references import case_called, line_of
    from medloop.loop.foundation.references import HowToAdd

    with open_project(folder) as workspace:
        found = case_called(workspace, case)
        made = line_of(found, add_reference(workspace, found, files, HowToAdd(name, registered, same_patient), actor="cli"))
    tell(made, lambda: typer.echo(f"{made.name} stands beside {made.case}: {made.position}"), as_json=as_json)


@reference.command(name="list")
def list_(
    folder: ProjectFolder,
    case: Annotated[str, argument(metavar="[CASE]", help="A case's name; without it, of all cases.")] = "",
    as_json: AsJson = False,
) -> None:
    """List references, and how their positions relate to their case's."""
    from medloop.loop.data.listed_references import reference_lines

    with open_project(folder) as workspace:
        lines = reference_lines(workspace, case)
    if as_json:
        print_json(lines)
    elif lines:
        print_table(("case", "reference", "shape", "mm", "position"), [line.cells for line in lines])
    else:
        typer.echo("No references; add one with: medloop reference add DIR CASE FILE")


@reference.command()
def remove(
    folder: ProjectFolder,
    case: Annotated[str, argument(metavar="CASE", help="The case's name.")],
    name: Annotated[str, argument(metavar="NAME", help="The reference's name.")],
) -> None:
    """Take a reference away; medloop doctor --sweep then removes its voxels from the disk."""
    from medloop.loop.data.listed_references import case_called
    from medloop.loop.data.removing_references import remove_reference

    with open_project(folder) as workspace:
        gone = remove_reference(workspace, case_called(workspace, case), name, actor="cli")
    typer.echo(f"{gone.name} was taken away; its voxels go with: medloop doctor --sweep")
