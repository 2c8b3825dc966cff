"""Flower in the environment that somebody names: its programs as child processes, and the app that they carry.

The environment variable `MEDLOOP_FLOWER_PYTHON` names the Python of that environment; Flower pins versions of what medloop uses, too, so
that the two cannot share one. It belongs to the machine and not to a project. Flower's statistics and its look for newer versions are off.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import InputError, UnavailableError
from medloop.images.pipes import close_pipes, exit_status, without_secrets
from medloop.models.exchange import flower_side

PYTHON = "MEDLOOP_FLOWER_PYTHON"
INSTALL = f"pip install 'flwr>=1.42,<2' in an environment of its own, and name its Python with {PYTHON} (docs/federated.md)"
SIDE = Path(str(flower_side.__file__)).parent
LAUNCH, SITE = "medloop.models.exchange.flower_side.launch", "medloop.models.exchange.flower_side.site_process"
APPS = ("medloop.models.exchange.flower_side.server", "medloop.models.exchange.flower_side.client")
"""What runs there: files by themselves, and Flower's app."""
PACKAGE = "medloop_flower"
GRACE_SECONDS = 6.0
COMMAND_SECONDS = 120.0
_TAIL_BYTES = 4000


@dataclass(frozen=True)
class Secured:
    """How a connection to a coordinator is secured.

    Attributes:
        certificate: PEM file of the certificate authority that signed the coordinator's; "" leaves the connection in the clear.
        key: PEM file of the private key that a site shows; "" for none.
        own_certificate: PEM file of a coordinator's certificate.
        site_keys: Files of the public keys of the sites that a coordinator lets in.
    """

    certificate: str = ""
    key: str = ""
    own_certificate: str = ""
    site_keys: tuple[str, ...] = ()


def flower_python() -> str:
    """The Python of Flower's environment.

    Raises:
        UnavailableError: The variable names none, or Flower is not installed there.
    """
    named = os.environ.get(PYTHON, "")
    found = shutil.which(named or sys.executable)
    if found is None:
        raise UnavailableError(
            f"{PYTHON} must name the Python of an environment with Flower, got {named!r:.200}", remedy="correct the path"
        )
    if not (Path(found).parent / "flower-supernode").is_file():
        where = f"the environment of {found}" if named else "this environment"
        raise UnavailableError(f"Flower is not installed in {where}", remedy=INSTALL)
    return found


def _file_of(module: str) -> Path:
    return SIDE / f"{module.rpartition('.')[2]}.py"


INTERNAL = "FLWR_INTERNAL_"
"""Variables that make Flower open ports of its own on every address."""


def flower_environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """What Flower's programs see: this environment without credentials, a home of their own, nothing sent to anybody.

    Args:
        folder: Holds the home.
        more: Other variables.
    """
    home = folder / "flower"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    python = flower_python()
    entry = home / "bin" / "flwr-clientapp"
    entry.write_text(f'#!/bin/sh\nexec "{python}" "{_file_of(SITE)}" "$@"\n')
    entry.chmod(0o700)
    kept = without_secrets(os.environ).items()
    own = {name: value for name, value in kept if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__") and not name.startswith(INTERNAL)}
    path = os.pathsep.join((str(home / "bin"), str(Path(python).parent), own.get("PATH", os.defpath)))
    quiet = {
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FORWARDED_ALLOW_IPS": "127.0.0.1",  # or a stranger's header could say that it is this machine
        "FLWR_HOME": str(home),
        "PATH": path,
    }
    return {**own, **quiet, "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1", **more}


class FlowerProcess:
    """One of Flower's programs, with whatever it starts; it ends when this process does.

    Args:
        program: Such as flower-superlink.
        arguments: Of it.
        environment: Of `flower_environment`.
        log: Where it prints.
    """

    def __init__(self, program: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.program, self.log = program, log
        command = [flower_python(), str(_file_of(LAUNCH)), program, *arguments]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=out, env=dict(environment), start_new_session=True
            )

    def require_alive(self) -> None:
        """Refuse to go on without it.

        Raises:
            InputError: It has ended; the message holds its last line.
        """
        if (code := self.process.poll()) is not None:
            lines = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")[:200]
            raise InputError(f"{self.program} ended with status {code} ({last})", remedy=f"see {self.log}")

    def end(self) -> None:
        """Ask it to end, so that it says good-bye, and then make it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()
        exit_status(self.process)
        close_pipes(self.process)


def write_app(folder: Path) -> Path:
    """The app's folder as Flower takes it, made anew: the files of `flower_side`, which need neither medloop nor torch."""
    app = folder / "app"
    shutil.rmtree(app, ignore_errors=True)
    (app / PACKAGE).mkdir(parents=True)
    for file in SIDE.glob("*.py"):
        shutil.copyfile(file, app / PACKAGE / file.name)
    shutil.copyfile(SIDE / "app.toml", app / "pyproject.toml")
    return app


def command_link(folder: Path, environment: Mapping[str, str], address: str, secured: Secured) -> None:
    """Tell a SuperLink which sites' keys to let in, and let it run the app.

    Args:
        folder: Of the coordinator.
        environment: Of `flower_environment`.
        address: HOST:PORT of the SuperLink.
        secured: How it is reached, and the keys.

    Raises:
        InputError: Flower refused it.
    """
    trust = f'root-certificates = "{Path(secured.certificate).absolute()}"' if secured.certificate else "insecure = true"
    home = Path(environment["FLWR_HOME"])
    (home / "config.toml").write_text(f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "{address}"\n{trust}\n')
    for key in secured.site_keys:
        _command(folder, environment, ["supernode", "register", str(Path(key).absolute()), "here"])
    _command(folder, environment, ["run", str(write_app(folder)), "here"])


def _command(folder: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """One of Flower's commands.

    Raises:
        InputError: It failed, or took too long.
    """
    log = folder / "command.log"
    log.unlink(missing_ok=True)
    running = FlowerProcess("flwr", arguments, {**environment, "TERM": "dumb", "COLUMNS": "400"}, log)
    try:
        code = running.process.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        code = -1
    finally:
        running.end()
    if code:
        lines = [line.strip(" │╭╰─╮╯") for line in log.read_text(errors="replace").split("\n")]
        words = " ".join(line for line in lines if line)[-300:]
        raise InputError(f"Flower did not do {arguments[0]} ({words})", remedy=f"see {log}")
