"""Who may use the server: a bounded number of leases, taken back when their holder is idle or dead.

Two clocks run for each lease: the idle one counts from the last action of a person, the liveness one from the last
sign of the program (a heartbeat every half minute). While a request of a lease is worked on, neither counts. One
lock guards the table; what a lease holds is never touched under it.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from medloop.core.errors import NotFoundError, UnavailableError

Held = TypeVar("Held")
Clock = Callable[[], float]
"""Seconds from any fixed moment, never going back."""


class LeaseGoneError(NotFoundError, code="lease_gone"):
    """No such lease, or no longer."""


class FullError(UnavailableError, code="full"):
    """All leases are taken."""


@dataclass
class _Lease(Generic[Held]):
    held: Held
    active_at: float
    seen_at: float
    working: int = 0


@dataclass(frozen=True)
class Terms:
    """On what terms leases are given.

    Attributes:
        most: How many may be held at once.
        idle_seconds: How long a person may do nothing.
        liveness_seconds: How long a program may say nothing.
        clock: The time.
    """

    most: int = 3
    idle_seconds: float = 600.0
    liveness_seconds: float = 60.0
    clock: Clock = time.monotonic


class Leases(Generic[Held]):
    """The table of leases; `make` makes what a new one holds."""

    def __init__(self, make: Callable[[], Held], terms: Terms) -> None:
        self._make = make
        self.terms = terms
        self._held: dict[str, _Lease[Held]] = {}
        self._guard = threading.Lock()

    def claim(self) -> str:
        """Take a lease; its token.

        Raises:
            FullError: None is free.
        """
        with self._guard:
            self._sweep()
            if len(self._held) >= self.terms.most:
                remedy = "close another front end, or try again later"
                raise FullError(f"The server is at capacity ({self.terms.most} sessions)", remedy=remedy)
            token = secrets.token_hex(16)
            now = self.terms.clock()
            self._held[token] = _Lease(self._make(), now, now)
            return token

    def release(self, token: str | None) -> None:
        """Give a lease back; one that is gone already is no error."""
        with self._guard:
            self._held.pop(token or "", None)

    def holds(self, token: str) -> bool:
        """Whether a lease is still held; tells nothing to the clocks."""
        with self._guard:
            return token in self._held

    def remaining(self, token: str | None, *, seen: bool) -> float:
        """Seconds until the idle clock runs out; being asked is a sign of life where it is `seen` (a heartbeat), else only a look.

        Raises:
            LeaseGoneError: No such lease.
        """
        with self._guard:
            lease = self._find(token)
            if seen:
                lease.seen_at = self.terms.clock()
            return max(0.0, self.terms.idle_seconds - (self.terms.clock() - lease.active_at))

    @contextmanager
    def use(self, token: str | None) -> Iterator[Held]:
        """Work for a lease: a person's action, which both clocks wait for.

        Raises:
            LeaseGoneError: No such lease.
        """
        with self._guard:
            lease = self._find(token)
            lease.working += 1
        try:
            yield lease.held
        finally:
            with self._guard:
                lease.working -= 1
                lease.active_at = lease.seen_at = self.terms.clock()

    def sweep(self) -> int:
        """Take back what nobody uses; how many there were."""
        with self._guard:
            return self._sweep()

    def _sweep(self) -> int:
        now = self.terms.clock()
        idle, silent = now - self.terms.idle_seconds, now - self.terms.liveness_seconds
        over = [t for t, lease in self._held.items() if not lease.working and (lease.seen_at < silent or lease.active_at < idle)]
        for token in over:
            del self._held[token]
        return len(over)

    def _find(self, token: str | None) -> _Lease[Held]:
        self._sweep()
        lease = self._held.get(token or "")
        if lease is None:
            raise LeaseGoneError("The lease is unknown or has expired", remedy="claim a new session")
        return lease
