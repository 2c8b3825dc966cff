"""A child process that is kept running: started again with growing pauses when it dies.

Each child leads its own process group, so that nothing it starts can outlive it, and holds one end of a
pipe, so that it cannot outlive its server (see `lifeline`).
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A child that lived so long starts again without an added pause."""

_LOG = logging.getLogger(__name__)


class Child:
    """One supervised process, run as `python -m module` with more in its environment."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = {**os.environ, **environment}
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name=f"child-{name}", daemon=True)

    def start(self) -> None:
        """Start it, and keep it running from now on."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def request_stop(self) -> None:
        """Ask it to end and never start it again; returns at once."""
        with self._guard:
            self._stopping.set()
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end; after that time its whole group is ended."""
        if self._thread.ident is None:
            return
        self._thread.join(max(0.0, seconds))
        process = self._process
        if self._thread.is_alive() and process is not None:
            _LOG.warning("%s did not stop in time and is ended", self.name)
            _end_group(process.pid)
            self._thread.join()

    def _keep_running(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if code is None or self._stopping.is_set():
                return
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > HEALTHY_SECONDS else pause
            _LOG.warning("%s ended (%s) and is started again in %.1f s", self.name, _reason(code), pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _run_once(self) -> int | None:
        with self._guard:
            if self._stopping.is_set():
                return None
            self._process = process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )
        code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        _end_group(process.pid)  # whatever it started and left behind
        return code


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
