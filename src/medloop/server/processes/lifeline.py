"""What ties a child process to its server: a pipe on its standard input.

The server holds the other end. When the server ends, however it ends, the kernel closes the pipe, and
the child stops its work, waits a little and leaves together with whatever it has started itself.
"""

import os
import signal
import sys
import threading
import time

GRACE_SECONDS = 8.0
"""Time to finish after the server is gone or has asked to stop."""


class Lifeline:
    """Tells a child when to stop; make it in the main thread, before the work begins."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self.stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda _number, _frame: self.stopping.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        descriptor = sys.stdin.fileno()
        while os.read(descriptor, 1024):
            pass
        self.stopping.set()
        time.sleep(self._grace_seconds)
        os.killpg(0, signal.SIGKILL)
