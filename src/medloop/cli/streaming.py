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
    from medloop.store.reader import Reader


Listing: TypeAlias = frozenset[tuple[str, int, int]]
"""Path, size and time of change of every file."""


def stream(
    folder: ProjectFolder,
    watch: Annotated[Path, option(metavar="FOLDER", help="Where images arrive.")],
    every: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds between two looks.")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave, for a scheduler.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take in images as they arrive in a folder, and judge or decide each.

    What is new is imported, predicted by the model in use, and judged by the rule of the setting stream (annotate now, or keep
    unlabelled), or decided by stream_risk (accepted, deferred to a reader, or to two). Cases that people are to see come first on the
    page. Ends with Ctrl+C; safe to repeat.
    """
    if not watch.is_dir():
        raise SettingError(f"--watch must be a folder that exists, got {watch}")
    with open_project(folder) as workspace:
        if workspace.settings.stream == "off" and workspace.settings.stream_risk <= 0:
            rule = "The settings stream and stream_risk are off: nothing judges what arrives"
            raise SettingError(rule, remedy=f"medloop configure {folder} stream=rate, or stream_risk=0.05")
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
    """Bring cases in, then predict them and judge them by the setting stream or decide them by stream_risk, and say what came of it."""
    from medloop.loop.querying.disposing import dispose_arrivals
    from medloop.loop.querying.streaming import judge_arrivals, verdicts
    from medloop.loop.worker import drain
    from medloop.server.web.locks import somebody_works

    with workspace.store.read() as tx:
        before, model = {*verdicts(tx), *_disposed(tx)}, tx.live_model()
    if model is None:
        say("No model is there yet: until there is, cases are queried from the pool and none is judged")
    bring()
    if somebody_works(workspace):
        say("A worker is at work: it predicts and judges what is new; see medloop status")
    else:
        drain(workspace)
        judge_arrivals(workspace)
        dispose_arrivals(workspace)
    _tell(workspace, before, as_json=as_json)


def _disposed(tx: "Reader") -> set[str]:
    """Marks of the decisions so far: a case that is decided again is told again."""
    from medloop.loop.foundation.disposed import dispositions

    return {str(one.number) for one in dispositions(tx).values()}


def _tell(workspace: "Workspace", before: set[str], *, as_json: bool) -> None:
    from medloop.core.records import Case
    from medloop.loop.overview.stream_standing import stream_standing
    from medloop.loop.querying.streaming import verdicts

    with workspace.store.read() as tx:
        new = [(tx.get(Case, case_id).name, verdict) for case_id, verdict in verdicts(tx).items() if case_id not in before]
        numbers = _disposed(tx) - before
    standing = stream_standing(workspace) if numbers else None
    disposed = [one for one in reversed(standing.cases) if str(one.number) in numbers] if standing else []
    if as_json:
        judged = [{"case": name, "annotate": one.annotate, "score": one.score, "reason": one.reason} for name, one in new]
        print_json([*judged, *({"case": d.name, "decision": d.decision, "score": d.score, "reason": d.reason} for d in disposed)])
        return
    for name, one in new:
        typer.echo(f"{name}: {one}")
    for found in disposed:
        typer.echo(f"{found.name}: {f'{found.decision}: ' if found.decision else ''}{found.reason}")
    for line in standing.words if standing else ():
        say(line)
