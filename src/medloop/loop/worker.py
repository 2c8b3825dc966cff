"""The worker: claim a job, run it, say how it ended, again.

`medloop.server.processes.worker` runs jobs in a process of its own; `drain` runs them in the calling one, for simulations and tests.
An exception ends its job, never the worker. Jobs of another lane (`Kind.lane`) do not wait for a long one: whoever runs long jobs
takes turns at each in a thread beside (`beside`). They keep to the rules of any job: claimed once, given back when their process is gone.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from medloop.core.errors import CancelledError, ConflictError, InputError, MedloopError, UnavailableError
from medloop.core.records import Job
from medloop.loop.data.pacs_left import forget_ended
from medloop.loop.data.retention import remove_in_turn
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import ARCHIVE, kind_named
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.round_moves import advance
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.settling import settle
from medloop.pacs.sites import sites_file
from medloop.store.claims import host_name

IDLE_SECONDS = 0.3
"""How long an idle worker waits before it looks for work again."""


def keep_up(workspace: Workspace) -> None:
    """What every idle worker does: end what nobody works on any more, so that rounds end also when nobody asks or answers."""
    settle(workspace)
    remove_in_turn(workspace)
    forget_ended(workspace)
    if release_stale(workspace):
        advance(workspace)
        follow_up(workspace)


@contextmanager
def beside(turn: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Take turns in a thread of its own until the end of the block.

    Args:
        turn: Does what is to be done now; whether there was something.

    Yields:
        Whether a turn has failed: then nobody takes them any more, and the block should end.

    Raises:
        Exception: What a turn raised, at the end of the block.
    """
    ended = threading.Event()

    def take_turns() -> None:
        while not ended.is_set():
            if not turn():
                ended.wait(IDLE_SECONDS)

    with ThreadPoolExecutor(1, "jobs-beside") as pool:
        taking = pool.submit(take_turns)
        try:
            yield taking.done
        finally:
            ended.set()
    taking.result()


class Apart:
    """Turns at several things, each in a thread of its own, so that none waits for another that is slow; at most `most` at once."""

    def __init__(self, most: int, run: Callable[[Workspace], object]) -> None:
        self._pool = ThreadPoolExecutor(most, "jobs-apart")
        self._run = run
        self._at_work: dict[Path, Future[object]] = {}
        self.ended = threading.Event()

    def turn(self, workspaces: Iterable[Workspace]) -> None:
        """Begin a turn at each project that has none under way.

        Raises:
            Exception: What an earlier turn raised.
        """
        for workspace in workspaces:
            before = self._at_work.get(workspace.folder)
            if before is None or before.done():
                if before is not None:
                    before.result()
                self._at_work[workspace.folder] = self._pool.submit(self._run, workspace)

    def close(self) -> None:
        """Begin none any more, and wait for those under way, which may look whether they should stop (`ended`)."""
        self.ended.set()
        self._pool.shutdown(cancel_futures=True)


def knows_archives(workspace: Workspace) -> bool:
    """Whether jobs that wait for an archive run here: of the hosts that share a project, on those that have the list of archives."""
    return not workspace.store.blobs.shared or sites_file(workspace.folder).exists()


def drain(workspace: Workspace, *, threads: int = 1) -> int:
    """Run every queued job here and now, in order; returns how many ran.

    Raises:
        MedloopError: The first job that failed for good.
    """
    name, but = f"inline-{host_name()}-{os.getpid()}", () if knows_archives(workspace) else ARCHIVE
    ran = 0
    while (job := workspace.store.jobs.claim(name, but=but)) is not None:
        run_job(workspace.reload(), job, threads=threads)
        ended = workspace.store.jobs.get(job.id)
        if ended.state == "failed":
            raise MedloopError(f"Job {job.kind} failed: {ended.error}", remedy="see its log: medloop status")
        ran += 1
    return ran


def run_job(workspace: Workspace, job: Job, *, threads: int = 1, stop: Callable[[], bool] | None = None) -> None:
    """Run one claimed job to its end and record how it ended."""
    jobs = workspace.store.jobs
    with JobControl(workspace, job, stop=stop, threads=threads) as control:
        try:
            result = kind_named(job.kind).load()(workspace, control)
        except CancelledError as error:
            control.log(str(error))
            control.give_up()
        except (InputError, UnavailableError) as error:  # what is missing does not come by itself
            _failed(workspace, control, str(error), retry=False)
        except Exception as error:
            _failed(workspace, control, f"{type(error).__name__}: {error}", retry=True)
        else:
            try:
                jobs.finish(job, result)
            except ConflictError:
                control.log("another worker finished this job first")
    settle(workspace)


def _failed(workspace: Workspace, control: JobControl, message: str, *, retry: bool) -> None:
    control.log(message)
    with suppress(ConflictError):
        workspace.store.jobs.fail(control.job, message, retry=retry)
