"""Workers on Ray: actors on the machines of a cluster, or of one's own on this machine.

A cluster of one's own listens on 127.0.0.1 alone, wants a token made for it, has no dashboard and sends no usage statistics; it ends
with the process. Ray is loaded here only, when the first worker is wanted.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from medloop.core.errors import ConflictError, UnavailableError
from medloop.execution.envelope import done_for
from medloop.execution.ray_access import LOCAL, QUIET, bind_to_loopback, require_token_checked
from medloop.execution.workers import Died, Workers

STORE_BYTES = 100_000_000
"""Of a cluster of one's own: results pass through it, images do not."""


class Doer:
    """What an actor does."""

    def do(self, sent: bytes) -> bytes:
        """The task that was sent."""
        return done_for(sent)


class RayWorker:
    """One actor."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._actor: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Doer).remote()
        self.answer: Any = None

    def send(self, sent: bytes) -> bool:
        """Give it a task; one that is dead says so when it is waited for."""
        self.answer = self._actor.do.remote(sent)
        return True

    def received(self) -> bytes | Died:
        """What it gave back, or how it ended."""
        try:
            found: bytes = self._ray.get(self.answer)
        except self._ray.exceptions.RayError as error:
            return Died(_first_line(error))
        return found

    def end(self) -> None:
        """End it now."""
        if self._ray.is_initialized():
            self._ray.kill(self._actor, no_restart=True)


class RayHome:
    """Actors on a cluster.

    Args:
        address: `local`, or HOST:PORT.
        width: How many; 0 takes one for each CPU of the cluster.
    """

    def __init__(self, address: str, width: int = 0) -> None:
        self._address = address
        self._wanted = width
        self._ray: ModuleType | None = None
        self._folder = ""

    @property
    def width(self) -> int:
        """How many tasks are at work at once; reaches the cluster to know its CPUs."""
        if not self._wanted:
            self._wanted = max(1, int(self._reached().cluster_resources().get("CPU", 1)))
        return self._wanted

    @property
    def words(self) -> str:
        """Where work is done, for people."""
        return "on a Ray cluster of its own" if self._address == LOCAL else f"on the Ray cluster at {self._address}"

    def start(self) -> RayWorker:
        """A new actor."""
        return RayWorker(self._reached())

    def wait(self, workers: Mapping[int, RayWorker], seconds: float) -> list[tuple[int, bytes | Died]]:
        """What came back."""
        places = {worker.answer: place for place, worker in workers.items()}
        ready, _ = self._reached().wait(list(places), num_returns=1, timeout=seconds)
        return [(places[answer], workers[places[answer]].received()) for answer in ready]

    def close(self) -> None:
        """Leave the cluster; one of one's own ends."""
        if self._ray is not None:
            self._ray.shutdown()
            self._ray = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reached(self) -> ModuleType:
        if self._ray is None:
            self._ray = self._joined()
        return self._ray

    def _joined(self) -> ModuleType:
        """Reach the cluster, or start one.

        Raises:
            ConflictError: This process works on another cluster already.
            ForbiddenError: See `require_token_checked`.
            UnavailableError: Nobody answers, or Ray cannot start.
        """
        if (loaded := sys.modules.get("ray")) is not None and loaded.is_initialized():
            raise ConflictError("This process works on a Ray cluster already", remedy="close that first")
        os.environ.update(QUIET)
        bind_to_loopback(self._address)
        if self._address == LOCAL:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # read once by Ray, so it is that of the process
            self._folder = tempfile.mkdtemp(prefix="ml-ray-")
        else:
            require_token_checked(self._address)
        ray = import_module("ray")
        own = {"num_cpus": self._wanted or None, "object_store_memory": STORE_BYTES, "include_dashboard": False, "_temp_dir": self._folder}
        with _handlers_kept():
            try:
                ray.init(self._address, log_to_driver=False, logging_level="critical", **(own if self._address == LOCAL else {}))
            except Exception as error:
                rule = f"Ray cannot be used at {self._address} ({type(error).__name__}: {_first_line(error)})"
                raise UnavailableError(rule, remedy="this machine must be one of the cluster's: ray start --address") from error
        return ray


def on_ray(address: str, width: int = 0, *, version: str = "") -> Workers[RayWorker]:
    """An executor on Ray; `address` has been checked (`checked_address`)."""
    return Workers(RayHome(address, width), version=version)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, which tells medloop to stop after the current step."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
