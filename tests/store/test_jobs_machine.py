"""The queue against a model of it: whatever workers, users and time do, no job runs twice at once."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from medloop.core.errors import ConflictError
from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.store import audit
from medloop.store.jobs import JobQueue
from medloop.store.store import Store

ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
WORKERS = ("one", "two")


class QueueMachine(RuleBasedStateMachine):
    """Two workers with their own watches; `held` is who the model says may finish what."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="medloop-queue-"))
        self.store = Store.create(self.folder / "project")
        self.seconds = 0.0
        self.queues = {name: JobQueue(self.store.database, clock=lambda: self.seconds) for name in WORKERS}
        self.held: dict[str, Job] = {}
        self.stale: list[Job] = []
        self.ended: dict[str, JobState] = {}

    def teardown(self) -> None:
        assert audit.verify(self.store, blobs=False).ok
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(attempts=st.integers(1, 2))
    def enqueue(self, attempts: int) -> None:
        self.store.jobs.enqueue("k", {}, max_attempts=attempts)

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        job = self.queues[worker].claim(worker)
        self._forget_lost()
        if job is not None:
            assert job.id not in self.held, "the job already runs"
            assert job.id not in self.ended, "the job has ended"
            assert job.attempt <= job.max_attempts
            self.held[job.id] = job

    @rule(seconds=st.sampled_from([1.0, 8.0, 16.0]))
    def pass_time(self, seconds: float) -> None:
        self.seconds += seconds

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.store.jobs.heartbeat(self._any_held(data))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "cancelled"]))
    def end(self, data: st.DataObject, how: str) -> None:
        job = self._any_held(data)
        if how == "finish":
            after = self.store.jobs.finish(job, {})
        elif how == "fail":
            after = self.store.jobs.fail(job, "went wrong")
        else:
            after = self.store.jobs.cancelled(job)
        self.stale.append(self.held.pop(job.id))
        if after.state in ENDED:
            self.ended[job.id] = after.state

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        known = self.store.jobs.list()
        if known:
            job = data.draw(st.sampled_from(known))
            after = self.store.jobs.cancel(job.id)
            if after.state in ENDED:
                self.ended[job.id] = after.state

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def stale_workers_are_refused(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.stale))
        try:
            self.store.jobs.finish(job, {})
        except ConflictError:
            return
        raise AssertionError("a stale worker finished a job")

    @invariant()
    def running_jobs_have_one_holder_and_ended_ones_stay_ended(self) -> None:
        now = {job.id: job for job in self.store.jobs.list()}
        assert {id for id, job in now.items() if job.state == JobState.RUNNING} == set(self.held)  # noqa: A001
        assert all(now[id].state == state for id, state in self.ended.items())  # noqa: A001

    def _any_held(self, data: st.DataObject) -> Job:
        return self.held[data.draw(st.sampled_from(sorted(self.held)))]

    def _forget_lost(self) -> None:
        """A claim may have taken jobs from silent workers: they are stale from now on."""
        for job in list(self.held.values()):
            current = self.store.jobs.get(job.id)
            if (current.state, current.attempt, current.owner) != (JobState.RUNNING, job.attempt, job.owner):
                self.stale.append(self.held.pop(job.id))
                if current.state in ENDED:
                    self.ended[job.id] = current.state


QueueMachine.TestCase.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
test_whatever_happens_no_job_runs_twice_at_once = QueueMachine.TestCase
