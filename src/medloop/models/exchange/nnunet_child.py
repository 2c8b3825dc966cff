"""nnU-Net in the environment that somebody names, as a child process: planned, trained and ended from here.

The environment variable `MEDLOOP_NNUNET_PYTHON` names the Python of that environment; without it, it is this one. It belongs to the
machine and not to a project, so nobody can name a program to run over REST. The child is in a session of its own, and holds a pipe of
this process: it ends when this process does, and with it whatever it has started.
"""

import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from medloop.core.errors import FormatError, InputError, MedloopError, StorageError, UnavailableError
from medloop.core.records import Json
from medloop.images.pipes import close_pipes, exit_status, without_secrets

PYTHON = "MEDLOOP_NNUNET_PYTHON"
RUNNER, TRAINER = "medloop.models.exchange.nnunet_side.runner", "medloop.models.exchange.nnunet_side.trainer"
"""Run there as files: what nnU-Net needs is not imported here."""
LOG = "nnunet.log"
"""What nnU-Net prints, in the folder of its training."""
BEAT_SECONDS = 0.5
_TAIL_BYTES = 20_000
_INSTALL = f"pip install nnunetv2 there, or name another environment's Python with {PYTHON}"

Tell = Callable[[Json], None]
"""Takes what the child says, and {} twice a second; whatever it raises ends the child."""


def nnunet_python() -> str:
    """The Python of nnU-Net's environment.

    Raises:
        UnavailableError: The variable names none.
    """
    named = os.environ.get(PYTHON, "")
    found = shutil.which(named or sys.executable)
    if found is None:
        raise UnavailableError(
            f"{PYTHON} must name the Python of an environment with nnU-Net, got {named!r:.200}", remedy="correct the path"
        )
    return found


def runner(step: str) -> list[str]:
    """The command of a step of `nnunet_side.runner`."""
    return [nnunet_python(), str(_file_of(RUNNER)), step]


def _file_of(module: str) -> Path:
    found = find_spec(module)
    if found is None or found.origin is None:
        raise UnavailableError(f"{module} must be a file, it is none", remedy="install medloop again")
    return Path(found.origin)


def environment(*, threads: int, folder: Path | None = None, asked: Json | None = None) -> dict[str, str]:
    """What nnU-Net reads from its environment.

    Args:
        threads: CPU threads; augmentation takes place in the training's own process where there is one.
        folder: Holds its raw, preprocessed and trained data.
        asked: Of a training, see `nnunet_side.trainer`.
    """
    places = {f"nnUNet_{name}": str(folder / name) for name in ("raw", "preprocessed", "results")} if folder else {}
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "nnUNet_def_n_proc"), str(threads))
    more = {"MEDLOOP_NNUNET": json.dumps(asked)} if asked else {}
    beside = threads - 1 if asked else threads  # the planner takes this number, too, and refuses 0
    return {
        **places,
        **counts,
        **more,
        "nnUNet_n_proc_DA": str(beside),
        "nnUNet_compile": "f",
        "nnUNet_extTrainer": str(_file_of(TRAINER).parent),
    }


def run_step(step: str, request: Json, folder: Path, tell: Tell) -> None:
    """Run a step to its end.

    Args:
        step: plan or train.
        request: What `nnunet_side.runner` takes; `environment` in it is set first.
        folder: Where its log goes.
        tell: See `Tell`.

    Raises:
        UnavailableError: There is no nnU-Net, or no Python.
        StorageError: The disk is full.
        InputError: nnU-Net failed; the message holds its last line.
    """
    command = runner(step)
    with (folder / LOG).open("ab") as log:
        start = log.tell()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_outside(), start_new_session=True
            )
        except OSError as error:
            raise UnavailableError(f"{command[0]} cannot be run ({error.strerror})", remedy=f"correct {PYTHON}") from error
        try:
            _follow(process, json.dumps(request).encode() + b"\n", tell)
            code = process.wait()
        finally:
            end(process)
    if code:
        raise failure(step, code, (folder / LOG).read_bytes()[start:][-_TAIL_BYTES:].decode(errors="replace"))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a child in a session of its own with whatever it has started, at once."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    exit_status(process)
    close_pipes(process)


def _outside() -> dict[str, str]:
    """This environment without credentials and what belongs to this Python alone."""
    return {name: value for name, value in without_secrets(os.environ).items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}


def _follow(process: subprocess.Popen[bytes], request: bytes, tell: Tell) -> None:
    if process.stdin is None or process.stdout is None:
        return
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        return  # it has ended already; how it did tells why
    pipe, held = process.stdout.fileno(), b""
    while True:
        if not select.select([pipe], [], [], BEAT_SECONDS)[0]:
            tell({})
            continue
        found = os.read(pipe, 1 << 16)
        if not found:
            return
        *lines, held = (held + found).split(b"\n")
        for line in lines:
            tell(_record(line))


def _record(line: bytes) -> Json:
    """What the child says in a line.

    Raises:
        UnavailableError: What runs there is not `nnunet_side.runner`.
    """
    try:
        found: Json = json.loads(line)
        if not {"plans", "epoch"}.isdisjoint(found):
            return found
    except (ValueError, TypeError, RecursionError):
        pass
    raise UnavailableError(
        f"{PYTHON} must name a Python that prints nothing by itself, got the line {line[:80].decode(errors='replace')!r}",
        remedy="name the program python of nnU-Net's environment",
    )


def failure(step: str, code: int, said: str) -> MedloopError:
    """Why a step failed, in one line, from its exit status and what it printed last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if not line.startswith(("File ", "^", "~"))), "no message")[:200]
    if "No module named 'nnunetv2'" in said:
        return UnavailableError("nnU-Net is not installed in the environment that is to train", remedy=_INSTALL)
    if os.strerror(errno.ENOSPC) in said:
        return StorageError(
            "nnU-Net needs more space than the disk has", remedy="make room in the folder work of the project, and train again"
        )
    if code == -signal.SIGKILL or "MemoryError" in said or "out of memory" in said or "not enough memory" in said:
        remedy = "close other programs, or train on a machine with more; plans of nnU-Net are made for 8 GB of a GPU"
        return InputError(f"nnU-Net needs more memory to {step} than there is ({last})", remedy=remedy)
    if "AssertionError" in last or "integrity" in last.lower():
        return FormatError(f"nnU-Net refuses the exported cases ({last})", remedy=f"see {LOG} in the folder work of the project")
    return InputError(f"nnU-Net failed to {step} ({last})", remedy=f"see {LOG} in the folder work of the project")
