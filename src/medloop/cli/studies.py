"""The command that compares strategies by simulated people."""

from pathlib import Path
from typing import Annotated

import typer

from medloop.cli.options import AsJson


def simulate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A labelled data set in a known layout.", show_default=False)],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results.json and report.html go; an unfinished one goes on.", show_default=False)
    ],
    strategies: Annotated[str, typer.Option(help="Names, separated by commas.")] = "random,entropy",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Repetitions, paired between strategies.")] = 3,
    start: Annotated[int, typer.Option(min=1, help="Cases of the first round, shared by all strategies.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Cases of every further round.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds after the first.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Compare strategies with simulated people.

    An oracle answers in place of people, from the labels of the data set.
    """
    raise NotImplementedError
