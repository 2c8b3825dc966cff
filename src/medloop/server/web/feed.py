"""Live news for listening pages, as server-sent events.

One task looks at every project that has a listener: its jobs, round, model and number of annotations. Only
when something differs is anything sent, and each listener gets the whole small state, so a slow one may
miss states but never ends up with an old one.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from medloop.core.errors import MedloopError, UnavailableError
from medloop.core.records import Annotation, Assignment, Consensus, Review
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.status import current_round
from medloop.server.wire.views import job_view, model_brief, round_brief

MAX_LISTENERS = 64
MAX_OWN = 12
"""Of one account, so that nobody takes the news away from others."""

WAITING_MESSAGES = 16
"""Messages kept for one slow listener before older ones are dropped."""

RECENT_JOBS = 12
State = dict[str, Any]
Queue = asyncio.Queue[str | None]


def read_state(workspace: Workspace) -> State:
    """What a page shows without a request: jobs, round, model, how many annotations, consensuses and reviews there are, what is open."""
    with workspace.store.read() as tx:
        latest_round, brief = round_brief(current_round(tx)), model_brief(tx.live_model())
        newest = tx.find(Assignment, where={"state": "open"}, order="opened_at", descending=True, limit=1)
        opened = [tx.count(Assignment, where={"state": "open"}), newest[0].opened_at if newest else ""]
        reviews, consensuses = tx.count(Review), tx.count(Consensus)
        annotations, closed = tx.count(Annotation), tx.count(Assignment, where={"state": ["skipped", "flagged"]})
    return {
        "annotations": annotations,
        "closed": closed,
        "open": opened,
        "reviews": reviews,
        "consensuses": consensuses,
        "jobs": [job_view(job).model_dump() for job in workspace.store.jobs.list(limit=RECENT_JOBS)],
        "round": latest_round.model_dump() if latest_round else None,
        "model": brief.model_dump() if brief else None,
    }


class Feed:
    """Spreads changes of projects to their listeners."""

    def __init__(self, find: Callable[[str], Workspace], *, poll_seconds: float, heartbeat_seconds: float) -> None:
        self._find = find
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._queues: dict[str, set[Queue]] = defaultdict(set)
        self._own: Counter[str] = Counter()
        self._states: dict[str, str] = {}
        self._watch: asyncio.Task[None] | None = None
        self._closed = False

    async def listen(self, project_id: str, *, who: str = "") -> AsyncIterator[str]:
        """Server-sent events of one project, beginning with its present state, until the feed closes.

        Args:
            project_id: The project.
            who: Id of the account that listens; "" without accounts.

        Raises:
            UnavailableError: Too many listeners.
        """
        if sum(len(q) for q in self._queues.values()) >= MAX_LISTENERS:
            raise UnavailableError(f"At most {MAX_LISTENERS} pages can listen", remedy="close some of them")
        if who and self._own[who] >= MAX_OWN:
            raise UnavailableError(f"At most {MAX_OWN} pages of one account can listen", remedy="close some of them")
        state = await asyncio.to_thread(self._read, project_id)
        return self._stream(project_id, state, who)

    async def _stream(self, project_id: str, state: str, who: str) -> AsyncIterator[str]:
        queue: Queue = asyncio.Queue(WAITING_MESSAGES)
        self._queues[project_id].add(queue)
        self._own[who] += 1
        self._states.setdefault(project_id, state)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_projects())
        try:
            yield "retry: 2000\n\n" + _message("change", state)
            while not self._closed:
                try:
                    message = await asyncio.wait_for(queue.get(), self._heartbeat_seconds)
                except TimeoutError:
                    message = ": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._queues[project_id].discard(queue)
            self._own[who] -= 1

    def publish(self, project_id: str, event: str, body: State) -> None:
        """Tell every listener of a project something at once (from the event loop's own thread)."""
        self._spread(project_id, _message(event, json.dumps(body)))

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        for project_id in list(self._queues):
            self._spread(project_id, None)

    async def _watch_projects(self) -> None:
        while any(self._queues.values()):
            for project_id in [p for p, queues in self._queues.items() if queues]:
                await self._look(project_id)
            await asyncio.sleep(self._poll_seconds)
        self._states.clear()

    async def _look(self, project_id: str) -> None:
        try:
            state = await asyncio.to_thread(self._read, project_id)
        except MedloopError:
            return  # a locked or absent database: the next look tells
        if state != self._states.get(project_id):
            self._states[project_id] = state
            self._spread(project_id, _message("change", state))

    def _read(self, project_id: str) -> str:
        return json.dumps(read_state(self._find(project_id)))

    def _spread(self, project_id: str, message: str | None) -> None:
        for queue in self._queues[project_id]:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)


def _message(event: str, data: str) -> str:
    return f"event: {event}\ndata: {data}\n\n"
