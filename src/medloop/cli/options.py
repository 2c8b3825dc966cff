"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

ProjectFolder: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.", show_default=False)]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Background: TypeAlias = Annotated[bool, typer.Option("--background", help="Only ask for the work; a worker does it.")]
Threads: TypeAlias = Annotated[int, typer.Option(min=0, max=1024, help="CPU threads for the work; 0 takes all.")]
