import pytest

from medloop.core.errors import StateError
from medloop.core.states import JOB_MOVES, ROUND_MOVES, JobState, RoundState, move_job, move_round


def test_a_round_runs_through_its_states() -> None:
    state = RoundState.QUERYING
    for target in ("annotating", "reconciling", "training", "evaluating", "closed"):
        state = move_round(state, RoundState(target))
    assert state is RoundState.CLOSED


@pytest.mark.parametrize("current", RoundState)
@pytest.mark.parametrize("target", RoundState)
def test_round_moves_outside_the_table_are_refused(current: RoundState, target: RoundState) -> None:
    if target in ROUND_MOVES[current]:
        assert move_round(current, target) is target
    else:
        with pytest.raises(StateError, match=f"from {current} to {target}"):
            move_round(current, target)


@pytest.mark.parametrize("current", JobState)
@pytest.mark.parametrize("target", JobState)
def test_job_moves_outside_the_table_are_refused(current: JobState, target: JobState) -> None:
    if target in JOB_MOVES[current]:
        assert move_job(current, target) is target
    else:
        with pytest.raises(StateError):
            move_job(current, target)


def test_a_finished_job_says_that_it_has_ended() -> None:
    with pytest.raises(StateError, match="it has ended"):
        move_job(JobState.DONE, JobState.RUNNING)
