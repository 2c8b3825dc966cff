"""Waiting times that grow with failures, by name and by address.

A few failures cost nothing; each further one doubles the wait. A right password during a wait is refused as well, so that
trying tells nothing. Everything is kept in memory and bounded: a flood of names forgets the oldest ones.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from medloop.core.errors import ThrottledError

LONGEST_WAIT = 300.0
"""Seconds: at most twelve tries an hour in the end."""

FORGET_SECONDS = 3600.0
MOST_KEPT = 10_000


@dataclass(frozen=True)
class _Failures:
    count: int
    last: float


class Throttle:
    """Counts failures by key.

    Args:
        clock: Seconds that never go back, such as `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Failures] = OrderedDict()
        self._guard = Lock()

    def begin(self, free: Mapping[str, int]) -> None:
        """Count a try as a failure until `succeed` says otherwise, so that tries at the same moment count one another.

        Args:
            free: What the try is counted under, for example the name and the address → failures that cost no waiting.

        Raises:
            ThrottledError: It has to wait; this try is not counted.
        """
        at = self._clock()
        with self._guard:
            wait = max((self._wait(key, most, at) for key, most in free.items()), default=0.0)
            if wait > 0:
                raise ThrottledError("Too many tries to sign in", remedy=f"wait {wait:.0f} s", seconds=wait)
            for key in free:
                self._put(key, _Failures(self._count(key, at) + 1, at))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def succeed(self, name: str, *others: str) -> None:
        """Forget the failures under the name; under the other keys take back what this try counted."""
        with self._guard:
            self._kept.pop(name, None)
            for key in others:
                found = self._kept.get(key)
                if found is not None:
                    self._kept[key] = _Failures(max(0, found.count - 1), found.last)

    def _put(self, key: str, failures: _Failures) -> None:
        self._kept[key] = failures
        self._kept.move_to_end(key)

    def _count(self, key: str, at: float) -> int:
        found = self._kept.get(key)
        return 0 if found is None or at - found.last > FORGET_SECONDS else found.count

    def _wait(self, key: str, free: int, at: float) -> float:
        found = self._kept.get(key)
        over = self._count(key, at) - free
        if found is None or over < 0:
            return 0.0
        return max(0.0, found.last + min(2.0 ** min(over, 30), LONGEST_WAIT) - at)
