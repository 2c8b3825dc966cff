from dataclasses import dataclass
from threading import Thread

import pytest

from medloop.core.errors import ConflictError, InputError, NotFoundError
from medloop.core.records import Job
from medloop.core.states import JobState
from medloop.store import audit
from medloop.store.jobs import JobQueue
from medloop.store.store import Store


@dataclass
class Clock:
    """Seconds that pass only when a test says so."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def claimed(queue: JobQueue, owner: str = "worker-1") -> Job:
    job = queue.claim(owner)
    assert job is not None
    return job


def watched(store: Store) -> tuple[JobQueue, Clock]:
    clock = Clock()
    return JobQueue(store.database, clock=clock), clock


def verbs(store: Store) -> list[str]:
    with store.read() as tx:
        return [event.verb for event in tx.events()]


def test_a_job_goes_from_queued_over_running_to_done(store: Store) -> None:
    queued = store.jobs.enqueue("train", {"model": "m"}, priority=2)
    assert store.jobs.get(queued.id) == queued
    job = claimed(store.jobs)
    assert (job.id, job.state, job.owner, job.attempt) == (queued.id, JobState.RUNNING, "worker-1", 1)
    assert store.jobs.heartbeat(job, progress=0.5, message="step 5")
    assert (store.jobs.get(job.id).progress, store.jobs.get(job.id).message) == (0.5, "step 5")
    done = store.jobs.finish(job, {"model_id": "model-1"})
    assert (done.state, done.progress, done.result) == (JobState.DONE, 1.0, {"model_id": "model-1"})
    assert store.jobs.get(job.id) == done
    assert verbs(store) == ["enqueue", "finish"]


def test_an_empty_queue_gives_nothing(store: Store) -> None:
    assert store.jobs.claim("worker-1") is None


def test_higher_priority_first_then_in_order_of_arrival(store: Store) -> None:
    for kind, priority in (("first", 0), ("second", 0), ("urgent", 5)):
        store.jobs.enqueue(kind, {}, priority=priority)
    assert [claimed(store.jobs).kind for _ in range(3)] == ["urgent", "first", "second"]


def test_a_worker_takes_only_kinds_it_knows(store: Store) -> None:
    store.jobs.enqueue("train", {})
    assert store.jobs.claim("worker-1", kinds=["predict"]) is None
    assert store.jobs.claim("worker-1", kinds=["predict", "train"]) is not None


def test_a_key_that_waits_or_runs_gives_the_same_job(store: Store) -> None:
    first = store.jobs.enqueue("train", {}, key="next")
    assert store.jobs.enqueue("train", {}, key="next").id == first.id
    running = claimed(store.jobs)
    assert store.jobs.enqueue("train", {}, key="next").id == first.id
    store.jobs.finish(running, {})
    assert store.jobs.enqueue("train", {}, key="next").id != first.id


def test_a_failure_is_tried_again_until_the_attempts_are_used_up(store: Store) -> None:
    store.jobs.enqueue("train", {}, max_attempts=2)
    assert store.jobs.fail(claimed(store.jobs), "no memory").state is JobState.QUEUED
    failed = store.jobs.fail(claimed(store.jobs), "no memory again")
    assert (failed.state, failed.error, failed.attempt) == (JobState.FAILED, "no memory again", 2)
    assert store.jobs.claim("worker-1") is None


def test_a_failure_that_cannot_be_mended_fails_at_once(store: Store) -> None:
    store.jobs.enqueue("train", {})
    assert store.jobs.fail(claimed(store.jobs), "bad recipe", retry=False).state is JobState.FAILED


def test_a_queued_job_is_cancelled_at_once(store: Store) -> None:
    job = store.jobs.enqueue("train", {})
    assert store.jobs.cancel(job.id).state is JobState.CANCELLED
    assert store.jobs.claim("worker-1") is None
    assert store.jobs.cancel(job.id).state is JobState.CANCELLED


def test_a_running_job_is_told_to_stop_at_its_heartbeat(store: Store) -> None:
    store.jobs.enqueue("train", {})
    job = claimed(store.jobs)
    assert store.jobs.cancel(job.id, actor="ann").state is JobState.RUNNING
    assert not store.jobs.heartbeat(job)
    assert store.jobs.cancelled(job).state is JobState.CANCELLED


def test_a_job_that_fails_after_it_was_asked_to_stop_is_not_tried_again(store: Store) -> None:
    store.jobs.enqueue("train", {})
    job = claimed(store.jobs)
    store.jobs.cancel(job.id)
    assert store.jobs.fail(job, "interrupted").state is JobState.CANCELLED


def test_a_silent_worker_loses_its_job_after_one_lease_of_watching(store: Store) -> None:
    queue, clock = watched(store)
    store.jobs.enqueue("train", {})
    lost = claimed(store.jobs, "dead")
    assert queue.claim("alive") is None, "the first look starts the watch"
    clock.seconds += 14.9
    assert queue.claim("alive") is None
    clock.seconds += 0.2
    job = claimed(queue, "alive")
    assert (job.id, job.owner, job.attempt) == (lost.id, "alive", 2)
    assert "dead is gone" in queue.logs(job.id)[0].text


def test_a_heartbeat_starts_the_lease_anew(store: Store) -> None:
    queue, clock = watched(store)
    store.jobs.enqueue("train", {})
    job = claimed(store.jobs, "slow")
    for _ in range(5):
        assert queue.claim("other") is None
        clock.seconds += 10
        assert store.jobs.heartbeat(job)


def test_a_longer_lease_is_respected(store: Store) -> None:
    queue, clock = watched(store)
    store.jobs.enqueue("train", {})
    assert store.jobs.claim("slow", lease_seconds=100) is not None
    assert queue.claim("other") is None
    clock.seconds += 99
    assert queue.claim("other") is None


def test_a_stalled_worker_is_fenced_out(store: Store) -> None:
    queue, clock = watched(store)
    store.jobs.enqueue("train", {})
    stale = claimed(store.jobs, "stalled")
    queue.claim("alive")
    clock.seconds += 60
    fresh = claimed(queue, "alive")
    for call in (
        lambda: store.jobs.heartbeat(stale),
        lambda: store.jobs.finish(stale, {}),
        lambda: store.jobs.fail(stale, "x"),
        lambda: store.jobs.cancelled(stale),
    ):
        with pytest.raises(ConflictError, match="no longer belongs to stalled"):
            call()
    assert queue.finish(fresh, {"by": "alive"}).result == {"by": "alive"}


def test_the_same_worker_is_fenced_by_its_attempt(store: Store) -> None:
    store.jobs.enqueue("train", {})
    first = claimed(store.jobs)
    store.jobs.fail(first, "once more")
    claimed(store.jobs)
    with pytest.raises(ConflictError):
        store.jobs.finish(first, {})


def test_a_job_that_kills_its_workers_fails_for_good(store: Store) -> None:
    queue, clock = watched(store)
    store.jobs.enqueue("train", {}, max_attempts=2)
    for number in (1, 2):
        claimed(queue, f"victim-{number}")
        assert queue.claim("next") is None
        clock.seconds += 20
    assert queue.claim("next") is None
    poisonous = queue.list(JobState.FAILED)[0]
    assert poisonous.error == "Its worker died 2 times; the last one was victim-2"


def test_a_lost_job_that_was_to_stop_is_cancelled(store: Store) -> None:
    queue, clock = watched(store)
    job = store.jobs.enqueue("train", {})
    claimed(store.jobs, "dead")
    queue.cancel(job.id)
    queue.claim("alive")
    clock.seconds += 20
    assert queue.claim("alive") is None
    assert queue.get(job.id).state is JobState.CANCELLED


def test_many_workers_never_share_a_job(store: Store) -> None:
    expected = {store.jobs.enqueue("k", {"n": n}).id for n in range(24)}
    taken: list[str] = []

    def work(owner: str) -> None:
        while job := store.jobs.claim(owner):
            taken.append(job.id)
            store.jobs.finish(job, {})

    threads = [Thread(target=work, args=(f"worker-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(expected)
    assert audit.verify(store, blobs=False).ok


def test_logs_are_read_from_where_one_left_off(store: Store) -> None:
    one, two = store.jobs.enqueue("a", {}), store.jobs.enqueue("b", {})
    for text in ("loading", "step 1"):
        store.jobs.log(one.id, text)
    store.jobs.log(two.id, "other")
    lines = store.jobs.logs(one.id)
    assert [line.text for line in lines] == ["loading", "step 1"]
    assert store.jobs.logs(one.id, after=lines[-1].seq) == []


def test_jobs_are_listed_newest_first(store: Store) -> None:
    ids = [store.jobs.enqueue("k", {}).id for _ in range(3)]
    assert [job.id for job in store.jobs.list(limit=2)] == ids[:0:-1]


def test_wrong_requests_say_so(store: Store) -> None:
    with pytest.raises(InputError, match="at least 1 attempt"):
        store.jobs.enqueue("k", {}, max_attempts=0)
    with pytest.raises(InputError, match=r"Job.payload\['x'\]"):
        store.jobs.enqueue("k", {"x": object()})
    with pytest.raises(NotFoundError, match="no job 'nope'"):
        store.jobs.get("nope")
    with pytest.raises(InputError):
        store.jobs.log("nope", "line")


def test_a_broken_result_leaves_the_job_running(store: Store) -> None:
    store.jobs.enqueue("k", {})
    job = claimed(store.jobs)
    with pytest.raises(InputError, match="finite"):
        store.jobs.finish(job, {"loss": float("nan")})
    assert store.jobs.get(job.id).state is JobState.RUNNING
