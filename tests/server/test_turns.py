"""One refinement at a time per person; the newest gesture of an assignment counts; nobody waits for anybody else."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from medloop.core.errors import CancelledError
from medloop.server.processes.turns import Turns


def test_a_newer_request_of_the_same_assignment_ends_the_older_one() -> None:
    turns = Turns()
    with ThreadPoolExecutor(1) as threads, turns.take("ann", "a") as wanted:
        assert wanted()
        newer = threads.submit(_ask, turns, "ann", "a")
        while wanted():
            threading.Event().wait(0.002)
        assert not newer.done(), "it waits for this person's turn"
    assert newer.result() is True


def test_one_that_waited_too_long_never_starts() -> None:
    turns = Turns()
    with ThreadPoolExecutor(2) as threads, turns.take("ann", "a"):
        waiting = threads.submit(_ask, turns, "ann", "b")
        while not turns.waits("b"):
            threading.Event().wait(0.002)
        last = threads.submit(_ask, turns, "ann", "b")
        while turns.waits("b") < 2:
            threading.Event().wait(0.002)
    with pytest.raises(CancelledError):
        waiting.result()
    assert last.result() is True


def test_other_people_and_their_assignments_are_left_alone() -> None:
    turns = Turns()
    with turns.take("ann", "a") as mine, turns.take("ben", "b") as theirs:
        assert mine()
        assert theirs()


def _ask(turns: Turns, person: str, assignment: str) -> bool:
    with turns.take(person, assignment) as wanted:
        return wanted()
