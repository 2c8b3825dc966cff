"""Pass gestures and questions on to the assistant, without a waiting one keeping anybody's page.

Each waits in a thread of its own kind, so that however many people refine, the threads that serve pages stay free.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from medloop.core.errors import UnavailableError
from medloop.server.web.failures import foreseen
from medloop.server.web.proposals import call_assistant

REFINEMENT_SECONDS = 60.0
"""Longest time an answer may take: a cold start and the first look at a large volume on two cores."""

START_SECONDS, PAUSE_SECONDS = 20.0, 0.1
"""How long to wait for an assistant that starts (again), and how often to look."""

MAX_WAITING = 32


class Refinements:
    """Asks the assistant to refine.

    Args:
        socket_path: The assistant's socket; None when there is no assistant.
    """

    def __init__(self, socket_path: Path | None) -> None:
        self._socket = socket_path
        self._threads: anyio.CapacityLimiter | None = None

    async def ask(self, address: str, body: Mapping[str, Any], *, seconds: float = REFINEMENT_SECONDS) -> dict[str, Any]:
        """The assistant's answer.

        Args:
            address: For example "/refine".
            body: Sent as JSON.
            seconds: Longest time to wait for it, once the assistant runs.

        Raises:
            UnavailableError: There is no assistant, or it does not answer in time.
            MedloopError: What it refused, as if it had been refused here.
        """
        path = self._socket
        if path is None:
            remedy = "start the server with its assistant (MEDLOOP_ASSISTANT=1), or draw with the brush"
            raise UnavailableError("Gestures are answered by the assistant, and there is none", remedy=remedy)
        self._threads = self._threads or anyio.CapacityLimiter(MAX_WAITING)
        given_up = anyio.current_time() + START_SECONDS
        ask = partial(call_assistant, path, address, body, timeout=seconds)
        while True:
            try:
                status, answer = await anyio.to_thread.run_sync(ask, limiter=self._threads)
                break
            except UnavailableError as error:
                if not isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError) or anyio.current_time() > given_up:
                    raise
                await anyio.sleep(PAUSE_SECONDS)
        if status != 200:
            raise foreseen(answer)
        return answer
