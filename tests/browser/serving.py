"""A server in a process of its own, forked from one that has imported everything: a fresh interpreter spends two seconds on imports alone.

That `medloop serve` starts from nothing is tested in tests/cli/test_serving.py and tests/server/test_supervise.py.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["medloop.server.processes.supervise"])
END_SECONDS = 30.0


@dataclass(frozen=True)
class Serving:
    """A running server."""

    process: ForkServerProcess
    address: str

    def stop(self) -> None:
        """End it as a person or the system does."""
        self.process.terminate()
        self.process.join(END_SECONDS)
        assert self.process.exitcode is not None, "the server did not end"
        self.process.close()


def start_server(folder: Path, log: Path, *, worker: bool, assistant: bool) -> Serving:
    """Serve a folder on a free port; what the server writes to its standard error goes to a file."""
    hears, tells = FORKS.Pipe(duplex=False)
    settings = {"port": 0, "worker": worker, "assistant": assistant, "poll_seconds": 0.1}
    process = FORKS.Process(target=_serve, args=(folder, log, settings, dict(os.environ), tells))
    process.start()
    tells.close()
    try:
        return Serving(process, hears.recv())
    except EOFError:
        process.join(END_SECONDS)
        raise AssertionError(log.read_text()) from None
    finally:
        hears.close()


def _serve(folder: Path, log: Path, settings: dict[str, object], environment: Mapping[str, str], tells: Connection) -> None:
    from medloop.server.processes.supervise import serve
    from medloop.server.web.settings import read_settings

    os.environ.clear()
    os.environ.update(environment)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    serve(folder, read_settings(os.environ, settings), ready=lambda url: tells.send(url.strip()))
