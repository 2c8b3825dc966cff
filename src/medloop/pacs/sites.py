"""Which archives may be contacted, and with which credentials: the file `pacs.toml`.

Nothing is contacted that the file does not list, twice: a server needs an entry, and its host a place in `hosts`. The variable
MEDLOOP_PACS_HOSTS narrows that for a whole machine. A password never stands in the file: it comes from a variable of the
environment, or from a file that nobody else may read, when a connection is made, and is held by nothing that is printed.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from medloop.core.errors import FormatError, NotFoundError, SettingError

FILE = "pacs.toml"
FILE_VARIABLE, HOSTS_VARIABLE = "MEDLOOP_PACS", "MEDLOOP_PACS_HOSTS"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
"""An AE title: up to 16 printable characters of ASCII without a backslash. Source: DICOM PS3.5 6.2."""
_MAX_FILE = 1 << 20

Retrieve: TypeAlias = Literal["get", "move"]


@dataclass(frozen=True)
class Secrets:
    """Where the credentials of a server are found; the words themselves are in no object that is kept.

    Attributes:
        user: Name to sign in with; "" for none.
        password_env, token_env: A variable of the environment that holds them.
        password_file, token_file: A file whose first line they are, which only its owner may read.
    """

    user: str = ""
    password_env: str = ""
    password_file: str = ""
    token_env: str = ""
    token_file: str = ""

    def password(self) -> str:
        """The password, "" where there is none.

        Raises:
            SettingError: The variable is not set, or the file is missing or may be read by others.
        """
        return _secret(self.password_env, self.password_file)

    def token(self) -> str:
        """The bearer token, "" where there is none.

        Raises:
            SettingError: As for `password`, or it holds what cannot stand in a header; errors of HTTP clients would quote it.
        """
        found = _secret(self.token_env, self.token_file).strip()
        if not found.isascii() or not found.isprintable() or " " in found:
            place = f"variable {self.token_env}" if self.token_env else f"file {self.token_file}"
            raise SettingError(f"The token in the {place} must be one word of ASCII, it is not", remedy="write the token alone")
        return found


@dataclass(frozen=True)
class Site:
    """One archive: over DICOMweb where it has a `url`, else over DIMSE.

    Attributes:
        name: What people call it.
        host, port: Where it is.
        url: Root of its DICOMweb service.
        title: Its application entity (AE) title, for DIMSE.
        own_title: With which title medloop calls.
        retrieve: By C-GET, or by C-MOVE to `receive_port` of this machine, where the archive knows `own_title`.
        receive_host, receive_port: Where objects of a C-MOVE arrive.
        tls: Encrypt DIMSE.
        ca_file: Certificates to trust in place of the system's.
        plain_http: Speak http to another machine all the same.
        timeout_seconds: Longest wait for a connection and for each reply.
        secrets: Where its credentials are.
    """

    name: str
    host: str
    port: int
    url: str = ""
    title: str = ""
    own_title: str = "MEDLOOP"
    retrieve: Retrieve = "get"
    receive_host: str = "127.0.0.1"
    receive_port: int = 11112
    tls: bool = False
    ca_file: str = ""
    plain_http: bool = False
    timeout_seconds: float = 30.0
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True)
class Sites:
    """The archives of a file, and the hosts that may be contacted."""

    servers: Mapping[str, Site]
    hosts: frozenset[str]

    def site(self, name: str = "") -> Site:
        """The server of a name; the only one where none is named.

        Raises:
            NotFoundError: No such server, or several and none is named.
            SettingError: Its host is not allowed.
        """
        names = ", ".join(sorted(self.servers))
        if not name and len(self.servers) != 1:
            raise NotFoundError(f"{FILE} lists {len(self.servers)} servers, one must be named", remedy=f"--server with one of {names}")
        if name and name not in self.servers:
            raise NotFoundError(f"{FILE} lists no server {name!r}", remedy=f"use one of {names}, or add [servers.{name}]")
        found = self.servers[name] if name else next(iter(self.servers.values()))
        if found.host.lower() not in self.hosts:
            raise SettingError(f"The host of the server {found.name} is not allowed", remedy=f"an administrator adds it to hosts of {FILE}")
        return found


def sites_file(folder: Path) -> Path:
    """The file that counts for a project's folder: the one that MEDLOOP_PACS names, else the project's own."""
    named = os.environ.get(FILE_VARIABLE, "")
    return Path(named) if named else folder / FILE


def read_sites(path: Path) -> Sites:
    """Read a file of servers.

    Raises:
        NotFoundError: No such file.
        FormatError: It is no TOML.
        SettingError: It may be changed by others, or says what it may not.
    """
    document = read_document(path)
    if unknown := set(document) - {"hosts", "servers"}:
        raise SettingError(f"{path.name} holds hosts and [servers.NAME], got {sorted(unknown)[0]!r}", remedy="see docs/orthanc.md")
    hosts, servers = document.get("hosts", []), document.get("servers", {})
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise SettingError(f"hosts of {path.name} must be a list of names, such as hosts = ['127.0.0.1']")
    if not isinstance(servers, dict) or not servers:
        raise SettingError(f"{path.name} lists no server", remedy="add [servers.NAME] with a url, or a host, port and title")
    made = {name: _site(name, entry, path) for name, entry in servers.items()}
    return Sites(made, narrowed({host.lower() for host in hosts}))


def narrowed(hosts: set[str], variable: str = HOSTS_VARIABLE) -> frozenset[str]:
    """Those of some hosts that this machine allows: all, unless a variable of the environment names others."""
    machine = os.environ.get(variable)
    return frozenset(hosts if machine is None else hosts & {host.strip().lower() for host in machine.split(",")})


def read_document(path: Path, *, page: str = "docs/orthanc.md") -> Mapping[str, Any]:
    """A file that lists servers, which only its owner may change; `page` explains it.

    Raises:
        NotFoundError: No such file.
        SettingError: Others may change it.
        FormatError: It is no TOML.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE)
    except OSError as error:
        raise NotFoundError(f"The servers are listed in {path}, which cannot be read", remedy=f"see {page}") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingError(f"{path} decides who is contacted, and others may change it", remedy=f"chmod go-w {path}")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise FormatError(f"{path.name} is no TOML", remedy=f"see {page}") from None  # the message may quote a secret


def _site(name: str, entry: Any, path: Path) -> Site:
    if not isinstance(entry, dict):
        raise SettingError(f"servers.{name} of {path.name} must be a table", remedy=f"write [servers.{name}]")
    for word in ("password", "token"):
        if word in entry:
            raise SettingError(f"A {word} never stands in {path.name}", remedy=f"use {word}_env or {word}_file")
    secret_names = {one.name for one in fields(Secrets)}
    given = {key: value for key, value in entry.items() if key not in secret_names}
    allowed = {one.name: one.type for one in fields(Site) if one.name not in ("name", "secrets")}
    if unknown := set(given) - set(allowed):
        raise SettingError(f"servers.{name} knows no {sorted(unknown)[0]!r}", remedy=f"known are {', '.join(sorted(allowed))}")
    for key, value in given.items():
        _require_type(f"servers.{name}.{key}", value, allowed[key])
    secrets = {key: str(value) for key, value in entry.items() if key in secret_names}
    for key in ("password_file", "token_file"):
        secrets[key] = str(path.parent / secrets[key]) if secrets.get(key) else ""
    if given.get("ca_file"):
        given["ca_file"] = str(path.parent / given["ca_file"])
    where = web_place(name, given) if given.get("url") else _dimse(name, given)
    site = Site(name=name, secrets=Secrets(**secrets), **{**given, **where})
    _require_sound(site)
    return site


def _require_type(what: str, value: Any, kind: Any) -> None:
    wanted: tuple[type, ...] = {int: (int,), float: (int, float), bool: (bool,)}.get(kind, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise SettingError(f"{what} must be {wanted[-1].__name__}, got {type(value).__name__}")


def web_place(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Host and port of a server's `url`.

    Raises:
        SettingError: It is no address, holds credentials, or would send patient data unencrypted.
    """
    try:
        parts = urlsplit(given["url"])
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise SettingError(f"servers.{name}.url is no address", remedy="such as https://pacs.example/dicom-web") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.query:
        raise SettingError(
            f"servers.{name}.url must be http(s)://HOST[:PORT]/PATH without a name, password or query", remedy="use user and password_env"
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not given.get("plain_http"):
        raise SettingError(f"servers.{name}.url sends patient data unencrypted", remedy="use https, or set plain_http = true")
    return {"host": parts.hostname, "port": port}


def _dimse(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if not given.get("host") or not given.get("title") or not 0 < given.get("port", 0) < 65536:
        raise SettingError(f"servers.{name} needs a url (DICOMweb), or a host, a port and a title (DIMSE)")
    return {}


def _require_sound(site: Site) -> None:
    for word, title in (("title", site.title or "ANY"), ("own_title", site.own_title)):
        require_title(f"servers.{site.name}.{word}", title)
    if site.retrieve not in ("get", "move"):
        raise SettingError(f"servers.{site.name}.retrieve must be get or move, got {site.retrieve!r}")
    if not 0 < site.timeout_seconds <= 3600:
        raise SettingError(f"servers.{site.name}.timeout_seconds must be above 0 and at most 3600, got {site.timeout_seconds:g}")


def require_title(what: str, title: str) -> None:
    """Refuse what is no AE title.

    Raises:
        SettingError: It is none.
    """
    if not _TITLE.fullmatch(title) or not title.strip():
        raise SettingError(f"{what} must be 1 to 16 characters of ASCII without a backslash, got {len(title)} characters")


def _secret(variable: str, file: str) -> str:
    if variable:
        found = os.environ.get(variable, "")
        if not found:
            raise SettingError(f"The variable {variable} must hold the credentials, it is not set", remedy=f"export {variable}")
        return found
    return _first_line(Path(file)) if file else ""


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            line = file.readline(4096).rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingError(f"The credentials are in {path}, which cannot be read", remedy="check the path and its rights") from None
    if mode & 0o077:
        raise SettingError(f"{path} holds credentials, and others may read it", remedy=f"chmod 600 {path}")
    return line
