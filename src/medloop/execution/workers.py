"""Homes that have workers: who gets which task, what becomes of one whose worker died, when work stops.

A worker has one task at a time. When it dies, another takes its place and the task is begun again; one that has ended its worker
`MOST_TRIES` times is refused. The homes only say how a worker is started, given bytes, waited for and ended.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from medloop.core.errors import ConflictError, MedloopError, UnavailableError
from medloop.execution.envelope import packed, unpacked
from medloop.execution.executor import Check, Done, Task, go_on
from medloop.execution.failures import Failure
from medloop.execution.software import software

R = TypeVar("R")

MOST_TRIES = 3
"""A task that has ended so many workers is not given to another."""

LOOK_SECONDS = 0.2
"""How often `check` is called while nothing comes back."""


@dataclass(frozen=True)
class Died:
    """A worker is gone; in words how, as far as is known."""

    words: str


class Worker(Protocol):
    """One worker of a home."""

    def send(self, sent: bytes) -> bool:
        """Give it a task; False where it is gone already."""

    def end(self) -> None:
        """End it now, whatever it does."""


W = TypeVar("W", bound=Worker)


class Home(Protocol[W]):
    """How workers of one kind are started and waited for."""

    @property
    def words(self) -> str:
        """Where work is done, for people."""

    @property
    def width(self) -> int:
        """How many tasks are at work at once."""

    def start(self) -> W:
        """A new worker.

        Raises:
            MedloopError: None can be started.
        """

    def wait(self, workers: Mapping[int, W], seconds: float) -> list[tuple[int, bytes | Died]]:
        """What came back of the workers at work, by place, within so many seconds."""

    def close(self) -> None:
        """Let go of what the workers shared; all of them have ended."""


@dataclass
class _Turn(Generic[R]):
    """The tasks of one run."""

    source: Iterator[Task[R] | None]
    software: str
    waiting: deque[Task[R]] = field(default_factory=deque)
    running: dict[int, Task[R]] = field(default_factory=dict)
    tries: Counter[str] = field(default_factory=Counter)
    failed: MedloopError | None = None
    drained: bool = False

    def next_for(self, place: int, width: int) -> Task[R] | None:
        """A task for the worker of that place, if one can begin."""
        for task in self.waiting:
            if task.place is None or task.place % width == place:
                self.waiting.remove(task)
                return task
        while not self.drained and len(self.waiting) < width:
            try:
                drawn = next(self.source)
            except StopIteration:
                self.drained = True
                return None
            if drawn is None or drawn.place is None or drawn.place % width == place:
                return drawn
            self.waiting.append(drawn)
        return None


class Workers(Generic[W]):
    """An `Executor` of several workers, which are started with the first run and stay until `close`.

    Args:
        home: Of which kind.
        version: The software that its workers must run; this process's own by default.
    """

    is_here = False

    def __init__(self, home: Home[W], *, version: str = "") -> None:
        self._home = home
        self._version = version
        self._workers: dict[int, W] = {}
        self._guard = Lock()

    @property
    def words(self) -> str:
        """Where work is done, for people."""
        return self._home.words

    @property
    def width(self) -> int:
        """How many tasks are at work at once."""
        return self._home.width

    def run(self, tasks: Iterable[Task[R] | None], *, check: Check = go_on) -> Iterator[Done[R]]:
        """As `Executor.run`; one run after the other."""
        with self._guard:
            turn = _Turn(iter(tasks), self._version or software())
            try:
                yield from self._run(turn, check)
            finally:
                for place in turn.running:  # stopped in the middle: nobody waits for these any more
                    if (worker := self._workers.pop(place, None)) is not None:  # `close` may have ended it
                        worker.end()

    def _run(self, turn: _Turn[R], check: Check) -> Iterator[Done[R]]:
        while True:
            check()
            if turn.failed is None:
                self._fill(turn)
            if not turn.running:
                break
            at_work = {place: self._workers[place] for place in turn.running}
            for place, found in self._home.wait(at_work, LOOK_SECONDS):
                done = self._ended(turn, place, found)
                if done is not None:
                    yield done
        if turn.failed is not None:
            raise turn.failed
        if not turn.drained:
            raise ConflictError("No task can begin, and none is running")

    def _fill(self, turn: _Turn[R]) -> None:
        """Give every free worker a task, as long as there are any."""
        for place in range(self.width):
            if place in turn.running:
                continue
            task = turn.next_for(place, self.width)
            if task is None:
                continue
            sent = packed(task, turn.software)
            if isinstance(sent, Failure):
                turn.failed = sent.raised(task.key)
                return
            self._give(place, sent)
            turn.running[place] = task

    def _give(self, place: int, sent: bytes) -> None:
        """Send to the worker of a place; one that has died since is replaced.

        Raises:
            UnavailableError: New workers die at once.
        """
        for _ in range(MOST_TRIES):
            if place not in self._workers:
                self._workers[place] = self._home.start()
            if self._workers[place].send(sent):
                return
            self._workers.pop(place).end()
        raise UnavailableError(f"Workers {self.words} die before they get work", remedy="look at the memory and at the log of the machine")

    def _ended(self, turn: _Turn[R], place: int, found: bytes | Died) -> Done[R] | None:
        task = turn.running.pop(place)
        if isinstance(found, Died):
            self._workers.pop(place).end()
            self._again(turn, task, found)
            return None
        got: tuple[Any] | Failure = unpacked(found)
        if isinstance(got, Failure):
            turn.failed = turn.failed or got.raised(task.key)
            return None
        return Done(task.key, got[0])

    def _again(self, turn: _Turn[R], task: Task[R], died: Died) -> None:
        turn.tries[task.key] += 1
        if turn.tries[task.key] < MOST_TRIES:
            turn.waiting.appendleft(task)
            return
        rule = f"{task.key} ended its worker {MOST_TRIES} times ({died.words})"
        remedy = "where memory ran out use fewer processes; else run it in one process to see why"
        turn.failed = turn.failed or UnavailableError(rule, remedy=remedy)

    def close(self) -> None:
        """End the workers."""
        while self._workers:
            self._workers.popitem()[1].end()
        self._home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
