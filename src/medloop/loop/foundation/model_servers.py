"""Which servers of models may be contacted, and with which credentials: the file `model-servers.toml`, written as `pacs.toml` is.

Images leave the machine to them, so nothing is contacted that the file does not list twice: a server needs an entry, and its host a place
in `hosts`. The variable MEDLOOP_MODEL_HOSTS narrows that for a whole machine. A password never stands in the file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from medloop.core.errors import NotFoundError, SettingError
from medloop.pacs.sites import Secrets, narrowed, read_document, web_place

FILE = "model-servers.toml"
FILE_VARIABLE, HOSTS_VARIABLE = "MEDLOOP_MODEL_SERVERS", "MEDLOOP_MODEL_HOSTS"
PAGE = "docs/models.md"

ServerKind: TypeAlias = Literal["monailabel", "nninteractive"]
_FIELDS: Mapping[str, type[Any]] = {
    "url": str, "kind": str, "ca_file": str, "plain_http": bool, "timeout_seconds": float,
    "user": str, "password_env": str, "password_file": str, "token_env": str, "token_file": str,
}  # fmt: skip


@dataclass(frozen=True)
class ModelServer:
    """One server.

    Attributes:
        name: What people call it.
        url: Where it is, without a slash at the end.
        host: Of the url.
        kind: What it speaks: MONAI Label (proposals) or nnInteractive (prompts).
        ca_file: Certificates to trust in place of the system's.
        timeout_seconds: Longest wait for a connection and for each reply.
        secrets: Where its credentials are.
    """

    name: str
    url: str
    host: str
    kind: ServerKind = "monailabel"
    ca_file: str = ""
    timeout_seconds: float = 600.0
    secrets: Secrets = field(default_factory=Secrets)


def model_server(folder: Path, name: str, kind: ServerKind) -> ModelServer:
    """A server of a kind by its name; the only one of the kind where none is named.

    Args:
        folder: Of the project.
        name: Or "".
        kind: What it must speak.

    Raises:
        NotFoundError: No such file or server, or several and none is named.
        SettingError: The file may be changed by others or says what it may not, the host is not allowed, or it speaks something else.
    """
    found, hosts = read_model_servers(folder)
    fitting = {one.name: one for one in found.values() if one.kind == kind}
    if not name and len(fitting) != 1:
        known = ", ".join(sorted(fitting)) or "none"
        raise NotFoundError(f"{FILE} lists {len(fitting)} servers of {kind}, one must be named", remedy=f"use one of: {known}")
    if name and name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NotFoundError(f"{FILE} lists no server {name!r:.40}", remedy=f"use one of: {known}, or add [servers.{name}]")
    server = found[name] if name else next(iter(fitting.values()))
    if server.kind != kind:
        raise SettingError(f"The server {server.name} speaks {server.kind}, {kind} is needed", remedy=f"correct kind in {FILE}")
    if server.host.lower() not in hosts:
        raise SettingError(f"The host {server.host} is not allowed", remedy=f"an administrator adds it to hosts of {FILE}")
    return server


def read_model_servers(folder: Path) -> tuple[Mapping[str, ModelServer], frozenset[str]]:
    """The servers of a project's file, or of the one that MEDLOOP_MODEL_SERVERS names, and the hosts that may be contacted.

    Raises:
        NotFoundError: No such file.
        FormatError: It is no TOML.
        SettingError: It may be changed by others, or says what it may not.
    """
    path = Path(os.environ.get(FILE_VARIABLE, "") or folder / FILE)
    document = read_document(path, page=PAGE)
    if unknown := set(document) - {"hosts", "servers"}:
        raise SettingError(f"{path.name} holds hosts and [servers.NAME], got {sorted(unknown)[0]!r:.40}", remedy=f"see {PAGE}")
    hosts, servers = document.get("hosts", []), document.get("servers", {})
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise SettingError(f"hosts of {path.name} must be a list of names", remedy="such as hosts = ['127.0.0.1']")
    if not isinstance(servers, dict):
        raise SettingError(f"{path.name} lists servers as [servers.NAME]", remedy=f"see {PAGE}")
    made = {str(name): _server(str(name), entry, path) for name, entry in servers.items()}
    return made, narrowed({host.lower() for host in hosts}, HOSTS_VARIABLE)


def _server(name: str, entry: Any, path: Path) -> ModelServer:
    if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
        raise SettingError(f"servers.{name} of {path.name} needs a url", remedy="such as url = 'http://127.0.0.1:8000'")
    for word in ("password", "token"):
        if word in entry:
            raise SettingError(f"A {word} never stands in {path.name}", remedy=f"use {word}_env or {word}_file")
    if unknown := set(entry) - set(_FIELDS):
        raise SettingError(f"servers.{name} knows no {sorted(unknown)[0]!r:.40}", remedy=f"known are {', '.join(_FIELDS)}")
    for key, value in entry.items():
        wanted = (int, float) if _FIELDS[key] is float else (_FIELDS[key],)
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise SettingError(f"servers.{name}.{key} must be {_FIELDS[key].__name__}, got {type(value).__name__}")
    kind, seconds = entry.get("kind", "monailabel"), float(entry.get("timeout_seconds", 600.0))
    if kind not in get_args(ServerKind):
        raise SettingError(f"servers.{name}.kind must be one of {', '.join(get_args(ServerKind))}, got {kind!r:.40}")
    if not 0 < seconds <= 86_400:
        raise SettingError(f"servers.{name}.timeout_seconds must be above 0 and at most 86400, got {seconds:g}")
    place = web_place(name, entry)
    files = {key: str(path.parent / entry[key]) for key in ("password_file", "token_file", "ca_file") if entry.get(key)}
    secrets = Secrets(
        entry.get("user", ""),
        entry.get("password_env", ""),
        files.get("password_file", ""),
        entry.get("token_env", ""),
        files.get("token_file", ""),
    )
    return ModelServer(name, entry["url"].rstrip("/"), str(place["host"]), kind, files.get("ca_file", ""), seconds, secrets)
