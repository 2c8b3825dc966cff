"""Work on many cases, cut into tasks for `Workspace.executor`: how workers open the project, and what they may not.

Workers read the project and store blobs, whose names are their content; rows are written by whoever called them. A worker keeps the
project open, and what it has loaded last, for its next task.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from medloop.core.errors import BlobError, StateError
from medloop.core.records import Case, Project
from medloop.core.records import Task as ProjectTask
from medloop.execution.executor import Task
from medloop.execution.failures import Failure, failure_of
from medloop.loop.foundation.workspace import Workspace

T = TypeVar("T")

CASES_PER_TASK = 16
"""As many as are one transaction: seconds of work, so that a killed worker costs little and sending costs less."""

FEW = 8
"""So many cases are not worth starting workers, each of which loads torch."""


@dataclass(frozen=True)
class Shared:
    """A project as workers find it: its folder, reached by every machine under the same name, with the caller's settings and labels."""

    folder: Path
    project: Project
    task: ProjectTask
    host: str
    is_sqlite: bool

    @classmethod
    def of(cls, workspace: Workspace) -> "Shared":
        """An open project."""
        folder, is_sqlite = workspace.folder.resolve(), workspace.store.database.is_sqlite
        return cls(folder, workspace.project, workspace.task, platform.node(), is_sqlite)

    def open(self) -> Workspace:
        """The project, in a worker.

        Raises:
            NotFoundError: This machine does not reach the folder.
            StateError: It is another machine than the caller's, and the database is a file.
        """
        if self.is_sqlite and platform.node() != self.host:
            rule = f"A project with SQLite is worked on by one machine, {self.host}; this is {platform.node()}"
            raise StateError(rule, remedy="move it to PostgreSQL, or use --processes")
        if self.folder not in _OPEN:
            while _OPEN:
                _OPEN.popitem()[1].close()
            _OPEN[self.folder] = Workspace.open(self.folder)
        return replace(_OPEN[self.folder], project=self.project, task=self.task)


_OPEN: dict[Path, Workspace] = {}


@dataclass(frozen=True)
class Seen(Generic[T]):
    """What came of one case: a value, or the words of the `BlobError` that kept it from being read."""

    case_id: str
    value: T | None = None
    failure: Failure | None = None

    @property
    def error(self) -> BlobError | None:
        """The error in this process."""
        found = self.failure.raised(self.case_id) if self.failure else None
        return found if isinstance(found, BlobError) else None


def each_case(workspace: Workspace, case_ids: Sequence[str], look: Callable[[Case], T]) -> list[Seen[T]]:
    """Look at cases one by one; those whose bytes cannot be read say so, and the rest goes on."""
    with workspace.store.read() as tx:
        cases = [tx.get(Case, case_id) for case_id in case_ids]
    return [_seen(case, look) for case in cases]


def _seen(case: Case, look: Callable[[Case], T]) -> Seen[T]:
    try:
        return Seen(case.id, look(case))
    except BlobError as error:
        return Seen(case.id, failure=failure_of(error))


def case_tasks(cases: Sequence[Case], call: Callable[..., list[Seen[T]]], *arguments: object) -> list[Task[list[Seen[T]]]]:
    """Tasks of a few cases each; `call` gets the arguments, then the ids of its cases."""
    return [
        Task(f"cases {start + 1} to {start + len(some)} ({some[0].name} …)", call, (*arguments, tuple(case.id for case in some)))
        for start in range(0, len(cases), CASES_PER_TASK)
        if (some := cases[start : start + CASES_PER_TASK])
    ]
