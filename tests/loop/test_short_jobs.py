"""A consensus takes seconds: it does not wait for the training under way, and loses nothing when its process is killed."""

import signal
import threading
from collections.abc import Callable

import pytest

from medloop.core.records import Consensus, Job
from medloop.core.states import JobState
from medloop.loop.foundation.job_kinds import ARCHIVE, SHORT, PullSeries, Reconcile, Train, request_job
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import Apart, beside, run_job
from medloop.store import audit

from .conftest import MakeWorkspace
from .test_readings import cube, first_case, people, read_case, with_readings
from .test_work import claim_from_the_dead, start_worker, wait_until_progress

RULES = with_readings(readings=2, consensus="majority", read_twice=0.0, train_steps=4000)


def consensuses(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return tx.count(Consensus)


def read_by(workspace: Workspace, name: str, start: int) -> None:
    (person,) = people(workspace, name)
    read_case(workspace, first_case(workspace).id, person, cube(start))


def test_a_consensus_is_made_while_a_training_runs(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=4, settings=RULES)
    training = start_training(workspace)
    worker = start_worker(workspace.folder, "first")
    try:
        wait_until_progress(workspace, training.id, 0.0001)
        assert workspace.store.jobs.get(training.id).state == JobState.RUNNING
        read_by(workspace, "Ann", 4)
        read_by(workspace, "Bob", 6)
        while not consensuses(workspace) and workspace.store.jobs.get(training.id).state == JobState.RUNNING:
            signal.sigtimedwait([], 0.02)
        assert consensuses(workspace) == 1
        assert workspace.store.jobs.get(training.id).state == JobState.RUNNING
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert audit.verify(workspace.store).ok


def test_a_consensus_whose_worker_was_killed_is_made_once_by_the_next(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"], settings=RULES)
    read_by(workspace, "Ann", 4)
    read_by(workspace, "Bob", 6)
    dead = workspace.store.jobs.claim("dead", kinds=["reconcile"])
    assert dead is not None
    run_job(workspace, dead, stop=lambda: True)
    assert consensuses(workspace) == 0
    assert workspace.store.jobs.claim("dead", kinds=["reconcile"]) is not None
    again = claim_from_the_dead(workspace)
    assert again is not None
    assert again.id == dead.id
    run_job(workspace, again)
    run_job(workspace, request_and_claim(workspace))
    assert consensuses(workspace) == 1


def request_and_claim(workspace: Workspace) -> Job:
    request_job(workspace, Reconcile(), "once more")
    job = workspace.store.jobs.claim("third", kinds=["reconcile"])
    assert job is not None
    return job


def test_who_runs_long_jobs_leaves_the_short_ones_to_the_lane_beside(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    request_job(workspace, Reconcile(), "a")
    training = request_job(workspace, Train(), "b")
    claimed = workspace.store.jobs.claim("long", but=["reconcile"])
    assert claimed is not None
    assert claimed.id == training.id
    assert workspace.store.jobs.claim("long", but=["reconcile"]) is None


def test_a_pull_keeps_neither_a_consensus_nor_a_training_waiting(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    pull = request_job(workspace, PullSeries("web", "nothing"), "a")
    consensus, training = request_job(workspace, Reconcile(), "b"), request_job(workspace, Train(), "c")
    lanes = ({"kinds": ARCHIVE}, {"kinds": SHORT}, {"but": (*SHORT, *ARCHIVE)})
    claimed = [workspace.store.jobs.claim(f"lane{n}", **lane) for n, lane in enumerate(lanes)]
    assert [job.id for job in claimed if job] == [pull.id, consensus.id, training.id]


def take_turns_until_one_fails(turn: Callable[[], bool]) -> None:
    with beside(turn) as failed:
        while not failed():
            signal.sigtimedwait([], 0.02)


def test_a_turn_that_fails_ends_the_block_beside_it_and_is_raised() -> None:
    turns = iter([True, False])

    def turn() -> bool:
        found = next(turns, None)
        if found is None:
            raise OSError("the disk is gone")
        return found

    with pytest.raises(OSError, match="the disk is gone"):
        take_turns_until_one_fails(turn)


def test_a_slow_archive_delays_no_other_project(make_workspace: MakeWorkspace) -> None:
    slow, quick = (make_workspace([], name=name) for name in ("slow", "quick"))
    answered, began, ran = threading.Event(), threading.Event(), list[str]()

    def talk(workspace: Workspace) -> None:
        if workspace is slow:
            began.set()
            assert answered.wait(10)
        ran.append(workspace.project.name)
        if workspace is quick:
            answered.set()

    apart = Apart(2, talk)
    try:
        apart.turn([slow])
        assert began.wait(10)
        apart.turn([slow, quick])  # the slow one has a turn under way: no second one at the same time
        assert answered.wait(10)
    finally:
        apart.close()
    assert ran == ["quick", "slow"]


def test_a_turn_apart_that_failed_is_raised_by_the_next(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([])

    def fail(_workspace: Workspace) -> None:
        raise OSError("the disk is gone")

    apart = Apart(1, fail)
    apart.turn([workspace])
    apart.close()  # it has failed by now
    with pytest.raises(OSError, match="the disk is gone"):
        apart.turn([workspace])
