"""The line to an nnInteractive server: one lease, kept alive, and every failure as one clear sentence.

A lease that the server has taken back shows as `LeaseLostError`; whoever talks over the line then claims a new one
and sends everything again. A thread beats at half the server's liveness time while the lease is held.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from medloop.core.errors import InputError, MedloopError, SettingError, UnavailableError
from medloop.interaction.nninteractive.protocol import LEASE_HEADER, META_HEADER, RAW, Capabilities, compact, read_object

MAX_JSON_BYTES = 1_000_000
IMAGE_SECONDS = 600.0
"""An upload may take this long to be taken in; the official client waits as long."""


class LeaseLostError(MedloopError):
    """The server no longer knows the lease."""

    code = "lease_lost"


@dataclass(frozen=True)
class Reply:
    """A server's answer: its `X-Meta` header and its body."""

    meta: str | None
    body: bytes


class Link:
    """One client's line to one server.

    Args:
        url: The server's address, http or https.
        key: The bearer key, if it asks for one.
        timeout_seconds: Longest wait for an answer.
        transport: How bytes travel; None opens sockets.

    Raises:
        SettingError: No such address.
    """

    def __init__(self, url: str, *, key: str | None, timeout_seconds: float, transport: httpx.BaseTransport | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingError(f"A server's address begins with http:// or https://, got {url!r}", remedy="such as http://127.0.0.1:1527")
        self.url = url.rstrip("/")
        self._timeout = timeout_seconds
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=httpx.Timeout(timeout_seconds, connect=10), transport=transport
        )
        self._token: str | None = None
        self._beating: Heartbeat | None = None

    def claim(self) -> Capabilities:
        """Take a lease, unless one is held, and learn what the server can.

        Raises:
            UnavailableError: The server does not answer, is full or refuses the key.
        """
        if self._token is None:
            claimed = self._json(self._send("POST", "/claim", limit=MAX_JSON_BYTES))
            self._token = str(claimed.get("lease_token", ""))
            self._start_beating(claimed.get("liveness_timeout_seconds"))
        return Capabilities.from_json(self._json(self._send("GET", "/capabilities", limit=MAX_JSON_BYTES)))

    def post(self, path: str, *, record: Mapping[str, Any] | None = None, array: bytes | None = None, limit: int = MAX_JSON_BYTES) -> Reply:
        """One call.

        Args:
            path: Of the call.
            record: What it says: the body, or the `X-Meta` header beside an array.
            array: A packed array.
            limit: Most bytes of the answer.

        Raises:
            LeaseLostError: The lease has gone.
            InputError: The server cannot take what was sent.
            UnavailableError: The server does not answer as the protocol says.
        """
        if array is None:
            return self._send(
                "POST", path, content=compact(record or {}).encode(), limit=limit, headers={"Content-Type": "application/json"}
            )
        headers = {META_HEADER: compact(record or {}), "Content-Type": RAW}
        return self._send("POST", path, content=array, limit=limit, headers=headers)

    def beat(self) -> bool:
        """Say that this program is alive; whether the lease still is."""
        try:
            self._send("POST", "/heartbeat", content=b"{}", limit=MAX_JSON_BYTES, headers={"Content-Type": "application/json"})
        except LeaseLostError:
            return False
        except MedloopError:
            return True  # a moment without network is told by the next call that matters
        except RuntimeError:
            return False  # the line was closed meanwhile
        return True

    def drop(self) -> None:
        """Forget a lease that the server has taken back."""
        if self._beating is not None:
            self._beating.stop()
        self._token = self._beating = None

    def close(self) -> None:
        """Give the lease back and hang up."""
        try:
            if self._token is not None:
                with suppress(MedloopError):  # a server that has gone has taken the lease with it
                    self._send("POST", "/release", limit=MAX_JSON_BYTES)
        finally:
            self.drop()
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _start_beating(self, liveness_seconds: Any) -> None:
        if isinstance(liveness_seconds, int | float) and liveness_seconds > 0:
            self._beating = Heartbeat(self.beat, liveness_seconds / 2)

    def _send(self, method: str, path: str, *, limit: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        said = {**(headers or {}), **({LEASE_HEADER: self._token} if self._token else {})}
        timeout = httpx.Timeout(max(self._timeout, IMAGE_SECONDS), connect=10) if path == "/set_image" else self._http.timeout
        try:
            with self._http.stream(method, path, content=content, headers=said, timeout=timeout) as response:
                body = self._bounded(response, limit)
        except httpx.TimeoutException as error:
            remedy = "see whether it is busy, or wait longer with timeout_seconds"
            raise UnavailableError(f"The nnInteractive server at {self.url} gave no answer in time ({path})", remedy=remedy) from error
        except httpx.HTTPError as error:
            remedy = "start it (nninteractive-server, or medloop nninteractive) or correct the address"
            raise UnavailableError(f"The nnInteractive server at {self.url} does not answer ({error})", remedy=remedy) from error
        self._require_success(response.status_code, path, body)
        return Reply(response.headers.get(META_HEADER), body)

    def _bounded(self, response: httpx.Response, limit: int) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > limit:
                raise UnavailableError(f"The nnInteractive server at {self.url} sends more than the {limit} bytes an answer may have")
        return bytes(body)

    def _require_success(self, status: int, path: str, body: bytes) -> None:
        if status == 200:
            return
        if status == 410:
            raise LeaseLostError(f"The nnInteractive server at {self.url} has ended the session")
        if status in (400, 413, 422):
            raise InputError(f"The nnInteractive server at {self.url} refuses {path}: {_detail(body)}")
        told = {
            401: ("refuses the key", "give the key it was started with"),
            503: (f"is full ({_detail(body)})", "close another front end, or start it with more --max-sessions"),
            404: (f"does not know {path}", "check that it is an nnInteractive server, version 2.5 or newer"),
        }
        what, remedy = told.get(status, (f"failed at {path} with status {status} ({_detail(body)})", "see its log"))
        raise UnavailableError(f"The nnInteractive server at {self.url} {what}", remedy=remedy)

    def _json(self, reply: Reply) -> dict[str, Any]:
        try:
            return read_object(reply.body, "answer")
        except InputError as error:
            remedy = "check that it is an nnInteractive server"
            raise UnavailableError(f"The server at {self.url} does not speak the nnInteractive protocol: {error}", remedy=remedy) from error


class Heartbeat:
    """Calls something at an interval, in a thread of its own, until it returns False or is stopped.

    Args:
        beat: What to call.
        seconds: The interval.
    """

    def __init__(self, beat: Callable[[], bool], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="nninteractive-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """End it, without waiting for a beat that is under way."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            if not self._beat():
                return


def _detail(body: bytes) -> str:
    try:
        return str(read_object(body, "answer").get("detail", ""))[:300]
    except InputError:
        return body[:100].decode("utf-8", "replace")
