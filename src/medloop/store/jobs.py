"""Background work in a table: claimed by one worker at a time, taken over when that one dies.

    queued → running → done | failed | cancelled;   running → queued when its worker is gone

Leases are judged by watching beats, not by comparing times (see `leases.py`). A worker that was only
stalled finds itself fenced out: every call checks (id, owner, attempt).

Each call is a short transaction of its own. Enqueue, cancel and every end are audit events; claims and
heartbeats are not. Calls inside `Store.write` in the same thread are refused.
"""

import builtins
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, select, update

from medloop.core.errors import ConflictError, InputError, NotFoundError
from medloop.core.records import Job, Json, new_id, now
from medloop.core.states import JobState, move_job
from medloop.store.database import Database
from medloop.store.events import append_event
from medloop.store.leases import Pulse, Watch
from medloop.store.rows import encode_fields, from_row, kind_of, to_row
from medloop.store.tables import job_logs, jobs

LEASE_SECONDS = 15.0
"""A worker silent for so long is taken for dead; its job goes on elsewhere."""

_ACTIVE = (JobState.QUEUED.value, JobState.RUNNING.value)


@dataclass(frozen=True)
class LogLine:
    """One line a user can read; `seq` rises, use the last one as `after`."""

    seq: int
    at: str
    text: str


class JobQueue:
    """The queue of one store; its clock never goes back."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._watch = Watch(clock)

    def enqueue(
        self, kind: str, payload: Json, *, key: str | None = None, priority: int = 0, max_attempts: int = 3, actor: str = "system"
    ) -> Job:
        """Ask for work.

        Args:
            kind: What a worker should run.
            payload: Ids and numbers only.
            key: A key that is queued or running already gives that job back instead of a second one.
            priority: Higher runs first; equal ones in the order they came.
            max_attempts: Starts before the job counts as poisonous.
            actor: Who asks, for the audit.

        Raises:
            InputError: Not at least one attempt, or a payload JSON cannot hold.
        """
        if max_attempts < 1:
            raise InputError(f"A job needs at least 1 attempt, got {max_attempts}")
        job = Job(
            id=new_id("job"),
            kind=kind,
            payload=payload,
            state=JobState.QUEUED,
            key=key,
            priority=priority,
            max_attempts=max_attempts,
            created_at=now(),
        )
        with self._database.writing() as connection:
            waiting = _first(connection, select(jobs).where(jobs.c.key == key, jobs.c.state.in_(_ACTIVE))) if key is not None else None
            if waiting is not None:
                return waiting
            row = to_row(job)
            body = {name: row[name] for name in ("kind", "payload", "key", "priority", "max_attempts", "created_at")}
            added = append_event(connection, actor=actor, verb="enqueue", noun="job", noun_id=job.id, body=body)
            extra = {"beat": 0, "lease_seconds": LEASE_SECONDS, "event": added.seq}
            connection.execute(insert(jobs), {**row, **extra})
        return job

    def claim(
        self, owner: str, *, kinds: Collection[str] | None = None, but: Collection[str] = (), lease_seconds: float = LEASE_SECONDS
    ) -> Job | None:
        """Take the next job after giving back those whose worker is gone; None for nothing to do.

        Args:
            owner: Who takes it; owners must differ.
            kinds: Only jobs of these kinds; None for all.
            but: No jobs of these kinds.
            lease_seconds: How long the owner may be silent.
        """
        lost = self._lost()
        with self._database.reading() as connection:
            waiting = connection.execute(_next_queued(kinds, but)).first()
        for pulse in lost:
            self._give_back(pulse)
        if waiting is None and not lost:
            return None
        skip = _next_queued(kinds, but).with_for_update(skip_locked=True)
        values = {
            "state": JobState.RUNNING.value,
            "owner": owner,
            "attempt": jobs.c.attempt + 1,
            "beat": jobs.c.beat + 1,
            "lease_seconds": float(lease_seconds),
            "started_at": now(),
            "progress": 0.0,
            "message": "",
        }
        with self._database.writing(chained=False) as connection:
            return _first(connection, update(jobs).where(jobs.c.id == skip.scalar_subquery()).values(values).returning(jobs))

    def heartbeat(self, job: Job, *, progress: float | None = None, message: str | None = None) -> bool:
        """Tell that the job is alive, at least every third of the lease; False when it should stop and call `cancelled`.

        Raises:
            ConflictError: Another worker has the job now; stop without finishing.
        """
        values: dict[str, Any] = {"beat": jobs.c.beat + 1, "lease_seconds": LEASE_SECONDS}
        if progress is not None:
            values["progress"] = min(1.0, max(0.0, float(progress)))
        if message is not None:
            values["message"] = message
        with self._database.writing(chained=False) as connection:
            row = connection.execute(update(jobs).where(*_held(job)).values(values).returning(jobs.c.cancel_requested)).first()
        if row is None:
            raise _fenced_out(job)
        return not row.cancel_requested

    def finish(self, job: Job, result: Json) -> Job:
        """The job is done.

        Raises:
            ConflictError: Another worker has the job now; the result is not kept.
        """
        return self._end(job, JobState.DONE, "finish", {"result": result, "progress": 1.0})

    def fail(self, job: Job, error: str, *, retry: bool = True) -> Job:
        """The job went wrong, in one line for the user: queued again while it has attempts left and `retry` allows, otherwise failed.

        Raises:
            ConflictError: Another worker has the job now.
        """
        again = retry and job.attempt < job.max_attempts
        return self._end(job, JobState.QUEUED if again else JobState.FAILED, "retry" if again else "fail", {"error": error})

    def cancelled(self, job: Job) -> Job:
        """The job has stopped because it was asked to.

        Raises:
            ConflictError: Another worker has the job now.
        """
        return self._end(job, JobState.CANCELLED, "cancel", {})

    def release(self, job: Job) -> Job:
        """The worker must stop, not the job: back to the queue, and this start does not count as an attempt.

        Raises:
            ConflictError: Another worker has the job now.
        """
        return self._end(job, JobState.QUEUED, "release", {"attempt": job.attempt - 1})

    def cancel(self, job_id: str, *, actor: str = "system") -> Job:
        """Ask a job to stop: a queued one is cancelled at once, a running one at its next heartbeat.

        Raises:
            NotFoundError: No such job.
        """
        with self._database.writing() as connection:
            job = _existing(connection, job_id)
            if job.state == JobState.QUEUED:
                values: dict[str, Any] = {"state": JobState.CANCELLED.value, "cancel_requested": True, "finished_at": now()}
            elif job.state == JobState.RUNNING and not job.cancel_requested:
                values = {"cancel_requested": True}
            else:
                return job
            append_event(connection, actor=actor, verb="cancel", noun="job", noun_id=job_id, body={"was": job.state.value})
            unmoved = update(jobs).where(jobs.c.id == job_id, jobs.c.state == job.state.value)
            changed = _first(connection, unmoved.values(values).returning(jobs))
        if changed is None:
            raise ConflictError(f"The job {job_id} moved on while it was being cancelled", remedy="look again and repeat")
        return changed

    def get(self, job_id: str) -> Job:
        """The job of that id.

        Raises:
            NotFoundError: No such job.
        """
        with self._database.reading() as connection:
            return _existing(connection, job_id)

    def active(self, kind: str, keys: Collection[str] | None = None) -> bool:
        """Whether a job of that kind, or of one of these keys, waits or runs."""
        query = _of_kind(select(jobs.c.id), kind, keys).where(jobs.c.state.in_(_ACTIVE)).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def newest(self, kind: str, keys: Collection[str] | None = None) -> Job | None:
        """The job of that kind, or of one of these keys, that was asked for last."""
        with self._database.reading() as connection:
            return _first(connection, _of_kind(select(jobs), kind, keys).order_by(jobs.c.event.desc()).limit(1))

    def list(self, state: JobState | None = None, limit: int = 100) -> builtins.list[Job]:
        """Jobs, newest first."""
        query = select(jobs).order_by(jobs.c.event.desc()).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == JobState(state).value)
        with self._database.reading() as connection:
            return [from_row(kind_of(Job), row) for row in connection.execute(query).mappings()]

    def log(self, job_id: str, line: str) -> None:
        """Add a line to the log a user reads.

        Raises:
            InputError: No such job.
        """
        with self._database.writing(chained=False) as connection:
            connection.execute(insert(job_logs), {"job_id": job_id, "at": now(), "text": line.replace("\x00", "")})

    def logs(self, job_id: str, after: int = 0, limit: int = 1000) -> builtins.list[LogLine]:
        """Lines whose number is above `after`, in order."""
        query = select(job_logs.c.seq, job_logs.c.at, job_logs.c.text).where(job_logs.c.job_id == job_id, job_logs.c.seq > after)
        with self._database.reading() as connection:
            return [LogLine(**row) for row in connection.execute(query.order_by(job_logs.c.seq).limit(limit)).mappings()]

    def _lost(self) -> builtins.list[Pulse]:
        """Running jobs whose worker is gone."""
        query = select(jobs.c.id, jobs.c.attempt, jobs.c.beat, jobs.c.lease_seconds).where(jobs.c.state == JobState.RUNNING.value)
        with self._database.reading() as connection:
            return self._watch.silent([Pulse(*row) for row in connection.execute(query)])

    def _give_back(self, pulse: Pulse) -> None:
        """Take a job from a worker that is gone, unless it beat again in this moment."""
        silent = (jobs.c.id == pulse.job_id, jobs.c.attempt == pulse.attempt, jobs.c.beat == pulse.beat)
        still_silent = (*silent, jobs.c.state == JobState.RUNNING.value)
        with self._database.writing() as connection:
            job = _first(connection, select(jobs).where(*still_silent).with_for_update())
            if job is None:
                return
            verb, values = _after_loss(job)
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))
            body = {"owner": job.owner, "attempt": job.attempt} | {name: values[name] for name in ("error",) if name in values}
            append_event(connection, actor="system", verb=verb, noun="job", noun_id=job.id, body=body)
            text = f"The worker {job.owner} is gone (attempt {job.attempt} of {job.max_attempts})"
            connection.execute(insert(job_logs), {"job_id": job.id, "at": now(), "text": text})

    def _end(self, job: Job, state: JobState, verb: str, changes: Mapping[str, Any]) -> Job:
        values: dict[str, Any] = encode_fields(kind_of(Job), changes)
        with self._database.writing() as connection:
            held = _first(connection, select(jobs).where(*_held(job)).with_for_update())
            if held is None:
                raise _fenced_out(job)
            if state == JobState.QUEUED and held.cancel_requested:
                state, verb = JobState.CANCELLED, "cancel"
            values |= {"state": move_job(held.state, state).value, "owner": None}
            if state != JobState.QUEUED:
                values["finished_at"] = now()
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))
            body = {"attempt": job.attempt} | {name: values[name] for name in ("result", "error") if name in values}
            append_event(connection, actor=job.owner or "system", verb=verb, noun="job", noun_id=job.id, body=body)
            return _existing(connection, job.id)


def _after_loss(job: Job) -> tuple[str, dict[str, Any]]:
    """What becomes of a running job without a worker."""
    ended = {"owner": None, "finished_at": now()}
    if job.cancel_requested:
        return "cancel", {**ended, "state": JobState.CANCELLED.value}
    if job.attempt >= job.max_attempts:
        error = f"Its worker died {job.attempt} times; the last one was {job.owner}"
        return "fail", {**ended, "state": JobState.FAILED.value, "error": error}
    return "requeue", {"owner": None, "state": JobState.QUEUED.value}


def _next_queued(kinds: Collection[str] | None, but: Collection[str]) -> Select[tuple[str]]:
    query = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED.value, jobs.c.kind.not_in(list(but)))
    if kinds is not None:
        query = query.where(jobs.c.kind.in_(list(kinds)))
    return query.order_by(jobs.c.priority.desc(), jobs.c.event).limit(1)


def _of_kind(query: Select[Any], kind: str, keys: Collection[str] | None) -> Select[Any]:
    query = query.where(jobs.c.kind == kind)
    return query if keys is None else query.where(jobs.c.key.in_(list(keys)))


def _held(job: Job) -> tuple[ColumnElement[bool], ...]:
    """True only for the worker that holds this attempt."""
    return (jobs.c.id == job.id, jobs.c.owner == job.owner, jobs.c.attempt == job.attempt, jobs.c.state == JobState.RUNNING.value)


def _fenced_out(job: Job) -> ConflictError:
    return ConflictError(
        f"The job {job.id} (attempt {job.attempt}) no longer belongs to {job.owner}", remedy="stop working on it; its result is not kept"
    )


def _existing(connection: Connection, job_id: str) -> Job:
    found = _first(connection, select(jobs).where(jobs.c.id == job_id))
    if found is None:
        raise NotFoundError(f"There is no job {job_id!r}")
    return found


def _first(connection: Connection, statement: Any) -> Job | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else from_row(kind_of(Job), row)
