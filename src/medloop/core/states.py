"""State machines of rounds and jobs, without any input or output.

Round:  querying → annotating → reconciling → training → evaluating → closed
        any open state → failed → (retry) querying | training
Job:    queued → running → done | failed | cancelled;  running → queued when its lease runs out
"""

from enum import StrEnum
from typing import TypeVar

from medloop.core.errors import StateError


class RoundState(StrEnum):
    """Where a round is."""

    QUERYING = "querying"
    ANNOTATING = "annotating"
    RECONCILING = "reconciling"
    TRAINING = "training"
    EVALUATING = "evaluating"
    CLOSED = "closed"
    FAILED = "failed"


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


State = TypeVar("State", RoundState, JobState)
_R, _J = RoundState, JobState
ROUND_MOVES: dict[RoundState, frozenset[RoundState]] = {
    _R.QUERYING: frozenset({_R.ANNOTATING, _R.FAILED, _R.CLOSED}),
    _R.ANNOTATING: frozenset({_R.RECONCILING, _R.FAILED}),
    _R.RECONCILING: frozenset({_R.TRAINING, _R.CLOSED, _R.FAILED}),
    _R.TRAINING: frozenset({_R.EVALUATING, _R.CLOSED, _R.FAILED}),
    _R.EVALUATING: frozenset({_R.CLOSED, _R.FAILED}),
    _R.CLOSED: frozenset(),
    _R.FAILED: frozenset({_R.QUERYING, _R.TRAINING}),
}
JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    _J.QUEUED: frozenset({_J.RUNNING, _J.CANCELLED}),
    _J.RUNNING: frozenset({_J.DONE, _J.FAILED, _J.CANCELLED, _J.QUEUED}),
    _J.DONE: frozenset(),
    _J.FAILED: frozenset({_J.QUEUED}),
    _J.CANCELLED: frozenset({_J.QUEUED}),
}


def move_round(current: RoundState, target: RoundState) -> RoundState:
    """The target state, if the move is allowed.

    Raises:
        StateError: Naming both states and the moves that are allowed.
    """
    return _moved("round", ROUND_MOVES[current], current, target)


def move_job(current: JobState, target: JobState) -> JobState:
    """The target state, if the move is allowed; raises as `move_round`."""
    return _moved("job", JOB_MOVES[current], current, target)


def _moved(noun: str, moves: frozenset[State], current: State, target: State) -> State:
    if target not in moves:
        remedy = f"allowed next: {', '.join(sorted(moves)) or 'nothing, it has ended'}"
        raise StateError(f"A {noun} cannot go from {current} to {target}", remedy=remedy)
    return target
