"""The command that lets other front ends prompt a project's engine."""

from pathlib import Path
from typing import Annotated

import typer

from medloop.cli.options import ProjectFolder, one_of, option
from medloop.cli.printing import say

AXES = ("kji", "ijk")
NEIGHBOURS = {"auto": None, "around": True, "ignored": False}
ENGINES = ("auto", "classical", "network", "any-label", "nninteractive")


def nninteractive(
    folder: ProjectFolder,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond loopback with a key only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 1527,
    key: Annotated[str | None, option(envvar="MEDLOOP_NNINTERACTIVE_KEY", help="Key that front ends must give; none by default.")] = None,
    max_sessions: Annotated[int, typer.Option(min=1, max=64, help="Front ends at once.")] = 3,
    label: Annotated[str | None, option(metavar="NAME", help="The label that they draw; the first by default.")] = None,
    axes: Annotated[str, typer.Option(metavar="|".join(AXES), help="Order in which they send voxel axes.")] = "kji",
    engine: Annotated[str, typer.Option(metavar="|".join(ENGINES), help="Engine of the project that refines.")] = "auto",
    weights: Annotated[Path | None, option(metavar="FILE", help="Promptable network to use instead.")] = None,
    annotator: Annotated[
        str | None, option(metavar="NAME", help="Keep what they draw on a case's image as this person's draft; nothing by default.")
    ] = None,
    lock: Annotated[
        str, option(metavar="NAME,…", help="Labels that keep their voxels in these drafts; all others by default, none for no label.")
    ] = "",
    neighbours: Annotated[
        str, typer.Option(metavar="|".join(NEIGHBOURS), help="Whether finished objects are in the way of the next; auto: with --annotator.")
    ] = "auto",
) -> None:
    """Let napari and Slicer prompt a project's engine.

    Speaks the protocol of nnInteractive, so that its plugins work with it; Ctrl-C stops.
    """
    from medloop.server.nninteractive.running import Offer, project_engine, serve_project, weights_engine

    order, name = one_of("--axes", axes, AXES), one_of("--engine", engine, ENGINES)
    offer = Offer(
        host=host,
        port=port,
        key=key,
        max_sessions=max_sessions,
        label=label,
        slowest_first=order == "kji",
        annotator=annotator,
        locked=_names(lock),
        neighbours=NEIGHBOURS[one_of("--neighbours", neighbours, tuple(NEIGHBOURS))],
    )
    make = project_engine(name) if weights is None else weights_engine(weights)

    def ready(address: str) -> None:
        say(f"Serving {folder} to nnInteractive front ends at {address} (Ctrl-C stops)")

    serve_project(folder, offer, make_engine=make, ready=ready)


def _names(text: str) -> tuple[str, ...] | None:
    """Names of labels: None where nothing is typed, () for `none`."""
    names = tuple(one.strip() for one in text.split(",") if one.strip())
    return () if names == ("none",) else names or None
