"""Which labels are annotated in which cases: list, and declare for many."""

from typing import Annotated

import typer

from medloop.cli.annotations import case_named
from medloop.cli.options import AsJson, ProjectFolder, open_project, option
from medloop.cli.printing import print_table, tell
from medloop.core.errors import InputError
from medloop.core.names import counted, first_named


def annotated(
    folder: ProjectFolder,
    labels: Annotated[
        str | None, option("--labels", metavar="A,B", help="Declare that these labels, and no others, are annotated.")
    ] = None,
    case: Annotated[list[str] | None, option("--case", metavar="CASE", help="In this case; repeat it for more.")] = None,
    every: Annotated[bool, typer.Option("--every", help="In every annotated case.")] = False,
    as_json: AsJson = False,
) -> None:
    """List in how many cases each label is annotated and which cases lack it, or declare it for some or all.

    A label that is not annotated in a case is not learned from its background, and is not judged there. A label that is declared as
    annotated is annotated as absent where the mask has none of it.
    """
    from medloop.datasets.table import split_names
    from medloop.loop.annotating.declaring import annotated_cases, declare_annotated
    from medloop.loop.foundation.annotated_labels import labels_named

    with open_project(folder) as workspace:
        if labels is None and (case or every):
            raise InputError("Cases are named to declare their labels, got none", remedy="add --labels A,B")
        if labels is not None:
            if bool(case) == every:
                remedy = "name cases with --case, or all with --every"
                raise InputError(f"A declaration is for some cases or for all, got {'both' if every else 'neither'}", remedy=remedy)
            with workspace.store.read() as tx:
                annotated_here = {a.case_id for a in [*tx.current_annotations(), *tx.partial_annotations()]}
            chosen = annotated_here if every else {case_named(workspace, name).id for name in case or ()}
            done = declare_annotated(workspace, chosen, labels_named(workspace.task, split_names(labels)), actor="cli")
            line = f"{counted(len(done.changed), 'case')} declared, {len(done.unchanged)} unchanged"
            tell(done, lambda: typer.echo(line), as_json=as_json)
            return
        found = annotated_cases(workspace)
    rows = [(one.label, str(one.cases), str(len(one.lacking)), first_named(one.lacking) if one.lacking else "-") for one in found]
    tell(found, lambda: print_table(("label", "annotated in", "lacking", "cases that lack it"), rows), as_json=as_json)
