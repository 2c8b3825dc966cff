"""Pass gestures on to the assistant, without a waiting one keeping anybody's page.

Each waits in a thread of its own kind, so that however many people refine, the threads that serve pages stay free.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from medloop.core.errors import UnavailableError
from medloop.server.failures import foreseen
from medloop.server.proposals import call_assistant

REFINEMENT_SECONDS = 60.0
"""Longest time an answer may take: a cold start and the first look at a large volume on two cores."""

MAX_WAITING = 32


class Refinements:
    """Asks the assistant to refine.

    Args:
        socket_path: The assistant's socket; None when there is no assistant.
    """

    def __init__(self, socket_path: Path | None) -> None:
        self._socket = socket_path
        self._threads: anyio.CapacityLimiter | None = None

    async def ask(self, address: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The assistant's answer.

        Raises:
            UnavailableError: There is no assistant, or it does not answer in time.
            MedloopError: What it refused, as if it had been refused here.
        """
        path = self._socket
        if path is None:
            remedy = "start the server with its assistant (MEDLOOP_ASSISTANT=1), or draw with the brush"
            raise UnavailableError("Gestures are answered by the assistant, and there is none", remedy=remedy)
        self._threads = self._threads or anyio.CapacityLimiter(MAX_WAITING)
        ask = lambda: call_assistant(path, address, body, timeout=REFINEMENT_SECONDS)  # noqa: E731  # only to carry arguments
        status, answer = await anyio.to_thread.run_sync(ask, limiter=self._threads)
        if status != 200:
            raise foreseen(answer)
        return answer
