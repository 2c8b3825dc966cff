"""`medloop serve`: the server in this process, a worker and an assistant beside it.

The two children start once the server answers, so that their heavy imports never delay the first page.
On SIGTERM or Ctrl-C the server stops taking requests, ends its streams and lets running ones finish;
the children are told at the same moment, keep their checkpoints, and everything is gone within
`drain_seconds` and a moment.
"""

import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from medloop.core.errors import SettingError
from medloop.execution.placement import placement_of
from medloop.server.app import create_app
from medloop.server.processes.children import Child
from medloop.server.web.connections import GuardedProtocol
from medloop.server.web.folders import project_folders
from medloop.server.web.settings import ServerSettings
from medloop.server.web.site import Site
from medloop.store.private import why_read_only

MAX_SOCKET_PATH = 100
"""A Unix socket's address holds 108 bytes on Linux and 104 elsewhere."""

MAX_CONNECTIONS = 256
"""Requests that may be at work at once; connections that only wait have a limit of their own."""

Ready = Callable[[str], None]
"""Called with the page's address once the server answers."""


def serve(folder: Path, settings: ServerSettings, *, ready: Ready | None = None) -> None:
    """Serve a folder until told to stop (SIGTERM, SIGINT); `ready` is told the address.

    Raises:
        NotFoundError: No project in the folder.
        ConflictError: Another server has it.
        SettingError: The port is taken, a file of TLS cannot be used, or others could reach it and there are no accounts.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)  # what this process writes is this user's alone
    folder = folder.resolve()
    settings = _fitting(folder, settings)
    socket_path = _socket_path(folder) if settings.assistant else None
    app = create_app(folder, settings, assistant=socket_path)
    listener = open_listener(settings.host, settings.port)
    _Server(app, settings, _children(folder, settings, socket_path), ready or (lambda _url: None)).serve_on(listener)


class AnsweringServer(uvicorn.Server):
    """uvicorn that tells its address as soon as it answers."""

    def __init__(self, app: Starlette, ready: Ready, *, drain_seconds: int, tls: tuple[str, str] = ("", "")) -> None:
        cert, key = tls
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            http=GuardedProtocol,  # on h11, which bounds the size of headers; the faster parser does not
            ws="none",
            server_header=False,
            proxy_headers=False,  # who is believed about addresses is decided by behind_proxy
            ssl_certfile=cert or None,
            ssl_keyfile=key or None,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=drain_seconds,
        )
        _load(config)
        super().__init__(config)
        self._ready = ready
        self._scheme = "https" if cert else "http"

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until told to stop (SIGTERM, SIGINT)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)  # uvicorn repeats a signal after it has drained
        self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if sockets:
            self._ready(address_of(sockets[0], scheme=self._scheme))


class _Server(AnsweringServer):
    """With children: started after it answers, asked to stop when it stops."""

    def __init__(self, app: FastAPI, settings: ServerSettings, children: Sequence[Child], ready: Ready) -> None:
        tls = (settings.tls_cert, settings.tls_key)
        super().__init__(app, ready, drain_seconds=max(1, int(settings.drain_seconds - 2)), tls=tls)
        self._site: Site = app.state.site
        self._children = children
        self._drain_seconds = settings.drain_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for child in self._children:
            child.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        deadline = time.monotonic() + self._drain_seconds
        for child in self._children:
            child.request_stop()
        self._site.feed.close()
        await super().shutdown(sockets)
        for child in self._children:
            child.wait(deadline - time.monotonic())


def _load(config: uvicorn.Config) -> None:
    """Read the files of TLS.

    Raises:
        SettingError: They cannot be used.
    """
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise SettingError(f"The TLS files cannot be used: {error}", remedy="check --tls-cert and --tls-key") from error


def _children(folder: Path, settings: ServerSettings, socket_path: Path | None) -> list[Child]:
    threads = str(settings.compute_threads or max(1, (os.cpu_count() or 1) - 1))
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    children = []
    placement = placement_of(os.environ, processes=settings.processes, ray=settings.ray)
    environment |= placement.environment()
    if settings.worker:
        children.append(Child("worker", "medloop.server.processes.worker", [str(folder), threads], environment))
    if socket_path is not None:
        children.append(Child("assistant", "medloop.server.processes.assistant", [str(folder), str(socket_path)], environment))
    return children


def _fitting(folder: Path, settings: ServerSettings) -> ServerSettings:
    """Without helpers where there is nothing that they could write."""
    if all(why_read_only(one) for one in project_folders(folder)):
        return replace(settings, worker=False, assistant=False)
    return settings


def _socket_path(folder: Path) -> Path:
    """In the folder, or in a private temporary folder when that name is too long for a socket or the folder is read only."""
    path = folder / "assistant.sock"
    short = len(os.fsencode(path)) <= MAX_SOCKET_PATH and not why_read_only(folder)
    return path if short else Path(tempfile.mkdtemp(prefix="medloop-")) / "assistant.sock"


def open_listener(host: str, port: int) -> socket.socket:
    """A socket bound to a host and port.

    Raises:
        SettingError: The port is taken, TLS files cannot be used, or others could reach it and there are no accounts.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingError(
            f"Port {port} on {host} cannot be used: {error.strerror}",
            remedy="stop what uses it, or choose another with --port",
        ) from error
    return listener


def address_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """The address that a browser opens."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
