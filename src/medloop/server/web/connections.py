"""Connections that keep others out: a head that never ends, a body that drips, an answer that nobody reads.

uvicorn counts every open connection against its limit and has no time limit for a request's head, so some hundred
half-open connections would shut everybody out. Here a connection counts only while a whole request is at work. The others
(`waiting`: nothing sent yet, a head or body not complete, idle between requests) may be so many; one more closes the one
that has waited longest, first those without a whole head. A person's request arrives whole within milliseconds and is
never the oldest. On top each stage has its own time limit.
"""

import asyncio
import json
from typing import Any, Literal, TypeAlias

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_SECONDS = 10.0
"""Longest time for a request's head."""

UNREAD_SECONDS = 60.0
"""Longest time a client may leave an answer unread when the buffers are full."""

MAX_HEAD = 16 * 1024
"""Bytes of a request's address and headers, as h11 bounds them."""

MAX_WAITING = 192
"""Connections without a whole request at work that may be open; a browser keeps six."""

YOUNG_SECONDS = 1.0
"""A connection so young is closed last: its request is about to arrive."""

Stage: TypeAlias = Literal["head", "body", "work"]


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP with the limits above."""

    head_seconds = HEAD_SECONDS
    unread_seconds = UNREAD_SECONDS
    max_waiting = MAX_WAITING

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limit_concurrency = None  # uvicorn would count connections; requests at work are what counts
        self._most_at_work = config.limit_concurrency
        self._whole_app = self.app
        self.app = self._app_unless_full
        self.stage: Stage = "head"
        self.since = 0.0
        self._head_limit: asyncio.TimerHandle | None = None
        self._unread_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; too many who wait cost the oldest its place."""
        super().connection_made(transport)
        self._enter("head")
        waiting = [one for one in self.connections if isinstance(one, GuardedProtocol) and one.stage != "work"]
        if len(waiting) > self.max_waiting:
            min((one for one in waiting if one is not self), key=self._patience).abandon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_clocks()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and note how far their request is by them."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there already."""
        self._enter("head")
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The buffers are full: the client has a while to read."""
        super().pause_writing()
        if self._unread_limit is None:
            self._unread_limit = self.loop.call_later(self.unread_seconds, self.abandon)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._unread_limit is not None:
            self._unread_limit.cancel()
            self._unread_limit = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, in the shape of every refusal."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            if len(self.conn.trailing_data[0]) > MAX_HEAD:
                self._refuse(431, "too_large", f"The head of a request may have {MAX_HEAD} bytes")
            else:
                self._refuse(400, "bad_request", msg.rstrip("."))
        self.transport.close()

    def abandon(self) -> None:
        """Close at once; nothing was promised to this client."""
        self._stop_clocks()
        self.transport.abort()

    async def _app_unless_full(self, scope: Any, receive: Any, send: Any) -> None:
        full = self._most_at_work is not None and len(self.tasks) > self._most_at_work
        await (service_unavailable if full else self._whole_app)(scope, receive, send)

    def _patience(self, other: "GuardedProtocol") -> tuple[bool, bool, float]:
        """Sorts who has to go first: not the young, then those without a whole head, then the oldest."""
        return (self.loop.time() - other.since < YOUNG_SECONDS, other.stage != "head", other.since)

    def _look(self) -> None:
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self.transport.is_closing():
            return
        arriving = cycle.more_body and self.conn.their_state is h11.SEND_BODY
        self._enter("body" if arriving else "work")

    def _enter(self, stage: Stage) -> None:
        if stage == self.stage == "body":
            return
        self.stage, self.since = stage, self.loop.time()
        if self._head_limit is not None:
            self._head_limit.cancel()
        self._head_limit = self.loop.call_later(self.head_seconds, self._head_is_late) if stage == "head" else None

    def _head_is_late(self) -> None:
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self._refuse(408, "timeout", f"The head of the request did not arrive within {self.head_seconds:g} s")
        self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message, "remedy": ""}}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        headers += [("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")

    def _stop_clocks(self) -> None:
        for clock in (self._head_limit, self._unread_limit):
            if clock is not None:
                clock.cancel()
        self._head_limit = self._unread_limit = None
