"""Real sockets that hold on: half heads, dripping bodies, unread answers. Others are served meanwhile."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import uvicorn

from medloop.server.app import create_app
from medloop.server.web.connections import GuardedProtocol
from medloop.server.web.settings import ServerSettings

SETTINGS = ServerSettings(worker=False, assistant=False, body_seconds=0.6)


class Impatient(GuardedProtocol):
    head_seconds = 0.6
    unread_seconds = 0.6


def serving(folder: Path, protocol: type[GuardedProtocol], settings: ServerSettings = SETTINGS) -> Iterator[int]:
    """The port of a server in this process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(create_app(folder, settings), http=protocol, ws="none", log_level="critical", limit_concurrency=256)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def patient(folder: Path) -> Iterator[int]:
    """A server with the product's own limits."""
    yield from serving(folder, GuardedProtocol, ServerSettings(worker=False, assistant=False))


@pytest.fixture
def impatient(folder: Path) -> Iterator[int]:
    """A server that gives up quickly."""
    yield from serving(folder, Impatient)


def opened(port: int, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(data)
    return connection


def said(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    out = b""
    try:
        while chunk := connection.recv(65536):
            out += chunk
    except ConnectionResetError:
        pass
    return out


def still_open(connection: socket.socket) -> bool:
    """Whether a stream that has nothing to say has not ended."""
    try:
        while connection.recv(65536):
            continue
    except TimeoutError:
        return True
    return False


def asked(port: int, head: str) -> tuple[int, bytes]:
    """Status and body of one request."""
    with closing(opened(port, head.encode() + b"Connection: close\r\n\r\n")) as connection:
        answer = said(connection)
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


HALF = b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
DRIPPING = b"POST /api/v1/projects/p/next HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
HEALTH = "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize("kind", [b"", HALF, DRIPPING], ids=["silent", "half a head", "half a body"])
def test_hundreds_of_half_open_connections_shut_nobody_out(patient: int, kind: bytes) -> None:
    with ExitStack() as held:
        for _ in range(400):
            held.enter_context(closing(opened(patient, kind)))
        for _ in range(3):
            assert asked(patient, HEALTH)[0] == 200


def test_a_head_has_its_time_and_no_more_however_it_drips(impatient: int) -> None:
    with closing(opened(impatient, HALF)) as connection:
        begun = time.monotonic()
        connection.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - begun < 20:
            try:
                connection.sendall(b"a")
                answer = connection.recv(65536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "timeout"


def test_a_silent_connection_is_closed(impatient: int) -> None:
    with closing(opened(impatient)) as connection:
        assert said(connection) == b""


def test_a_dripping_body_has_its_time_and_no_more(impatient: int) -> None:
    with closing(opened(impatient, DRIPPING)) as connection:
        begun = time.monotonic()
        connection.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - begun < 20:
            try:
                connection.sendall(b" ")
                answer = connection.recv(65536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408"), answer[:200]


def test_an_answer_that_nobody_reads_is_given_up(impatient: int, folder: Path) -> None:
    """The page's program is asked for again and again and never read: the buffers fill."""
    page = next(iter((Path(create_app.__code__.co_filename).parent / "static" / "assets").glob("*.js"))).name
    request = f"GET /assets/{page} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.2)
        connection.connect(("127.0.0.1", impatient))
        begun, closed = time.monotonic(), False
        while not closed and time.monotonic() - begun < 20:
            try:
                connection.sendall(request)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                closed = True
        assert closed
    assert asked(impatient, HEALTH)[0] == 200


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "FOO", "PROPFIND", "get"])
@pytest.mark.parametrize("target", ["/api/v1/health", "/", "/api/v1/projects"])
def test_other_methods_are_not_answered(impatient: int, method: str, target: str) -> None:
    status, body = asked(impatient, f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Secret: tell\r\n")
    assert status == 405
    assert json.loads(body)["error"]["code"] == "method_not_allowed"
    assert b"tell" not in body


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + "a" * 200_000 + "\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "".join(f"X-{n}: {n}\r\n" for n in range(10_000)),
        "GET /" + "a" * 200_000 + " HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n",
        "nonsense\r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "\x00\x01\x02\r\n",
    ],
    ids=["long header", "many headers", "long address", "two hosts", "nonsense", "two lengths", "bytes"],
)
def test_what_is_no_proper_request_is_refused_in_the_one_shape(impatient: int, head: str) -> None:
    status, body = asked(impatient, head)
    assert status == (431 if len(head) > 16 * 1024 else 400)
    assert set(json.loads(body)) == {"error"}
    assert asked(impatient, HEALTH)[0] == 200


def test_several_requests_follow_each_other_on_one_connection(impatient: int) -> None:
    with closing(opened(impatient, 3 * (HEALTH.encode() + b"\r\n") + HEALTH.encode() + b"Connection: close\r\n\r\n")) as connection:
        assert said(connection).count(b"HTTP/1.1 200") == 4


def test_a_request_at_work_is_not_counted_as_waiting(patient: int, folder: Path) -> None:
    """A listening page stays connected through a flood."""
    listing = json.loads(asked(patient, "GET /api/v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\n")[1])
    stream = opened(patient, f"GET /api/v1/projects/{listing[0]['id']}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert stream.recv(65536).startswith(b"HTTP/1.1 200")
    with ExitStack() as held:
        held.enter_context(closing(stream))
        for _ in range(300):
            held.enter_context(closing(opened(patient, HALF)))
        assert asked(patient, HEALTH)[0] == 200
        stream.settimeout(0.2)
        assert still_open(stream)
