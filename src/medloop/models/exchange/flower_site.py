"""A site's Flower process beside the process that holds its project, and the files over which both speak.

The Flower process only carries messages: it writes what came into a folder of this user's alone, and waits for the answer.
"""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medloop.core.errors import MedloopError, SettingError
from medloop.core.records import Json
from medloop.images.files import write_atomic
from medloop.models.exchange.flower import FlowerProcess, Secured, flower_environment

IN, OUT = "in", "out"
POLL_SECONDS = 0.1
LAST_SECONDS = 6.0
"""Within which the last answer is on its way."""

AGAIN_SECONDS, SHORT_SECONDS, MOST_FAILURES = 2.0, 10.0, 3
"""Flower's process ends with its coordinator and is started again, to wait for the next one; three that end at once are a fault."""

Answer = tuple[Json, bytes | None]
Handle = Callable[[str, Json, bytes], Answer]
"""Takes what is wanted, its terms, and the arrays that came with it; the answer and its arrays."""


def attend(folder: Path, server: str, secured: Secured, handle: Handle) -> None:
    """Take part until the result was kept.

    Args:
        folder: Empty, of this user's alone.
        server: HOST:PORT of the coordinator.
        secured: How it is reached; in the clear only on this machine.
        handle: Answers what the coordinator wants; an error of medloop is told to it as a refusal.

    Raises:
        SettingError: No such address, or one of another machine without a certificate.
        InputError: Flower's process ended at once, three times.
        UnavailableError: There is no Flower.
    """
    _require_safe(server, secured)
    for part in (IN, OUT):
        (folder / part).mkdir(mode=0o700)
    trust = ["--root-certificates", secured.certificate] if secured.certificate else ["--insecure"]
    key = ["--auth-supernode-private-key", secured.key] if secured.key else []
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    arguments = ["--superlink", server, *trust, *key, "--host", "127.0.0.1", "--port", str(port), "--isolation", "subprocess"]
    environment = flower_environment(folder, {"MEDLOOP_FEDERATION_SITE": str(folder.absolute())})
    failures = 0
    while failures < MOST_FAILURES:
        node, begun = FlowerProcess("flower-supernode", arguments, environment, folder / "flower.log"), time.monotonic()
        try:
            if _serve(node, folder, handle):
                return
            failures = failures + 1 if time.monotonic() - begun < SHORT_SECONDS else 0
            if failures == MOST_FAILURES:
                node.require_alive()
        finally:
            node.end()
        for part in (IN, OUT):  # of a coordinator that is gone
            for file in (folder / part).iterdir():
                file.unlink(missing_ok=True)
        time.sleep(AGAIN_SECONDS)


def _require_safe(server: str, secured: Secured) -> None:
    host, _, port = server.rpartition(":")
    if not host or not port.isdigit():
        raise SettingError(f"A coordinator is named as HOST:PORT, got {server!r:.80}", remedy="give --server, such as 127.0.0.1:9100")
    if not secured.certificate and host not in ("127.0.0.1", "localhost", "[::1]"):
        raise SettingError(f"Weights leave this machine over TLS alone, and {host} is another one", remedy="give --tls-ca")


def _serve(node: FlowerProcess, folder: Path, handle: Handle) -> bool:
    """Handle what comes; True once the result was kept, False where Flower's process ended before, as it does with its coordinator."""
    while node.process.poll() is None:
        for request in sorted((folder / IN).glob("*.json")):
            verb = _answer(folder, request, handle)
            if verb == "keep":
                _await_taken(node, folder / OUT / request.name)
                return True
        time.sleep(POLL_SECONDS)
    return False


def _answer(folder: Path, request: Path, handle: Handle) -> str:
    asked: dict[str, Any] = json.loads(request.read_text())
    arrays = request.with_suffix(".safetensors")
    data = arrays.read_bytes() if arrays.exists() else b""
    for file in (request, arrays):
        file.unlink(missing_ok=True)
    try:
        answer, given = handle(str(asked["verb"]), asked["terms"], data)
    except MedloopError as error:
        answer, given = {"refused": str(error)}, None
    if given is not None:
        write_atomic(folder / OUT / arrays.name, given, mode=0o600)
    write_atomic(folder / OUT / request.name, json.dumps(answer).encode(), mode=0o600)
    return str(asked["verb"])


def _await_taken(node: FlowerProcess, answer: Path) -> None:
    deadline = time.monotonic() + LAST_SECONDS
    while time.monotonic() < deadline and node.process.poll() is None:
        time.sleep(POLL_SECONDS)
        if answer.exists():
            deadline = time.monotonic() + LAST_SECONDS
