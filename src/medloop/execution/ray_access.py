"""How a Ray cluster is reached, and which ones are not used: those that take clients without a token, or do not take this one's.

Whoever reaches a Ray cluster runs code on it, so medloop works only on clusters that want a token (`RAY_AUTH_MODE=token`), wherever
they listen. Ray takes the token from `RAY_AUTH_TOKEN`, else the file that `RAY_AUTH_TOKEN_PATH` names, else `~/.ray/auth_token`.
Source: Ray's documentation, "Ray token authentication".
"""

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from medloop.core.errors import ForbiddenError, SettingError, UnavailableError

LOCAL = "local"
"""In place of an address: a cluster of one's own on this machine, which ends with the process."""

PROBE_SECONDS = 30.0
LOOPBACK_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: Ray binds to 127.0.0.1 and nothing else; without, it listens on every address, whatever `--node-ip-address` says (2.60)."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}

Answer: TypeAlias = Literal["open", "refused", "silent"]

_PROBE = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="critical", configure_logging=False)
print("open", flush=True)
"""


def checked_address(address: str, environment: Mapping[str, str]) -> str:
    """An address of Ray that may be used, as far as can be known without reaching it.

    Args:
        address: `local`, or HOST:PORT of a cluster's head.
        environment: Usually `os.environ`, for the token.

    Raises:
        UnavailableError: Ray is not installed.
        SettingError: Another form of address, or no token for it.
    """
    if importlib.util.find_spec("ray") is None:
        raise UnavailableError("Ray is not installed", remedy="pip install 'medloop[distributed]', on every machine")
    if address == LOCAL:
        return address
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or "/" in host:
        rule = f"A Ray address is {LOCAL}, or HOST:PORT of the cluster's head, got {address!r}"
        raise SettingError(rule, remedy="ray start --head prints it; this machine must be one of the cluster's")
    if not _has_token(environment):
        rule = f"The Ray address {address} needs the cluster's token, there is none"
        raise SettingError(rule, remedy="set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file that holds it")
    return address


def require_token_checked(address: str) -> None:
    """Ask a cluster without and with the token, each in a process of its own: Ray cannot leave one cluster for another.

    Raises:
        ForbiddenError: It takes clients without a token, or does not take this token.
        UnavailableError: Nobody answers there.
    """
    answers: dict[str, Answer] = {}

    def ask(name: str, environment: Mapping[str, str]) -> None:
        answers[name] = _answer(address, environment)

    own = {**os.environ, **QUIET}
    bare = {k: v for k, v in own.items() if not k.startswith("RAY_AUTH_TOKEN")} | {"RAY_AUTH_MODE": "disabled"}
    asking = [threading.Thread(target=ask, args=one) for one in (("without", bare), ("with", own))]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    if answers["without"] == "open":
        rule = f"The Ray cluster at {address} takes anybody without a token, and runs whatever they send"
        raise ForbiddenError(rule, remedy="start it with RAY_AUTH_MODE=token on every machine")
    if answers["with"] == "refused":
        raise ForbiddenError(f"The Ray cluster at {address} does not take this token", remedy="set RAY_AUTH_TOKEN to that of the cluster")
    if answers["with"] == "silent":
        raise UnavailableError(
            f"No Ray cluster is reached at {address}", remedy="ray start --head, or ray start --address, on this machine"
        )
    if answers["without"] != "refused":
        rule = f"Whether the Ray cluster at {address} refuses clients without a token could not be found out"
        raise UnavailableError(rule, remedy="try again when it is less busy")


def bind_to_loopback(address: str) -> None:
    """Let Ray, which is not loaded yet, use 127.0.0.1 for a cluster of its own or for one that listens nowhere else."""
    host, _, port = address.rpartition(":")
    if address == LOCAL or (host in ("127.0.0.1", "localhost") and not _listens(_own_address(), int(port))):
        os.environ[LOOPBACK_SWITCH] = "0"


def _answer(address: str, environment: Mapping[str, str]) -> Answer:
    """What a cluster says to a client with that environment; a refusal shows in a second, though Ray tries for long."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROBE, address], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as client:
        timer = threading.Timer(PROBE_SECONDS, client.kill)
        timer.start()
        try:
            for line in client.stdout or ():
                if line.strip() == "open":
                    return "open"
                if "Unauthenticated" in line or "AuthenticationError" in line:
                    return "refused"
        finally:
            timer.cancel()
            client.kill()
    return "silent"


def _has_token(environment: Mapping[str, str]) -> bool:
    if environment.get("RAY_AUTH_TOKEN", "").strip():
        return True
    file = environment.get("RAY_AUTH_TOKEN_PATH", "") or str(Path(environment.get("HOME", "~")).expanduser() / ".ray" / "auth_token")
    try:
        return bool(Path(file).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        return False


def _own_address() -> str:
    """The address by which others reach this machine; 127.0.0.1 where it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2.0).close()
    except OSError:
        return False
    return True
