"""The server's settings: one table, read by the server, the command line and the documentation alike.

Every field of `ServerSettings` is one setting. Its default stands in the class, its help and limits in
`Setting`; the environment gives it as `MEDLOOP_` + the name in capitals. Listening beyond loopback is
refused here, because there are no accounts yet.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from medloop.core.errors import InputError, SettingError
from medloop.core.names import checked_name

PREFIX = "MEDLOOP_"
Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Setting:
    """One line of the table: a field of `ServerSettings`, with limits where it is a number."""

    name: str
    default: Value
    help: str
    low: float | None
    high: float | None

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()


def _setting(default: Any, about: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"help": about, "low": low, "high": high})


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
        for entry in fields(self):
            _require_type(entry.name, getattr(self, entry.name), entry.default)
            _require_range(entry.name, getattr(self, entry.name), entry.metadata["low"], entry.metadata["high"])
        _require_loopback(self.host)
        _require_name(self.annotator)

    @property
    def extra_origins(self) -> tuple[str, ...]:
        """The additional origins, cleaned."""
        return tuple(o.strip().rstrip("/") for o in self.origins.split(",") if o.strip())


SETTINGS: tuple[Setting, ...] = tuple(Setting(name=e.name, **{"default": e.default, **e.metadata}) for e in fields(ServerSettings))
"""The table."""


def read_settings(environment: Mapping[str, str], given: Mapping[str, Value | None] | None = None) -> ServerSettings:
    """Settings from the environment, overridden by what was given on the command line; None means not given.

    Raises:
        SettingError: An unknown name, or a value that cannot be read or is out of range.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.variable in environment:
            values[setting.name] = _parse(setting, environment[setting.variable])
    for name, value in (given or {}).items():
        if name not in {s.name for s in SETTINGS}:
            raise SettingError(f"Unknown setting {name!r}", remedy=f"use one of {', '.join(s.name for s in SETTINGS)}")
        if value is not None:
            values[name] = value
    return ServerSettings(**values)


def _parse(setting: Setting, text: str) -> Value:
    kind = type(setting.default)
    if kind is bool:
        switches = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
        if text.strip().lower() in switches:
            return switches[text.strip().lower()]
        raise SettingError(f"{setting.variable} is a switch, got {text!r}", remedy="use 1 or 0")
    try:
        return kind(text)
    except ValueError as error:
        raise SettingError(f"{setting.variable} must be a number, got {text!r}") from error


def _require_type(name: str, value: object, default: object) -> None:
    wanted = (int, float) if type(default) is float else (type(default),)
    if not isinstance(value, wanted) or (isinstance(value, bool) and type(default) is not bool):
        raise SettingError(f"{name} must be {type(default).__name__}, got {value!r}")


def _require_range(name: str, value: float, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and not low <= value <= high:
        raise SettingError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")


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
