"""Local processes: the home on one machine. They are started anew, never forked, and end with the process that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from signal import Signals

from medloop.core.errors import SettingError, StorageError
from medloop.execution.envelope import done_for
from medloop.execution.workers import Died, Workers

ORPHAN_SECONDS = 1.0
"""How often a child looks whether the process that started it is still alive."""

END_SECONDS = 5.0


class LocalWorker:
    """A child process with a pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, os.getpid()), daemon=True)
        try:
            self.process.start()
        except OSError as error:
            raise StorageError(f"No process can be started: {error}", remedy="use fewer processes") from error
        finally:
            theirs.close()

    def send(self, sent: bytes) -> bool:
        """Give it a task; False where it is gone already."""
        try:
            self.pipe.send_bytes(sent)
        except OSError:
            return False
        return True

    def received(self) -> bytes | Died:
        """What it sent, or how it ended."""
        try:
            return self.pipe.recv_bytes()
        except (EOFError, OSError):
            self.process.join(END_SECONDS)
            return Died(_ending(self.process.exitcode))

    def end(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.join(END_SECONDS)
        self.pipe.close()


class LocalHome:
    """So many processes on this machine, each with one thread."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.words = f"in {width} local processes"

    def start(self) -> LocalWorker:
        """A new process."""
        return LocalWorker()

    def wait(self, workers: Mapping[int, LocalWorker], seconds: float) -> list[tuple[int, bytes | Died]]:
        """What came back; a process that died closes its pipe."""
        places = {worker.pipe: place for place, worker in workers.items()}
        ready = wait(list(places), seconds)
        return [(places[pipe], workers[places[pipe]].received()) for pipe in ready if isinstance(pipe, Connection)]

    def close(self) -> None:
        """Nothing is shared."""


def local_processes(width: int, *, version: str = "") -> Workers[LocalWorker]:
    """An executor of so many local processes.

    Raises:
        SettingError: Fewer than one.
    """
    if width < 1:
        raise SettingError(f"Work needs at least 1 process, got {width}")
    return Workers(LocalHome(width), version=version)


def _work(pipe: Connection, parent: int) -> None:
    """A child's life: one task after the other, one thread for numerics, and an end when nobody is left to work for."""
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever pressed Ctrl-C decides what becomes of this process
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    while True:
        try:
            pipe.send_bytes(done_for(pipe.recv_bytes()))
        except (EOFError, OSError):
            return


def _end_with(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(ORPHAN_SECONDS)
    os._exit(1)


def _ending(code: int | None) -> str:
    if code is None:
        return "it is silent"
    return f"signal {Signals(-code).name}" if code < 0 else f"exit status {code}"
