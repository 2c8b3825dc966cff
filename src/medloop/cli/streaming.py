"""The command that watches a folder: what arrives is imported, predicted and judged by itself."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medloop.cli.options import AsJson, ProjectFolder, open_project, option
from medloop.cli.printing import print_json, say
from medloop.core.errors import ConflictError, FormatError, InputError, NotFoundError, SettingError

if TYPE_CHECKING:
    from medloop.loop.foundation.workspace import Workspace


Listing: TypeAlias = frozenset[tuple[str, int, int]]
"""Path, size and time of change of every file."""


def stream(
    folder: ProjectFolder,
    watch: Annotated[Path, option(metavar="FOLDER", help="Where images arrive.")],
    every: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds between two looks.")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave, for a scheduler.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge images as they arrive in a folder: annotate now, or keep unlabelled.

    What is new is imported, predicted by the model in use, and judged by the rule of the setting stream within its budget. Cases to
    annotate come first on the page. Ends with Ctrl+C; safe to repeat.
    """
    if not watch.is_dir():
        raise SettingError(f"--watch must be a folder that exists, got {watch}")
    with open_project(folder) as workspace:
        if workspace.settings.stream == "off":
            raise SettingError("The setting stream is off: nothing judges what arrives", remedy=f"medloop configure {folder} stream=rate")
        taken: Listing | None = None
        seen: Listing | None = None
        pause = threading.Event()
        while True:
            before, seen = seen, _listing(watch)
            if seen != taken and (once or seen == before):  # a file that still grows waits
                try:
                    _take(workspace.reload(), watch, as_json=as_json)
                except (InputError, NotFoundError, ConflictError) as error:  # also a folder that is away for a while
                    if once:
                        raise
                    say(f"not taken: {error}; looking again when the folder changes")
                taken = seen
            if once:
                return
            pause.wait(every)


def _listing(watch: Path) -> Listing:
    found: set[tuple[str, int, int]] = set()
    for path in watch.rglob("*"):
        with suppress(OSError):  # taken away since it was listed, or out of reach
            facts = path.stat()
            found.add((str(path), facts.st_size, facts.st_mtime_ns))
    return frozenset(found)


def _take(workspace: "Workspace", watch: Path, *, as_json: bool) -> None:
    from medloop.loop.data.import_report import brief_refusals
    from medloop.loop.data.importing import import_dataset

    def bring() -> None:
        for line in brief_refusals(import_dataset(workspace, watch, annotations="none", actor="cli").refused):
            say(f"left out: {line}")

    try:
        judge_brought(workspace, bring, as_json=as_json)
    except FormatError as error:
        say(f"nothing to take: {error}")


def judge_brought(workspace: "Workspace", bring: Callable[[], None], *, as_json: bool = False) -> None:
    """Bring cases in, then predict and judge them by the rule of the setting stream, and say what it decided."""
    from medloop.loop.querying.streaming import judge_arrivals, verdicts
    from medloop.loop.worker import drain
    from medloop.server.web.locks import somebody_works

    with workspace.store.read() as tx:
        before, model = set(verdicts(tx)), tx.live_model()
    if model is None:
        say("No model is there yet: until there is, cases are queried from the pool and none is judged")
    bring()
    if somebody_works(workspace):
        say("A worker is at work: it predicts and judges what is new; see medloop status")
    else:
        drain(workspace)
        judge_arrivals(workspace)
    _tell(workspace, before, as_json=as_json)


def _tell(workspace: "Workspace", before: set[str], *, as_json: bool) -> None:
    from medloop.core.records import Case
    from medloop.loop.querying.streaming import verdicts

    with workspace.store.read() as tx:
        new = [(tx.get(Case, case_id).name, verdict) for case_id, verdict in verdicts(tx).items() if case_id not in before]
    if as_json:
        print_json([{"case": name, "annotate": one.annotate, "score": one.score, "reason": one.reason} for name, one in new])
    for name, one in new if not as_json else ():
        typer.echo(f"{name}: {one}")
