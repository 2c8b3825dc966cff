"""Ask the assistant for a proposal that is missing, without making anybody wait.

A case is opened at once with what there is. When the newest model has not seen it, one request goes to
the assistant over its socket; its answer reaches the page through the stream as `event: proposal`.
Without an assistant the worker's own predictions of the pool are all there is.
"""

import asyncio
import http.client
import json
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from medloop.core.errors import MedloopError, UnavailableError
from medloop.core.records import Model, Prediction

ASSISTANT_SECONDS = 120.0
"""Longest time one proposal may take: a cold start and a large volume on two cores."""

Publish = Callable[[str, str, dict[str, Any]], None]
"""Tells the listeners of a project (id) an event (name, body); called in the event loop's thread."""

_LOG = logging.getLogger(__name__)


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket.

    Args:
        path: The socket.
        timeout: Seconds to wait for any answer.
    """

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("assistant", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket instead of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask_assistant(path: Path, address: str, body: dict[str, str], *, timeout: float = ASSISTANT_SECONDS) -> dict[str, Any]:
    """One question to the assistant.

    Args:
        path: Its socket.
        address: For example "/propose".
        body: Sent as JSON.
        timeout: Seconds.

    Raises:
        UnavailableError: It does not run, does not answer in time, or answers with an error.
    """
    status, payload = call_assistant(path, address, body, timeout=timeout)
    if status != 200:
        raise UnavailableError(f"The assistant could not propose: {payload.get('error', {}).get('message', status)}")
    return payload


def call_assistant(path: Path, address: str, body: Mapping[str, Any], *, timeout: float) -> tuple[int, dict[str, Any]]:
    """One question to the assistant, and its answer whatever it says: status and JSON.

    Raises:
        UnavailableError: It does not run, or does not answer in time.
    """
    connection = SocketConnection(path, timeout=timeout)
    try:
        connection.request("POST", address, json.dumps(body), {"Content-Type": "application/json", "Host": "localhost"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnavailableError(f"The assistant does not answer ({type(error).__name__})", remedy="it is restarted by itself") from error
    finally:
        connection.close()


class Proposer:
    """Asks for proposals in the background, each case once at a time.

    Args:
        socket_path: The assistant's socket; None when there is no assistant.
        publish: Tells the pages about a proposal.
    """

    def __init__(self, socket_path: Path | None, publish: Publish) -> None:
        self._socket = socket_path
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="proposer")
        self._asked: set[tuple[str, str]] = set()
        self._guard = Lock()

    @property
    def socket_path(self) -> Path | None:
        """The assistant's socket, for questions that wait for their answer; None without an assistant."""
        return self._socket

    def bind(self) -> None:
        """Publish from the running event loop."""
        self._loop = asyncio.get_running_loop()

    def want(self, project_id: str, case_id: str, *, shown: Prediction | None, newest: Model | None) -> bool:
        """Have a proposal made unless the newest model's is shown already; returns at once.

        Args:
            project_id: The case's project.
            case_id: The case somebody has open.
            shown: The prediction drawn on it.
            newest: The project's newest model.

        Returns:
            Whether somebody has been asked now.
        """
        if self._socket is None or newest is None or (shown is not None and shown.model_id == newest.id):
            return False
        key = (project_id, case_id)
        with self._guard:
            if key in self._asked:
                return False
            self._asked.add(key)
        self._pool.submit(self._ask, self._socket, *key)
        return True

    def close(self) -> None:
        """Forget what waits; what runs is left to the assistant."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, path: Path, project_id: str, case_id: str) -> None:
        try:
            answer = ask_assistant(path, "/propose", {"project_id": project_id, "case_id": case_id})
            self._tell(project_id, {"case_id": case_id, "prediction_id": answer["prediction_id"]})
        except MedloopError as error:
            _LOG.warning("No proposal for %s: %s", case_id, error)
        finally:
            with self._guard:
                self._asked.discard((project_id, case_id))

    def _tell(self, project_id: str, body: dict[str, Any]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, project_id, "proposal", body)
