"""Run one of Flower's programs for as long as the process that started this one lives; run as a file by the Python of its environment.

Started as `PYTHON launch.py PROGRAM ARGUMENTS…` in a session of its own, with a pipe of the parent as standard input. When the parent ends,
however it ends, Flower's programs are asked to end, so that a site leaves its federation at once, and then made to.
"""

import os
import signal
import sys
import threading
import time
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

GRACE_SECONDS = 4.0


def _watch() -> None:
    while os.read(0, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def _beside(name: str) -> Any:
    """A file beside this one, as a module."""
    spec = spec_from_file_location(f"medloop_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is no Python")
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def main(program: str) -> None:
    """Become the program."""
    (found,) = entry_points(group="console_scripts", name=program)
    threading.Thread(target=_watch, daemon=True).start()
    if program in ("flower-superlink", "flwr"):
        door = _beside("door")
        (door.guard if program == "flower-superlink" else door.show)()
    sys.argv = [program, *sys.argv[2:]]
    sys.exit(found.load()())


if __name__ == "__main__":
    sys.path.pop(0)  # of this folder: its modules must not stand for others
    main(sys.argv[1])
