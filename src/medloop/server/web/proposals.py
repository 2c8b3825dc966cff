"""Ask the assistant for a proposal that is missing, without making anybody wait.

A case is opened at once with what there is. When the newest model has not seen it, one request goes to
the assistant over its socket; its answer reaches the page through the stream as `event: proposal`.
Without an assistant the worker's own predictions of the pool are all there is.
"""

import asyncio
import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

from medloop.core.errors import MedloopError
from medloop.core.records import Model, Prediction
from medloop.server.web.assistant import ASSISTANT_SECONDS, AssistantLink

Publish = Callable[[str, str, dict[str, Any]], None]
"""Tells the listeners of a project (id) an event (name, body); called in the event loop's thread."""

_LOG = logging.getLogger(__name__)


class Proposer:
    """Asks for proposals in the background, one after another, each case once at a time."""

    def __init__(self, assistant: AssistantLink, publish: Publish) -> None:
        self._assistant = assistant
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._requested: set[tuple[str, str]] = set()
        self._guard = Lock()

    def bind(self) -> None:
        """Ask and publish from the running event loop."""
        self._loop = asyncio.get_running_loop()

    def want(self, project_id: str, case_id: str, *, shown: Prediction | None, newest: Model | None) -> bool:
        """Have a proposal made unless the newest model's is shown already; returns at once, whether somebody has been asked."""
        if self._assistant.socket_path is None or newest is None or (shown is not None and shown.model_id == newest.id):
            return False
        key = (project_id, case_id)
        with self._guard:
            if key in self._requested:
                return False
            self._requested.add(key)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin, *key)
        return True

    def close(self) -> None:
        """Forget what waits; what runs is left to the assistant."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, project_id: str, case_id: str) -> None:
        task = asyncio.ensure_future(self._request(project_id, case_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _request(self, project_id: str, case_id: str) -> None:
        try:
            async with self._turn:
                asked = {"project_id": project_id, "case_id": case_id}
                answer = await self._assistant.request("/propose", asked, seconds=ASSISTANT_SECONDS, start_seconds=0.0)
            self._publish(project_id, "proposal", {"case_id": case_id, "prediction_id": answer["prediction_id"]})
        except MedloopError as error:
            _LOG.warning("No proposal for %s: %s", case_id, error)
        finally:
            with self._guard:
                self._requested.discard((project_id, case_id))
