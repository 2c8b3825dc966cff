"""Commands that stay: the page with its helpers, a worker alone, and the demonstration."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import ProjectFolder, Threads, argument, option
from medloop.cli.printing import say

if TYPE_CHECKING:
    from medloop.server.web.settings import ServerSettings

Host = Annotated[str | None, option(help="Address to listen on, 127.0.0.1 by default; beyond loopback with accounts and encryption only.")]
Port = Annotated[int | None, option(min=0, max=65535, help="Port; 8000 by default, 0 takes any free one.")]
DEMO_FOLDER = Path("medloop-demo")
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")]


def serve(
    folder: Annotated[Path, argument(metavar="DIR", help="A project's folder, or a folder of them.")],
    host: Host = None,
    port: Port = None,
    worker: Annotated[bool | None, typer.Option("--worker/--no-worker", help="Start a worker beside the page.")] = None,
    assistant: Annotated[
        bool | None, typer.Option("--assistant/--no-assistant", help="Start an assistant for proposals on demand.")
    ] = None,
    annotator: Annotated[str | None, option(help="Who annotates on this page; local by default.")] = None,
    threads: Annotated[int | None, option(min=0, max=1024, help="CPU threads of the helpers.")] = None,
    tls_cert: Annotated[str | None, option(metavar="FILE", help="TLS certificate with its chain (PEM).")] = None,
    tls_key: Annotated[str | None, option(metavar="FILE", help="Private key of the certificate (PEM).")] = None,
    behind_proxy: Annotated[bool | None, option("--behind-proxy", help="A reverse proxy ends TLS in front of it.")] = None,
    names: Annotated[str | None, option(metavar="NAME,…", help="Names by which it is reached from elsewhere.")] = None,
    oidc_issuer: Annotated[str | None, option(metavar="URL", help="OpenID Connect provider with which people sign in.")] = None,
    oidc_client_id: Annotated[str | None, option(metavar="ID", help="What the provider calls this server.")] = None,
    oidc_secret_file: Annotated[str | None, option(metavar="FILE", help="File with the secret that the provider gave.")] = None,
    browser: Browser = False,
) -> None:
    """Serve the page, and work behind it.

    A worker learns in the background and an assistant proposes on demand; Ctrl-C stops all three. Without accounts
    (medloop users) it is one person's, on this machine.
    """
    from medloop.server.web.settings import read_settings

    shown = {"tls_cert": tls_cert, "tls_key": tls_key, "behind_proxy": behind_proxy, "names": names}
    provider = {"oidc_issuer": oidc_issuer, "oidc_client_id": oidc_client_id, "oidc_secret_file": oidc_secret_file}
    helpers = {"worker": worker, "assistant": assistant, "annotator": annotator, "compute_threads": threads}
    _serve(folder, read_settings(os.environ, {"host": host, "port": port, **helpers, **shown, **provider}), browser=browser)


def worker(folder: ProjectFolder, threads: Threads = 0) -> None:
    """Do the background work of a project.

    Or of a folder of projects, until it is stopped. A job that is stopped keeps its checkpoint.
    """
    import signal
    import threading

    from medloop.core.errors import NotFoundError, StorageError
    from medloop.server.processes.worker import NICENESS, work
    from medloop.server.web.folders import project_folders
    from medloop.store.claims import host_name
    from medloop.store.private import why_read_only

    if not project_folders(folder):
        raise NotFoundError(f"{folder} holds no medloop project", remedy="make one with: medloop init FOLDER --kind … --label …")
    reasons = [why_read_only(one) for one in project_folders(folder)]
    if all(reasons):
        raise StorageError(f"A worker can do nothing here: {reasons[0]}", remedy="copy the project to where it can be written")
    os.umask(0o077)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.nice(NICENESS)
    say(f"Working for {folder}; Ctrl-C stops after the current step")
    work(folder, f"worker-{host_name()}-{os.getpid()}", stopping.is_set, threads=threads or os.cpu_count() or 1)


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the demonstration is kept; one that exists goes on.")] = DEMO_FOLDER,
    host: Host = None,
    port: Port = None,
    browser: Browser = True,
) -> None:
    """Try it on made-up images.

    Makes a project of 24 phantoms and serves it: a first model within two minutes, then it is your turn.
    """
    from medloop.server.web.settings import read_settings

    settings = read_settings(os.environ, {"host": host, "port": port})
    if not (folder / "medloop.json").exists():
        _make_demo(folder)
    _serve(folder, settings, browser=browser)


def _make_demo(folder: Path) -> None:
    import shutil

    from medloop.loop.data.demo import create_demo

    new = not folder.exists()
    say(f"Making 24 phantoms in {folder}")
    try:
        create_demo(folder).close()
    except BaseException:
        if new:  # half a demonstration is worse than none
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _serve(folder: Path, settings: "ServerSettings", *, browser: bool) -> None:
    from medloop.server.processes.supervise import serve as run_server

    def ready(address: str) -> None:
        say(f"Serving {folder} at {address} (Ctrl-C stops)")
        if browser:
            _open_browser(address)

    run_server(folder, settings, ready=ready)


def _open_browser(address: str) -> None:
    """Open a graphical browser where there is one; a text browser would take the terminal."""
    import sys
    import threading
    import webbrowser

    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
