"""What a running job sees of its surroundings: report, log, and be told to stop."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from medloop.core.errors import CancelledError, ConflictError
from medloop.core.records import Job
from medloop.loop.foundation.workspace import Workspace
from medloop.store.jobs import LEASE_SECONDS

REPORT_SECONDS = 0.5
"""Progress is written at most this often; a training step may be much shorter."""


class JobControl:
    """Progress, log and cancellation of one claimed job; keeps its lease alive from a thread.

    The thread renews the lease while the job computes, so that a long step does not look like a death;
    a process that dies takes its thread along, and the lease runs out.
    """

    def __init__(self, workspace: Workspace, job: Job, *, stop: Callable[[], bool] | None = None, threads: int = 1) -> None:
        self._jobs = workspace.store.jobs
        self._stop = stop or (lambda: False)
        self.job = job
        self.threads = threads
        self._progress = 0.0
        self._message = ""
        self._reported = 0.0
        self._cancel_asked = False
        self._lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{job.id}", daemon=True)

    def report(self, progress: float, message: str) -> None:
        """Say how far the job is, 0..1, in one line.

        Raises:
            CancelledError: The job was cancelled, the worker must stop, or another worker has taken over.
        """
        self._progress, self._message = progress, message
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._beat()
        if self._lost:
            raise CancelledError(f"Job {self.job.id} was taken over by another worker")
        if self._cancel_asked:
            raise CancelledError(f"Job {self.job.id} was cancelled")
        if self._stop():
            raise CancelledError("The worker is stopping; the job goes on at its next start")

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled the job, so that it will not go on later."""
        return self._cancel_asked and not self._lost

    def log(self, line: str) -> None:
        """Add a line a user can read."""
        self._jobs.log(self.job.id, line)

    def give_up(self) -> None:
        """Settle a job that raised `CancelledError`: cancelled by a user, or back to the queue."""
        if self._lost:
            return
        if self._cancel_asked:
            self._jobs.cancelled(self.job)
        else:
            self._jobs.release(self.job)

    def _beat(self) -> None:
        self._reported = time.monotonic()
        try:
            go_on = self._jobs.heartbeat(self.job, progress=self._progress, message=self._message)
        except ConflictError:
            self._lost = True
        else:
            self._cancel_asked = self._cancel_asked or not go_on

    def _renew(self) -> None:
        while not self._ended.wait(LEASE_SECONDS / 3):
            self._beat()

    def __enter__(self) -> Self:
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()


class QuietControl(JobControl):
    """The control of a part of a job, in a worker: the job's own process reports, logs and hears of a stop."""

    def report(self, progress: float, message: str) -> None:
        """Said by the job's own process."""

    def log(self, line: str) -> None:
        """Likewise."""
