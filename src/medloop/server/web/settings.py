"""The server's settings: one table, read by the server, the command line and the documentation alike.

Every field of `ServerSettings` is one setting, declared as those of projects are; the environment gives it as `MEDLOOP_` + the
name in capitals. Listening beyond loopback is refused here, because there are no accounts yet.
"""

import ipaddress
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medloop.core.errors import InputError, SettingError
from medloop.core.names import checked_name
from medloop.core.settings import Setting, SettingValue, declared, setting


def variable_of(name: str) -> str:
    """A setting's environment variable."""
    return f"MEDLOOP_{name.upper()}"


def _setting(default: SettingValue, about: str, low: float = -math.inf, high: float = math.inf) -> Any:
    return setting(default, about, "", "at once", low=low, high=high, longest=sys.maxsize)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How `medloop serve` runs; every value has been checked.

    Raises:
        SettingError: A value outside its limits, or a host beyond loopback.
    """

    host: str = _setting("127.0.0.1", "Address to listen on; only loopback addresses until accounts exist.")
    port: int = _setting(8000, "Port to listen on; 0 takes any free one.", 0, 65535)
    annotator: str = _setting("local", "Name of the person when a request carries no X-Annotator header.")
    origins: str = _setting("", "Further page origins that may change things, separated by commas (for page development).")
    threads: int = _setting(8, "Requests that may use the database at the same time.", 1, 64)
    max_json_mb: float = _setting(16.0, "Largest JSON request body in MB.", 0.001, 1024)
    max_mask_mb: float = _setting(256.0, "Largest uploaded mask in MB, as sent.", 0.001, 65536)
    body_seconds: float = _setting(60.0, "Longest time a request body may take to arrive, and a second more for each 100 kB.", 0.1, 3600)
    poll_seconds: float = _setting(0.5, "Pause between two looks for changes while a page listens.", 0.02, 60)
    heartbeat_seconds: float = _setting(15.0, "Pause between two signs of life on an idle stream.", 0.05, 300)
    worker: bool = _setting(True, "Start a worker process (training, predictions) beside the server.")
    assistant: bool = _setting(True, "Start an assistant process (proposals on demand) beside the server.")
    compute_threads: int = _setting(0, "Threads of worker and assistant; 0 leaves one core to the server.", 0, 1024)
    drain_seconds: float = _setting(9.0, "Longest time to finish running requests and jobs when stopping.", 0.1, 600)

    def __post_init__(self) -> None:
        for one in SETTINGS:
            one.check(getattr(self, one.name))
        _require_loopback(self.host)
        _require_name(self.annotator)

    @property
    def extra_origins(self) -> tuple[str, ...]:
        """The additional origins, cleaned."""
        return tuple(o.strip().rstrip("/") for o in self.origins.split(",") if o.strip())


SETTINGS: tuple[Setting, ...] = tuple(declared(ServerSettings).values())
"""The table."""


def read_settings(environment: Mapping[str, str], given: Mapping[str, SettingValue | None] | None = None) -> ServerSettings:
    """Settings from the environment, overridden by what was given on the command line.

    Args:
        environment: Usually `os.environ`; only names with the prefix are looked at.
        given: By setting name; None means not given.

    Raises:
        SettingError: An unknown name, or a value that cannot be read or is out of range.
    """
    values: dict[str, Any] = {}
    for one in SETTINGS:
        if (variable := variable_of(one.name)) in environment:
            values[one.name] = one.parse(environment[variable], called=variable)
    for name, value in (given or {}).items():
        if name not in {s.name for s in SETTINGS}:
            raise SettingError(f"Unknown setting {name!r}", remedy=f"use one of {', '.join(s.name for s in SETTINGS)}")
        if value is not None:
            values[name] = value
    return ServerSettings(**values)


def _require_name(annotator: str) -> None:
    try:
        checked_name(annotator)
    except InputError as error:
        raise SettingError(f"annotator: {error.message}", remedy=error.remedy) from error


def _require_loopback(host: str) -> None:
    if host == "localhost":
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise SettingError(
        f"medloop listens on loopback only until accounts exist, got host {host!r}",
        remedy="use --host 127.0.0.1 and reach it from elsewhere through an SSH tunnel",
    )
