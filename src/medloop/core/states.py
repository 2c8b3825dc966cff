"""State machines of rounds and jobs, without any input or output.

Round:  querying → annotating → reconciling → training → evaluating → closed
        any open state → failed → (retry) querying | training
Job:    queued → running → done | failed | cancelled;  running → queued when its lease runs out
"""

from enum import StrEnum

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
    if target not in ROUND_MOVES[current]:
        raise StateError(f"A round cannot go from {current} to {target}", remedy=_allowed(ROUND_MOVES[current]))
    return target


def move_job(current: JobState, target: JobState) -> JobState:
    """The target state, if the move is allowed.

    Raises:
        StateError: Naming both states and the moves that are allowed.
    """
    if target not in JOB_MOVES[current]:
        raise StateError(f"A job cannot go from {current} to {target}", remedy=_allowed(JOB_MOVES[current]))
    return target


def _allowed(moves: frozenset[RoundState] | frozenset[JobState]) -> str:
    return f"allowed next: {', '.join(sorted(moves)) or 'nothing, it has ended'}"
