"""Where a command or a server has its work done, as it was told: by options, or by `MEDLOOP_PROCESSES` and `MEDLOOP_RAY`."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from medloop.core.errors import SettingError
from medloop.execution.executor import IN_PROCESS, Check, Done, Executor, Task, go_on
from medloop.execution.processes import local_processes
from medloop.execution.ray_access import checked_address
from medloop.execution.ray_home import on_ray

R = TypeVar("R")

PROCESSES, RAY = "MEDLOOP_PROCESSES", "MEDLOOP_RAY"

MOST_PROCESSES = 1024

IDLE_SECONDS = 120.0


@dataclass(frozen=True)
class Placement:
    """Where work is done.

    Attributes:
        processes: How many at once; with Ray 0 is one for each CPU of the cluster, else 0 and 1 are the calling process.
        ray: Address of a cluster, `local`, or "" for none.
    """

    processes: int = 0
    ray: str = ""

    @property
    def is_here(self) -> bool:
        """Whether all of it is done by the calling process."""
        return not self.ray and self.processes <= 1

    def environment(self) -> dict[str, str]:
        """The same for a child process."""
        return {PROCESSES: str(self.processes), RAY: self.ray}


HERE = Placement()


def placement_of(environment: Mapping[str, str], *, processes: int | None = None, ray: str | None = None) -> Placement:
    """What options say, else the environment; checked as far as can be known without reaching anybody.

    Raises:
        SettingError: A number or address that cannot be, or an address without a token.
        UnavailableError: Ray is not installed.
    """
    number = processes if processes is not None else _number(environment.get(PROCESSES, "").strip() or "0")
    if not 0 <= number <= MOST_PROCESSES:
        raise SettingError(f"Processes must be 0 to {MOST_PROCESSES}, got {number}")
    address = (ray if ray is not None else environment.get(RAY, "")).strip()
    return Placement(number, checked_address(address, environment) if address else "")


def _number(given: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise SettingError(f"{PROCESSES} must be a whole number, got {given!r}") from None


class Placed:
    """The executor of a placement, which starts nothing before it is used; `close` ends what it started."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._opened: Executor | None = None
        self._used = time.monotonic()

    @property
    def words(self) -> str:
        """Where work is done, for people."""
        return self._executor().words

    @property
    def width(self) -> int:
        """How many tasks are at work at once."""
        return self._executor().width

    @property
    def is_here(self) -> bool:
        """Whether all is done in the calling process."""
        return self._placement.is_here

    def run(self, tasks: Iterable[Task[R] | None], *, check: Check = go_on) -> Iterator[Done[R]]:
        """As `Executor.run`."""
        try:
            yield from self._executor().run(tasks, check=check)
        finally:
            self._used = time.monotonic()

    def rest(self) -> None:
        """Called by who has nothing to do: workers that were not used for `IDLE_SECONDS` end, and their memory is free."""
        if self._opened is not None and time.monotonic() - self._used > IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """End the workers; the next run starts new ones."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _executor(self) -> Executor:
        if self._opened is None:
            at = self._placement
            self._opened = IN_PROCESS if at.is_here else on_ray(at.ray, at.processes) if at.ray else local_processes(at.processes)
        return self._opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
