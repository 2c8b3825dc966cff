"""Where heavy work is done: one protocol, `Executor`, and its simplest home, the calling process.

Work is cut into tasks: pure functions at the top of a module with arguments that can be pickled, each with a key that names its
shard to people. A home may run a task twice (its worker died), so what it leaves behind must be the same the second time. The truth
stays with the caller: tasks give results back, whoever called them writes the rows.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from medloop.core.errors import ConflictError
from medloop.execution.failures import Failure, failure_of

R = TypeVar("R")

Check: TypeAlias = Callable[[], None]
"""Called again and again while work is done; raises to stop it."""


def go_on() -> None:
    """The check that never stops anything."""


@dataclass(frozen=True)
class Task(Generic[R]):
    """One piece of work.

    Attributes:
        key: Names the shard in messages; different from those of the other tasks of a run.
        call: A function at the top of a module, so that another process finds it.
        arguments: What it is called with.
        place: Tasks of the same place are given to the same worker while it lives, so that it may keep what it has read; None for any.
    """

    key: str
    call: Callable[..., R]
    arguments: tuple[Any, ...] = ()
    place: int | None = None


@dataclass(frozen=True)
class Done(Generic[R]):
    """The result of the task of that key."""

    key: str
    result: R


class Executor(Protocol):
    """A home of tasks; a context that ends its workers."""

    @property
    def words(self) -> str:
        """Where work is done, for people: completes "done …"."""

    @property
    def width(self) -> int:
        """How many tasks are at work at once."""

    @property
    def is_here(self) -> bool:
        """Whether all is done in the calling process, so that cutting work into tasks gains nothing."""

    def run(self, tasks: Iterable[Task[R] | None], *, check: Check = go_on) -> Iterator[Done[R]]:
        """Run tasks, each to its end, and give out results as they come, in any order.

        Args:
            tasks: Drawn from only when a worker is free. None stands for "none can begin before a running one ends".
            check: Called several times a second; when it raises, the workers are ended and its error goes on to the caller.

        Raises:
            MedloopError: Of a task that failed, its own, in one line that names the task; nothing new was begun then, and what ran
                was given out first. `UnavailableError` where a task ended its worker again and again, `ConflictError` where a worker
                is of another version.
        """

    def close(self) -> None:
        """End the workers; the next run starts new ones."""


class InProcess:
    """The calling process: one task after the other."""

    words = "in this process"
    width = 1
    is_here = True

    def run(self, tasks: Iterable[Task[R] | None], *, check: Check = go_on) -> Iterator[Done[R]]:
        """As `Executor.run`; results come in the order of the tasks."""
        for task in tasks:
            check()
            if task is None:
                raise ConflictError("No task can begin, and none is running")
            yield Done(task.key, _result(task))

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


IN_PROCESS = InProcess()


def _result(task: Task[R]) -> R:
    try:
        return task.call(*task.arguments)
    except Exception as error:
        raise failure_of(error).raised(task.key) from error


def ordered(executor: Executor, tasks: Iterable[Task[R]], *, check: Check = go_on) -> list[R]:
    """All results, in the order of the tasks; see `Executor.run`."""
    listed = list(tasks)
    found = {done.key: done.result for done in executor.run(listed, check=check)}
    return [found[task.key] for task in listed]


def shards_of(count: int, parts: int) -> list[tuple[int, int]]:
    """Start and stop of at most so many parts of 0..count, sizes one apart at most; none is empty."""
    parts = max(1, min(parts, count))
    edges = [count * n // parts for n in range(parts + 1)]
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]


__all__ = ["IN_PROCESS", "Check", "Done", "Executor", "Failure", "InProcess", "Task", "go_on", "ordered", "shards_of"]
