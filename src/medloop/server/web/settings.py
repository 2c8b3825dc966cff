"""The server's settings: one table, read by the server, the command line and the documentation alike.

Every field of `ServerSettings` is one setting, declared as those of projects are; the environment gives it as `MEDLOOP_` + the
name in capitals. Listening beyond loopback without encryption is refused here, and without accounts where the served folder is
known (`server.app`).
"""

import ipaddress
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from medloop.core.declaring import Setting, SettingValue, declared, setting
from medloop.core.errors import InputError, SettingError
from medloop.core.names import checked_name

NewPeople: TypeAlias = Literal["refuse", "none", "viewer", "annotator", "reviewer", "lead"]


def variable_of(name: str) -> str:
    """A setting's environment variable."""
    return f"MEDLOOP_{name.upper()}"


def _setting(default: SettingValue, about: str, low: float = -math.inf, high: float = math.inf, *, choices: tuple[str, ...] = ()) -> Any:
    return setting(default, about, "", "at once", low=low, high=high, longest=sys.maxsize, choices=choices)


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
    password_sign_in: bool = _setting(True, "People may sign in with passwords; without, only through the OpenID Connect provider.")
    oidc_issuer: str = _setting("", "Address of the OpenID Connect provider, as its tokens name it (https).")
    oidc_client_id: str = _setting("", "What the provider calls this server.")
    oidc_secret_file: str = _setting("", "File with the secret that the provider gave this server; none for a public client.")
    oidc_name: str = _setting("", "What the button to sign in calls the provider; its host by default.")
    oidc_new_people: NewPeople = _setting(
        "refuse", "What becomes of people whom the provider knows and this server does not: an account with a role, or with none.",
        choices=get_args(NewPeople),
    )  # fmt: skip
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
        _require_encryption(self)
        _require_provider(self)
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
    def oidc_secret(self) -> str:
        """The secret of `oidc_secret_file`; "" for a public client.

        Raises:
            SettingError: The file cannot be read, or holds no secret.
        """
        return _secret_in(Path(self.oidc_secret_file)) if self.oidc_secret_file else ""

    @property
    def needs_accounts(self) -> bool:
        """Whether others than this machine's users can reach it."""
        return self.behind_proxy or not is_loopback(self.host)


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


def _require_provider(settings: ServerSettings) -> None:
    if bool(settings.oidc_issuer) != bool(settings.oidc_client_id):
        raise SettingError("oidc_issuer and oidc_client_id belong together, got one of them", remedy="give both")
    if settings.oidc_issuer:
        require_trusted(settings.oidc_issuer, "oidc_issuer")
    elif not settings.password_sign_in:
        raise SettingError("Without passwords people sign in through a provider, and there is none", remedy="give --oidc-issuer")


def require_trusted(address: str, called: str, *, loopback: bool = True) -> None:
    """Refuse an address of a provider that others on the way could answer for.

    Args:
        address: As configured, or as the provider announces it.
        called: What it is, for the message.
        loopback: Whether plain http to this machine will do.

    Raises:
        SettingError: Neither https nor, where that will do, loopback; or with parts that do not belong there.
    """
    try:
        parts = urlsplit(address)
        trusted = parts.scheme == "https" or (loopback and parts.scheme == "http" and is_loopback(parts.hostname or ""))
        whole = bool(parts.hostname) and not parts.fragment and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        trusted = whole = False
    if not (trusted and whole):
        raise SettingError(f"{called} is an address that begins with https://, got {address[:200]!r}", remedy="see docs/accounts.md")


def _secret_in(file: Path) -> str:
    try:
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingError(f"oidc_secret_file {file} cannot be read", remedy="check its name and who may read it") from error
    if not secret.isprintable() or not 1 <= len(secret) <= 1000:
        raise SettingError(f"oidc_secret_file {file} holds one line of 1 to 1000 ASCII characters")
    return secret


def _require_address(host: str) -> None:
    try:
        ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise SettingError(f"The host to listen on is an IP address, got {host!r}", remedy="use 127.0.0.1, 0.0.0.0 or ::") from error
