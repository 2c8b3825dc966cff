"""Whose turn it is to compute: one refinement at a time per person, and the newest prompt of an assignment counts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from medloop.interaction.engine import StillWanted, require_wanted


class Turns:
    """Hands out turns to threads."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._newest: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._people: defaultdict[str, Lock] = defaultdict(Lock)

    @contextmanager
    def take(self, person: str, assignment_id: str) -> Iterator[StillWanted]:
        """Wait for this person's turn, no longer wanted if somebody asks for the same assignment; gives whether no newer request came.

        Raises:
            CancelledError: A newer one came while this one waited.
        """
        with self._guard:
            self._newest[assignment_id] += 1
            self._waiting[assignment_id] += 1
            number, turn = self._newest[assignment_id], self._people[person]

        def wanted() -> bool:
            return self._newest[assignment_id] == number

        with turn:
            with self._guard:
                self._waiting[assignment_id] -= 1
            require_wanted(wanted)
            yield wanted

    def waits(self, assignment_id: str) -> int:
        """How many requests of an assignment wait for their turn."""
        return self._waiting[assignment_id]
