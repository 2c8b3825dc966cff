"""Arguments and options that several commands share."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import typer

from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.execution.placement import Placement
    from medloop.loop.foundation.workspace import Workspace

option, argument = partial(typer.Option, show_default=False), partial(typer.Argument, show_default=False)
"""Options and arguments without a default, or whose help says it."""

ProjectFolder: TypeAlias = Annotated[Path, argument(metavar="DIR", help="The project's folder.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Background: TypeAlias = Annotated[bool, typer.Option("--background", help="Only queue the work; a worker does it.")]
Processes: TypeAlias = Annotated[
    int | None,
    option(min=0, max=1024, metavar="N", help="Cut the work into shards for so many local processes; MEDLOOP_PROCESSES by default."),
]
Ray: TypeAlias = Annotated[
    str | None, option("--ray", metavar="ADDRESS", help="Do it on a Ray cluster: HOST:PORT of its head, or local; MEDLOOP_RAY by default.")
]
Threads: TypeAlias = Annotated[int, typer.Option(min=0, max=1024, help="CPU threads for the work; 0 takes all.")]


@dataclass(frozen=True)
class PlaceOptions:
    """Where heavy work is done."""

    processes: Processes = None
    ray: Ray = None

    @property
    def placement(self) -> "Placement":
        """By the options, else by the environment."""
        from medloop.execution.placement import placement_of

        return placement_of(os.environ, processes=self.processes, ray=self.ray)


@dataclass(frozen=True)
class WorkOptions(PlaceOptions):
    """The same, and on how many threads."""

    threads: Threads = 0


def open_project(folder: Path) -> "Workspace":
    """The project in a folder, for a `with`."""
    from medloop.loop.foundation.workspace import Workspace

    return Workspace.open(folder)


Choice = TypeVar("Choice", bound=str)


def one_of(option: str, given: str, known: tuple[Choice, ...]) -> Choice:
    """The known word that was given.

    Raises:
        SettingError: None of them was.
    """
    for word in known:
        if word == given:
            return word
    raise SettingError(f"{option} must be one of {', '.join(map(str, known))}, got {given!r}")
