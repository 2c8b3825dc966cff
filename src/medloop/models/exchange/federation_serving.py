"""The coordinator of a federation: Flower's processes that hold the rounds, and the port at which sites reach them."""

import errno
import json
import os
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from medloop.core.errors import ConflictError, InputError, SettingError
from medloop.core.records import Json
from medloop.models.exchange.federation import TERMS, held
from medloop.models.exchange.flower import FlowerProcess, Secured, command_link, flower_environment
from medloop.models.exchange.flower_side.door import FEDERATION, HEADER, HOLDER, PROOF, WHO

ROUNDS, EVENTS, ENDED = "rounds.json", "events.log", "ended.json"
RUN = "MEDLOOP_FEDERATION_RUN"
POLL_SECONDS = 0.2
MOST_START_SECONDS = 90.0
LEAVES_SECONDS = 8.0
"""Within which the processes of a coordinator that was killed have left its port."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """What became of a federation.

    Attributes:
        rounds: Of each: its number, sites, and who was left out.
        words: How it ended.
        complete: Whether all rounds were held.
    """

    rounds: tuple[Json, ...]
    words: str
    complete: bool = field(default=True)


def serve(folder: Path, address: tuple[str, int], secured: Secured, say: Say) -> Finished:
    """Hold the rounds of a prepared federation until they are over.

    Args:
        folder: Of `prepare`.
        address: Host and port to listen at; port 0 takes a free one.
        secured: Certificates and the sites' keys; without them the host must be a loopback address.
        say: Takes every line.

    Raises:
        ConflictError: Another process serves this folder, or at this port.
        SettingError: Other machines could reach it in the clear, or nobody's key is let in.
        InputError: Flower did not start, or failed.
        UnavailableError: There is no Flower.
    """
    host = address[0]
    _require_closed(host, secured)
    place = _Place(host, address[1] or _free_port(host), secured)
    with held(folder, place.address):
        _require_free(place)
        return _hold(folder, place, say)


@dataclass(frozen=True)
class _Place:
    """Where a coordinator listens."""

    host: str
    port: int
    secured: Secured

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def who(self, secret: str = "") -> Json:
        """What serves there says of itself; {} where nothing does, or something else."""
        try:
            url = f"{'https' if self.secured.own_certificate else 'http'}://{self.address}{WHO}"
            found = httpx.get(url, verify=self._trusted(), headers={HEADER: secret} if secret else {}, timeout=5.0)
            told = found.json() if found.is_success else {}
        except (httpx.HTTPError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _trusted(self) -> ssl.SSLContext | bool:
        """The authority by which the coordinator's own certificate is known; its name is that of others, which this machine need not be."""
        if not self.secured.own_certificate:
            return True
        context = ssl.create_default_context(cafile=self.secured.certificate)
        context.check_hostname = False
        return context


def _require_closed(host: str, secured: Secured) -> None:
    """Refuse an open door.

    Raises:
        SettingError: Other machines could reach it in the clear, or nobody's key is let in.
    """
    if not secured.own_certificate and host not in ("127.0.0.1", "localhost", "::1"):
        rule = f"In the clear a federation is served at 127.0.0.1 alone, got {host}"
        raise SettingError(rule, remedy="give --tls-cert, --tls-key, --tls-ca")
    if secured.own_certificate and not secured.site_keys:
        raise SettingError("Over TLS only sites whose keys are known are let in, none is named", remedy="give --site-key for each site")


def _require_free(place: _Place) -> None:
    """Wait until a killed coordinator's processes have left the port.

    Raises:
        ConflictError: Somebody else is there.
        SettingError: This machine has no such address.
    """
    deadline = time.monotonic() + LEAVES_SECONDS
    while (error := _bound(place)) is not None:
        if error.errno != errno.EADDRINUSE:
            raise SettingError(
                f"{place.address} cannot be listened at: {error.strerror}", remedy="give another --host or --port"
            ) from error
        who = place.who()
        if _alive(who.get("process")):
            rule = f"{place.address} already serves federation {who['federation']} (process {who['process']})"
            raise ConflictError(rule, remedy="end that one, or give another --port")
        if time.monotonic() > deadline:
            raise ConflictError(f"Another program listens at {place.address}", remedy="end that one, or give another --port")
        time.sleep(POLL_SECONDS)


def _bound(place: _Place) -> OSError | None:
    """Why the address cannot be listened at; None where it can."""
    with socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((place.host, place.port))
        except OSError as error:
            return error
    return None


def _alive(process: Any) -> bool:
    if not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:
        door.bind((host, 0))
        return int(door.getsockname()[1])


def _hold(folder: Path, place: _Place, say: Say) -> Finished:
    """Start Flower, let it run the rounds, and say what comes, until they are over."""
    (folder / ENDED).unlink(missing_ok=True)
    terms = json.loads((folder / TERMS).read_text())
    run, secret, secured = secrets.token_hex(8), secrets.token_hex(32), place.secured
    own = {PROOF: secret, FEDERATION: str(terms["id"]), HOLDER: str(os.getpid()), RUN: run}
    environment = flower_environment(folder, {"MEDLOOP_FEDERATION": str(folder.absolute()), **own})
    tls = [
        *("--ssl-certfile", secured.own_certificate, "--ssl-keyfile", secured.key, "--ssl-ca-certfile", secured.certificate),
        "--enable-supernode-auth",
    ]
    arguments = ["--host", place.host, "--port", str(place.port), *(tls if secured.own_certificate else ["--insecure"])]
    events = (folder / EVENTS).stat().st_size if (folder / EVENTS).exists() else 0
    link = FlowerProcess("flower-superlink", arguments, environment, folder / "flower.log")
    try:
        _await(link, place, secret)
        command_link(folder, environment, place.address, secured)
        say(f"serves at {place.address}")
        for line in _events(link, folder, events, run):
            say(line)
    finally:
        link.end()
    rounds = json.loads((folder / ROUNDS).read_text()) if (folder / ROUNDS).exists() else []
    return Finished(tuple(rounds), str(_ended(folder, run)), len(rounds) >= terms["rounds"])


def _await(link: FlowerProcess, place: _Place, secret: str) -> None:
    """Wait until it is one's own SuperLink that responds."""
    deadline = time.monotonic() + MOST_START_SECONDS
    while time.monotonic() < deadline:
        link.require_alive()
        if place.who(secret).get("own"):
            return
        time.sleep(POLL_SECONDS)
    raise InputError(f"Flower's SuperLink does not respond at {place.address}", remedy=f"see {link.log}")


def _ended(folder: Path, run: str) -> str | None:
    """How the rounds ended; None while they have not, whatever an earlier coordinator's app writes as it ends."""
    try:
        told = json.loads((folder / ENDED).read_text())
    except (OSError, ValueError):
        return None
    return str(told["words"]) if told.get("run") == run else None


def _events(link: FlowerProcess, folder: Path, position: int, run: str) -> Iterator[str]:
    """Lines of the coordinator's app as they come, until it ended."""
    while True:
        over = _ended(folder, run) is not None
        if (folder / EVENTS).exists():
            with (folder / EVENTS).open("rb") as log:
                log.seek(position)
                data = log.read()
            whole = data[: data.rfind(b"\n") + 1]
            position += len(whole)
            yield from whole.decode(errors="replace").splitlines()
        if over:
            return
        link.require_alive()
        time.sleep(POLL_SECONDS)
