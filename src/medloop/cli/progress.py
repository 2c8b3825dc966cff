"""Progress for people: a bar on a terminal, a line now and then elsewhere, nothing on stdout."""

import sys
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


class Bar:
    """A bar with a message, shown on stderr only when that is a terminal.

    Elsewhere a line is printed whenever the stage changes, so that a log tells what happened.
    """

    def __init__(self, title: str) -> None:
        text, note = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
        columns = (text, BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), note)
        self._shown = sys.stderr.isatty()
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not self._shown)
        self._task = self._bar.add_task(title, total=1.0, note="")
        self._title, self._stage = title, ""

    def update(self, done: int, total: int, note: str) -> None:
        """Say that `done` of `total` things are done."""
        self.move(done / max(1, total), note)

    def move(self, fraction: float, note: str, *, stage: str | None = None) -> None:
        """Say how far it is, 0..1."""
        if stage is not None and stage != self._stage:
            self._stage = stage
            if not self._shown:
                typer.echo(stage, err=True)
        self._bar.update(self._task, completed=fraction, note=escape(note[:60]), description=self._stage or self._title)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
