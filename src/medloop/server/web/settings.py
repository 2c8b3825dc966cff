"""The server's settings: one table, read by the server, the command line and the documentation alike.

Every field of `ServerSettings` is one setting. Its default stands in the class, its help and limits in
`Setting`; the environment gives it as `MEDLOOP_` + the name in capitals. Listening beyond loopback without
encryption is refused here, and without accounts where the served folder is known (`server.app`).
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeAlias

from medloop.core.errors import InputError, SettingError
from medloop.core.names import checked_name

PREFIX = "MEDLOOP_"
Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Setting:
    """One line of the table.

    Attributes:
        name: Field of `ServerSettings` and option of `medloop serve`.
        default: Value when nothing is given.
        help: What it does, one line.
        low, high: Limits of a number; None for text and switches.
    """

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
        SettingError: A value outside its limits, or a host beyond loopback without encryption.
    """

    host: str = _setting("127.0.0.1", "Address to listen on; beyond loopback only with accounts, and with TLS or behind a proxy.")
    port: int = _setting(8000, "Port to listen on; 0 takes any free one.", 0, 65535)
    tls_cert: str = _setting("", "File of the TLS certificate with its chain (PEM).")
    tls_key: str = _setting("", "File of the certificate's private key (PEM).")
    behind_proxy: bool = _setting(False, "A reverse proxy ends TLS in front of this server and adds X-Forwarded-For.")
    names: str = _setting(
        "", "Names under which the server is reached (Host), separated by commas, as the proxy or the address bar has them."
    )
    idle_minutes: float = _setting(120.0, "A session that was not used for so long ends.", 1, 10080)
    session_hours: float = _setting(12.0, "A session ends after so long in any case.", 0.1, 720)
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
        _require_encryption(self)
        _require_name(self.annotator)

    @property
    def extra_origins(self) -> tuple[str, ...]:
        """The additional origins, cleaned."""
        return tuple(o.strip().rstrip("/") for o in self.origins.split(",") if o.strip())

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names of the setting `names`, cleaned."""
        return tuple(name.strip().lower() for name in self.names.split(",") if name.strip())

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach the server by https."""
        return bool(self.tls_cert) or self.behind_proxy

    @property
    def needs_accounts(self) -> bool:
        """Whether others than this machine's users can reach it."""
        return self.behind_proxy or not is_loopback(self.host)


def _described(entry: Field[Any]) -> Setting:
    default: Any = entry.default
    return Setting(entry.name, default, entry.metadata["help"], entry.metadata["low"], entry.metadata["high"])


SETTINGS: tuple[Setting, ...] = tuple(_described(entry) for entry in fields(ServerSettings))
"""The table."""


def read_settings(environment: Mapping[str, str], given: Mapping[str, Value | None] | None = None) -> ServerSettings:
    """Settings from the environment, overridden by what was given on the command line.

    Args:
        environment: Usually `os.environ`; only names with the prefix are looked at.
        given: By setting name; None means not given.

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


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_encryption(settings: ServerSettings) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingError("tls_cert and tls_key belong together, got one of them", remedy="give both files")
    if not settings.needs_accounts:
        return
    _require_address(settings.host)
    if not settings.is_encrypted:
        raise SettingError(
            f"Beyond loopback medloop listens with accounts and encryption only, got host {settings.host!r}",
            remedy="make accounts with medloop users add, and give --tls-cert and --tls-key, or --behind-proxy",
        )
    if not settings.host_names:
        raise SettingError("Say under which name the server is reached from elsewhere", remedy="give --names medloop.example.org")


def _require_address(host: str) -> None:
    try:
        ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise SettingError(f"The host to listen on is an IP address, got {host!r}", remedy="use 127.0.0.1, 0.0.0.0 or ::") from error
